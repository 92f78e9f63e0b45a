//! puffin, with a frame each thousand calls. It measures no memory.

use puffin::GlobalProfiler;
use workloads::{Peer, UPSTREAM, Upstream};

#[global_allocator]
static ALLOC: Upstream = UPSTREAM;

const CALLS_IN_A_FRAME: usize = 1000;

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = true;
    const CAN_READ: bool = false;

    fn start() {
        puffin::set_scopes_on(true);
    }

    fn calls(turns: usize, one: impl Fn(u64)) {
        for begin in (0..turns).step_by(CALLS_IN_A_FRAME) {
            (begin..turns.min(begin + CALLS_IN_A_FRAME)).for_each(|number| one(number as u64));
            GlobalProfiler::lock().new_frame();
        }
    }

    #[inline(never)]
    fn call(number: u64) -> u64 {
        puffin::profile_function!();
        workloads::plain(number)
    }

    fn scope<R>(work: impl FnOnce() -> R) -> R {
        puffin::profile_scope!("workload");
        work()
    }
}

workloads::main!(Tool);
