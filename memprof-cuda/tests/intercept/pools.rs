//! Pools that were not seen to be made: the driver is asked once where the memory of each is.

use cudarc::driver::CudaContext;
use memprof_core::Space;
use memprof_cuda_sim::Sim;

use crate::ground::{self, Tried, agree, alone, live, totals};

/// Pools of host memory, of managed memory and of the second device, from before interception; and where their memory is.
fn pools() -> Tried<[(cudarc::driver::sys::CUmemoryPool, Space); 3]> {
    let [host, managed] = [false, true].map(ground::default_pool);
    Ok([(host?, Space::PINNED), (managed?, Space::MANAGED), (ground::pool(1)?, Space::device(1))])
}

fn each_is_in_its_space(sim: Sim, context: &CudaContext, asked_by: &str) -> Tried {
    let stream = context.new_stream_raw()?;
    for (pool, space) in pools()? {
        let _guard = memprof_cuda::intercept()?;
        let before = sim.calls(asked_by);
        let first = ground::allocate_from(pool, 100, stream)?;
        let asked = sim.calls(asked_by);
        let second = ground::allocate_from(pool, 10, stream)?;
        assert!(asked > before && sim.calls(asked_by) == asked, "{asked_by} is asked, and once");
        assert_eq!((live(space), live(Space::device(0))), ((110, 2), (0, 0)), "{space}");
        agree(sim);
        for address in [first, second] {
            ground::free_async(address, stream)?;
        }
        assert_eq!((live(space), totals(space).unknown_frees), ((0, 0), 0));
        agree(sim);
    }
    Ok(())
}

/// A stream that lives as long as the process.
trait RawStream {
    fn new_stream_raw(&self) -> Tried<cudarc::driver::sys::CUstream>;
}

impl RawStream for CudaContext {
    fn new_stream_raw(&self) -> Tried<cudarc::driver::sys::CUstream> {
        self.bind_to_thread()?;
        Ok(cudarc::driver::result::stream::create(cudarc::driver::result::stream::StreamKind::NonBlocking)?)
    }
}

#[test]
fn a_pool_from_before_says_itself_where_it_is() -> Tried {
    let (_alone, sim) = alone()?;
    let _second = CudaContext::new(1)?;
    let context = CudaContext::new(0)?;
    each_is_in_its_space(sim, &context, "cuMemPoolGetAttribute")
}

#[test]
fn where_a_pool_does_not_say_a_block_out_of_it_does() -> Tried {
    let (_alone, sim) = alone()?;
    let _second = CudaContext::new(1)?;
    let context = CudaContext::new(0)?;
    // As a driver before CUDA 13 does, which has no such attribute.
    sim.fail_next("cuMemPoolGetAttribute", 1, 1_000);
    let outcome = each_is_in_its_space(sim, &context, "cuPointerGetAttribute");
    sim.reset();
    outcome
}

#[test]
fn a_pool_that_a_call_gives_is_known_by_what_the_call_asked_for() -> Tried {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    let stream = context.new_stream_raw()?;
    let _guard = memprof_cuda::intercept()?;
    for (is_managed, space) in [(false, Space::PINNED), (true, Space::MANAGED)] {
        let asked = sim.calls("cuMemPoolGetAttribute");
        let address = ground::allocate_from(ground::default_pool(is_managed)?, 50, stream)?;
        assert_eq!(sim.calls("cuMemPoolGetAttribute"), asked, "nothing is asked");
        assert_eq!(live(space), (50, 1));
        agree(sim);
        ground::free_async(address, stream)?;
        assert_eq!(live(space), (0, 0));
    }
    Ok(())
}
