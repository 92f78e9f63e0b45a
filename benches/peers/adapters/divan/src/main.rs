//! divan's `AllocProfiler`, outside of a benchmark: in one, divan reads it around each sample.

use divan::AllocProfiler;
use workloads::{Peer, UPSTREAM, Upstream};

#[global_allocator]
static ALLOC: AllocProfiler<Upstream> = AllocProfiler::new(UPSTREAM);

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = false;
    const CAN_READ: bool = false;

    fn start() {}
}

workloads::main!(Tool);
