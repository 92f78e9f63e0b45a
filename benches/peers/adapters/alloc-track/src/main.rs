//! alloc-track, by thread, without its backtraces.

use alloc_track::{AllocTrack, BacktraceMode};
use workloads::{Peer, UPSTREAM, Upstream};

#[global_allocator]
static ALLOC: AllocTrack<Upstream> = AllocTrack::new(UPSTREAM, BacktraceMode::None);

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = false;
    const CAN_READ: bool = true;

    fn start() {}

    fn read() {
        std::hint::black_box(alloc_track::thread_report());
    }
}

workloads::main!(Tool);
