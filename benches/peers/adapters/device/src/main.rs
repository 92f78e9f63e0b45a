//! (h) Device memory on the simulated driver: `device-plain` is cudarc alone, `device-tracked` the same with memprof.
//! No other tool sees device memory.

use std::hint::black_box;
use std::sync::Arc;

use cudarc::driver::CudaStream;
use memprof::cuda::{TrackedExt as _, TrackedStream};
use workloads::{Peer, timed};

/// Bytes of each block.
const BLOCK: usize = 256;

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = false;
    const CAN_READ: bool = false;

    fn start() {}

    fn own(workload: &str, numbers: &[usize]) -> Option<u128> {
        let &[turns, live] = numbers else { return None };
        let stream = stream();
        match workload {
            "device-plain" => Some(plain(&stream, turns, live)),
            "device-tracked" => {
                memprof::enable();
                Some(tracked(&stream.tracked(), turns, live))
            }
            _ => None,
        }
    }
}

fn stream() -> Arc<CudaStream> {
    memprof_cuda_sim::load_simulator().expect("the simulator");
    memprof::cuda::context(0).expect("a simulated device").default_stream()
}

fn plain(stream: &Arc<CudaStream>, turns: usize, live: usize) -> u128 {
    // SAFETY: nobody reads it.
    let block = || unsafe { stream.alloc::<u8>(BLOCK) }.expect("device memory");
    let held: Vec<_> = (0..live).map(|_| block()).collect();
    let nanoseconds = timed(|| (0..turns).for_each(|_| drop(black_box(block()))));
    drop(held);
    nanoseconds
}

fn tracked(stream: &TrackedStream, turns: usize, live: usize) -> u128 {
    // SAFETY: nobody reads it.
    let block = || unsafe { stream.alloc::<u8>(BLOCK) }.expect("device memory");
    memprof::scope!("workload");
    let held: Vec<_> = (0..live).map(|_| block()).collect();
    let nanoseconds = timed(|| (0..turns).for_each(|_| drop(black_box(block()))));
    drop(held);
    nanoseconds
}

workloads::main!(Tool);
