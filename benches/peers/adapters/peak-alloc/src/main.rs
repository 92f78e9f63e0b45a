//! `peak_alloc`: two numbers of the process. Only over the system's allocator.

use peak_alloc::PeakAlloc;
use workloads::Peer;

#[global_allocator]
static ALLOC: PeakAlloc = PeakAlloc;

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = false;
    const CAN_READ: bool = true;

    fn start() {}

    fn read() {
        std::hint::black_box((ALLOC.current_usage(), ALLOC.peak_usage()));
    }
}

workloads::main!(Tool);
