//! tracing, with the registry of tracing-subscriber and no layer on it. It measures no memory.

use tracing_subscriber::util::SubscriberInitExt as _;
use workloads::{Peer, UPSTREAM, Upstream};

#[global_allocator]
static ALLOC: Upstream = UPSTREAM;

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = true;
    const CAN_READ: bool = false;

    fn start() {
        tracing_subscriber::registry().init();
    }

    #[inline(never)]
    #[tracing::instrument]
    fn call(number: u64) -> u64 {
        workloads::plain(number)
    }

    #[tracing::instrument(skip_all)]
    fn scope<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    fn request(number: u64) -> impl Future<Output = u64> + Send + 'static {
        request(number)
    }
}

#[tracing::instrument]
async fn request(number: u64) -> u64 {
    workloads::request(number).await
}

workloads::main!(Tool);
