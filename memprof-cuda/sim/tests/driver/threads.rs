//! Many threads at once: the ledger adds up, and no address is given to two of them.
#![expect(unsafe_code, reason = "calls the driver's functions directly")]

use std::sync::mpsc;
use std::thread;

use crate::common::{Tested, alone, failure};
use cudarc::driver::sys::CUresult;
use cudarc::driver::{CudaContext, DriverError, result};

const THREADS: u64 = 8;
const ROUNDS: usize = 300;

#[test]
fn blocks_that_threads_hold_never_overlap_and_the_ledger_adds_up() -> Tested {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    let (give, take) = mpsc::channel();
    let workers: Vec<_> = (1..=THREADS)
        .map(|thread| {
            let (context, give) = (context.clone(), give.clone());
            thread::spawn(move || {
                context.bind_to_thread()?;
                for round in 0..ROUNDS {
                    let bytes = [thread as u8; 64];
                    // SAFETY: freed by the test's own thread.
                    let address = unsafe { result::malloc_async(std::ptr::null_mut(), 64) }?;
                    // SAFETY: ours alone.
                    unsafe { result::memcpy_htod_sync(address, &bytes) }?;
                    if round % 3 == 0 {
                        // SAFETY: allocated above.
                        unsafe { result::free_sync(address) }?;
                    } else if give.send((address, bytes)).is_err() {
                        break;
                    }
                }
                Ok::<(), DriverError>(())
            })
        })
        .collect();
    drop(give);
    let mut freed = 0;
    for (address, expected) in take {
        let mut bytes = [0_u8; 64];
        // SAFETY: a block of a worker's, which has left it to this thread.
        unsafe { result::memcpy_dtoh_sync(&mut bytes, address) }?;
        assert_eq!(bytes, expected);
        // SAFETY: as above.
        unsafe { result::free_async(address, std::ptr::null_mut()) }?;
        freed += 1;
    }
    for worker in workers {
        worker.join().map_err(|_| "a thread panicked")??;
    }
    assert_eq!(freed, THREADS * 200);
    let usage = sim.live().devices[0];
    assert_eq!((usage.bytes, usage.blocks, usage.allocations, usage.frees), (0, 0, THREADS * 300, THREADS * 300));
    // SAFETY: refused.
    let refused = unsafe { result::free_sync(0x1000) };
    assert_eq!(failure(refused), Some(CUresult::CUDA_ERROR_INVALID_VALUE));
    Ok(())
}
