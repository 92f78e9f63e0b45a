//! No tool: what all others are compared with.

use workloads::{Peer, UPSTREAM, Upstream};

#[global_allocator]
static ALLOC: Upstream = UPSTREAM;

struct Tool;

// It has scopes and readings that do nothing, so that it runs all workloads.
impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = true;
    const CAN_READ: bool = true;

    fn start() {}

    #[inline(never)]
    fn call(number: u64) -> u64 {
        workloads::plain(number)
    }
}

workloads::main!(Tool);
