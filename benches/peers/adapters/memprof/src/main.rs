//! memprof: on with `MEMPROF=1`, off without, as any program that contains it.

use std::hint::black_box;
use std::pin::Pin;

use memprof::{Scope, Site};
use workloads::{Peer, UPSTREAM, Upstream};

#[global_allocator]
static ALLOC: memprof::Alloc<Upstream> = memprof::Alloc::new(UPSTREAM);

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = true;
    const CAN_READ: bool = true;

    fn start() {}

    #[memprof::track]
    #[inline(never)]
    fn call(number: u64) -> u64 {
        workloads::plain(number)
    }

    fn scope<R>(work: impl FnOnce() -> R) -> R {
        memprof::scope!("workload", { work() })
    }

    fn request(number: u64) -> impl Future<Output = u64> + Send + 'static {
        request(number)
    }

    fn route(route: usize, number: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        routes::route(route)(number)
    }

    fn read() {
        black_box(memprof::snapshot());
    }

    fn own(workload: &str, numbers: &[usize]) -> Option<u128> {
        match (workload, numbers) {
            ("sites", &[turns, sites]) => Some(in_turn(turns, sites)),
            _ => None,
        }
    }
}

/// Scopes of so many sites in turn, a pair of `malloc` and `free` in each.
fn in_turn(turns: usize, sites: usize) -> u128 {
    let sites: Vec<_> = (0..sites).map(|number| Site::named(&format!("site {number}"))).collect();
    let one = |&site: &&'static Site| {
        let _scope = Scope::enter(site);
        drop(black_box(Vec::<u8>::with_capacity(64)));
    };
    sites.iter().for_each(one);
    workloads::timed(|| sites.iter().cycle().take(turns).for_each(one))
}

#[memprof::track]
async fn request(number: u64) -> u64 {
    workloads::request(number).await
}

workloads::routes!(crate::Tool, memprof::track);
workloads::main!(Tool);
