//! `stats_alloc`, which takes another allocator than the system's on nightly compilers only. Its `Region` is the difference of the process's sums.

use std::alloc::System;
use std::hint::black_box;

use stats_alloc::{Region, StatsAlloc};
use workloads::Peer;

#[global_allocator]
static ALLOC: StatsAlloc<System> = StatsAlloc::system();

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = true;
    const CAN_READ: bool = true;

    fn start() {}

    #[inline(never)]
    fn call(number: u64) -> u64 {
        Self::scope(|| workloads::plain(number))
    }

    fn scope<R>(work: impl FnOnce() -> R) -> R {
        let region = Region::new(&ALLOC);
        let result = work();
        black_box(region.change());
        result
    }

    fn read() {
        black_box(ALLOC.stats());
    }
}

workloads::main!(Tool);
