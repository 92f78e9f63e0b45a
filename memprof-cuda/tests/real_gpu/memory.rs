//! Attributed bytes beside those of `cuMemGetInfo`, and what is said when memory runs out.

use std::sync::mpsc;

use cudarc::driver::sys::CUresult;
use memprof_core::{Scope, Site};
use memprof_cuda::{Action, TrackedExt as _, on_out_of_memory};

use crate::ground::calls::{self, live};
use crate::ground::{Gpu, MIB, Outcome, device, reconciled, saw};

/// A multiple of every granularity that a driver takes memory in.
const BLOCK: usize = 256 * MIB;

#[test]
fn a_plain_block_is_as_much_as_cu_mem_get_info_says() -> Outcome {
    let gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    // What a first allocation brings along.
    calls::free(calls::allocate(BLOCK)?)?;
    let before = gpu.used()?;
    let address = calls::allocate(BLOCK)?;
    let more = gpu.used()?.saturating_sub(before);
    saw(format!("{} bytes attributed; cuMemGetInfo says {more} more in use", live(device()).0));
    assert_eq!((live(device()), more), ((268_435_456, 1), BLOCK), "somebody else may be using this device");
    calls::free(address)?;
    assert_eq!((live(device()), gpu.used()?), ((0, 0), before));
    Ok(())
}

#[test]
fn the_device_s_line_adds_up_to_cu_mem_get_info() -> Outcome {
    let gpu = Gpu::take()?;
    let stream = gpu.context.default_stream().tracked();
    let held = stream.alloc_zeros::<u8>(BLOCK)?;
    let used = gpu.used()?;
    let line = reconciled()?;
    saw(format!(
        "used {} = attributed {} + in reserve {} + unattributed {}",
        line.used,
        line.attributed,
        line.pool_reserved - line.pool_used,
        line.unattributed
    ));
    assert_eq!((line.used, line.attributed), (used as u64, 268_435_456));
    let sum = i128::from(line.attributed) + i128::from(line.unattributed) + i128::from(line.pool_reserved);
    assert_eq!(sum - i128::from(line.pool_used), i128::from(line.used));
    assert!(line.unattributed >= 0, "more is attributed than the device has in use");
    if line.pool_reserved > 0 {
        assert!(line.pool_used >= 268_435_456 && line.pool_reserved >= line.pool_used, "{line:?}");
    }
    drop(held);
    Ok(())
}

#[test]
fn out_of_memory_says_who_holds_it_and_leaves_the_books() -> Outcome {
    let gpu = Gpu::take()?;
    let stream = gpu.context.default_stream().tracked();
    let scope = Scope::enter(Site::named("the owner"));
    let held = stream.alloc_zeros::<u8>(BLOCK)?;
    let wanted = gpu.context.total_mem()?;
    let (send, asked) = mpsc::channel();
    on_out_of_memory(move |problem| {
        let _the_check_is_there = send.send(problem.clone());
        Action::GiveUp
    });
    let error = stream.alloc_zeros::<u8>(wanted).err().ok_or("more was given out than the device has")?;
    assert!(error.to_string().contains("out of memory in cuda:0: "), "{error}");
    assert_eq!(error.code(), Some(CUresult::CUDA_ERROR_OUT_OF_MEMORY));
    let problem = asked.try_recv()?;
    let owners: Vec<_> = problem.owners.iter().map(|owner| (owner.path.as_str(), owner.bytes)).collect();
    assert_eq!(
        (problem.bytes, problem.attributed, owners),
        (wanted as u64, 268_435_456, vec![("the owner", 268_435_456)])
    );
    assert_eq!((live(device()), calls::totals(device()).failed), ((268_435_456, 1), 1));
    let again = stream.alloc_zeros::<u8>(MIB)?;
    assert_eq!(live(device()), (269_484_032, 2), "the device does not recover");
    drop((again, held, scope));
    assert_eq!(live(device()), (0, 0));
    saw(format!("{wanted} bytes refused; the report names the owner of 268435456"));
    Ok(())
}
