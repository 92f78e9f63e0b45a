//! allocation-counter, which brings its own global allocator, over the system's, and counts inside `measure` only.

use std::hint::black_box;

use workloads::Peer;

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = true;
    const CAN_READ: bool = false;

    fn start() {}

    #[inline(never)]
    fn call(number: u64) -> u64 {
        Self::scope(|| workloads::plain(number))
    }

    fn scope<R>(work: impl FnOnce() -> R) -> R {
        let mut result = None;
        black_box(allocation_counter::measure(|| result = Some(work())));
        result.expect("it ran")
    }
}

workloads::main!(Tool);
