//! tracy-client: its allocator and its zones, recording all, as no viewer is connected that would take them.

use tracy_client::{Client, ProfiledAllocator, span};
use workloads::{Peer, UPSTREAM, Upstream};

#[global_allocator]
static ALLOC: ProfiledAllocator<Upstream> = ProfiledAllocator::new(UPSTREAM, 0);

struct Tool;

impl Peer for Tool {
    type Session = Client;

    const HAS_SCOPES: bool = true;
    const CAN_READ: bool = false;

    fn start() -> Client {
        Client::start()
    }

    #[inline(never)]
    fn call(number: u64) -> u64 {
        let _zone = span!("call", 0);
        workloads::plain(number)
    }

    fn scope<R>(work: impl FnOnce() -> R) -> R {
        let _zone = span!("workload", 0);
        work()
    }
}

workloads::main!(Tool);
