//! dhat, heap profiling: a backtrace of every allocation. Only over the system's allocator.

use dhat::{HeapStats, Profiler};
use workloads::Peer;

#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

struct Tool;

impl Peer for Tool {
    type Session = Profiler;

    const HAS_SCOPES: bool = false;
    const CAN_READ: bool = true;

    fn start() -> Profiler {
        let file = std::env::temp_dir().join(format!("dhat-{}.json", std::process::id()));
        Profiler::builder().file_name(file).build()
    }

    fn read() {
        std::hint::black_box(HeapStats::get());
    }
}

workloads::main!(Tool);
