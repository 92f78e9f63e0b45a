//! hotpath, in its time mode; the adapter of its allocation mode is this file with the feature `alloc`.

use std::pin::Pin;

use hotpath::{Format, HotpathGuard, HotpathGuardBuilder};
use workloads::{Peer, UPSTREAM, Upstream};

#[cfg(feature = "alloc")]
#[global_allocator]
static ALLOC: hotpath::CountingAllocator<Upstream> = hotpath::CountingAllocator::with(UPSTREAM);

#[cfg(not(feature = "alloc"))]
#[global_allocator]
static ALLOC: Upstream = UPSTREAM;

struct Tool;

impl Peer for Tool {
    type Session = HotpathGuard;

    const HAS_SCOPES: bool = true;
    const CAN_READ: bool = false;

    fn start() -> HotpathGuard {
        HotpathGuardBuilder::new("main").format(Format::None).build()
    }

    fn call(number: u64) -> u64 {
        call(number)
    }

    fn scope<R>(work: impl FnOnce() -> R) -> R {
        scope(work)
    }

    fn request(number: u64) -> impl Future<Output = u64> + Send + 'static {
        request(number)
    }

    fn route(route: usize, number: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        routes::route(route)(number)
    }
}

#[hotpath::measure]
#[inline(never)]
fn call(number: u64) -> u64 {
    workloads::plain(number)
}

#[hotpath::measure]
fn scope<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[hotpath::measure]
async fn request(number: u64) -> u64 {
    workloads::request(number).await
}

workloads::routes!(crate::Tool, hotpath::measure);
workloads::main!(Tool);
