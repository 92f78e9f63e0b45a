//! cap, without a limit: what the process holds.

use cap::Cap;
use workloads::{Peer, UPSTREAM, Upstream};

#[global_allocator]
static ALLOC: Cap<Upstream> = Cap::new(UPSTREAM, usize::MAX);

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = false;
    const CAN_READ: bool = true;

    fn start() {}

    fn read() {
        std::hint::black_box(ALLOC.allocated());
    }
}

workloads::main!(Tool);
