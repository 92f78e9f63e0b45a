//! Errors that wait in a context of cudarc's.
//!
//! cudarc keeps what goes wrong in a drop in the context, one error at a time, and says it at the next call there; any thread may leave one at
//! any moment. Such an error is the program's. What memprof does in the midst of a call of its own neither stops at one nor takes it: it is
//! [set aside](keeping), and [making a slice](adopt), where cudarc panics at it, puts it back.

#![expect(
    unsafe_code,
    reason = "calls of the driver that cudarc would refuse for an error that waits, and slices by their address"
)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cudarc::driver::sys::{CUdeviceptr, CUevent_flags, CUresult};
use cudarc::driver::{CudaContext, CudaSlice, CudaStream, DriverError, result};

/// Runs `work` with no error waiting in the context; afterwards the newest one waits there.
pub(crate) fn keeping<R>(context: &CudaContext, work: impl FnOnce() -> R) -> R {
    let earlier = context.check_err();
    let done = work();
    let later = context.check_err();
    context.record_err(earlier);
    context.record_err(later);
    done
}

/// Makes a context current on this thread, whatever waits in it.
pub(crate) fn make_current(context: &CudaContext) -> Result<(), DriverError> {
    // SAFETY: the handle is one that the driver gave; that of a context that is gone is refused.
    unsafe { result::ctx::set_current(context.cu_ctx()) }
}

/// cudarc's slice of this address, which the caller owns on an error too. An error that waits in the context, or comes to wait there, waits on.
///
/// cudarc makes the slice's events in it, and panics where the driver cannot, or where an error waits. Whether the driver can is not asked
/// beforehand: that would be two more calls for each slice, and no promise.
///
/// # Safety
///
/// - The address is an allocation of at least `len` elements on this stream's device, which nobody else frees.
pub(crate) unsafe fn adopt<T>(
    stream: &Arc<CudaStream>,
    address: CUdeviceptr,
    len: usize,
) -> Result<CudaSlice<T>, DriverError> {
    /// Where another thread leaves errors so often that none of these attempts finds a moment without, the newest one is the answer.
    const MOST: u32 = 100;
    let context = stream.context();
    let mut newest = DriverError(CUresult::CUDA_ERROR_UNKNOWN);
    for _ in 0..MOST {
        let adopted = keeping(context, || {
            if cfg!(panic = "abort") && context.is_event_tracking() {
                // Such a panic is not caught, so it is asked after all.
                can_make_events(context)?;
            }
            // SAFETY: the caller's promise.
            let made = catch_unwind(AssertUnwindSafe(|| unsafe { stream.upgrade_device_ptr(address, len) }));
            match made {
                Ok(slice) => Ok(Some(slice)),
                Err(panic) => can_make_events(context).map(|()| {
                    // So it was an error of another thread's, which cudarc has taken: its word is only in the panic's text.
                    newest = said_in(panic.as_ref());
                    context.record_err::<()>(Err(newest));
                    None
                }),
            }
        })?;
        if let Some(slice) = adopted {
            return Ok(slice);
        }
    }
    Err(newest)
}

/// That the driver can make an event in this context: one is made, and destroyed.
fn can_make_events(context: &CudaContext) -> Result<(), DriverError> {
    make_current(context)?;
    let event = result::event::create(CUevent_flags::CU_EVENT_DISABLE_TIMING)?;
    // SAFETY: made just now, and given to nobody.
    unsafe { result::event::destroy(event) }
}

/// The error that cudarc panicked at, as the panic's text names it.
fn said_in(panic: &(dyn Any + Send)) -> DriverError {
    let text = panic.downcast_ref::<String>().map_or("", String::as_str);
    let name =
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').find(|word| word.starts_with("CUDA_ERROR_"));
    let known = LEFT_BY_DROPS.iter().find(|error| name.is_some_and(|name| format!("{error:?}") == name));
    DriverError(known.copied().unwrap_or(CUresult::CUDA_ERROR_UNKNOWN))
}

/// What the driver may say of the calls that drops make: frees, events, waiting for work. All that CUDA 11.4 has of these.
const LEFT_BY_DROPS: &[CUresult] = &[
    CUresult::CUDA_ERROR_INVALID_VALUE,
    CUresult::CUDA_ERROR_OUT_OF_MEMORY,
    CUresult::CUDA_ERROR_NOT_INITIALIZED,
    CUresult::CUDA_ERROR_DEINITIALIZED,
    CUresult::CUDA_ERROR_INVALID_DEVICE,
    CUresult::CUDA_ERROR_INVALID_CONTEXT,
    CUresult::CUDA_ERROR_ECC_UNCORRECTABLE,
    CUresult::CUDA_ERROR_NVLINK_UNCORRECTABLE,
    CUresult::CUDA_ERROR_ILLEGAL_STATE,
    CUresult::CUDA_ERROR_INVALID_HANDLE,
    CUresult::CUDA_ERROR_NOT_FOUND,
    CUresult::CUDA_ERROR_NOT_READY,
    CUresult::CUDA_ERROR_ILLEGAL_ADDRESS,
    CUresult::CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES,
    CUresult::CUDA_ERROR_LAUNCH_TIMEOUT,
    CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED,
    CUresult::CUDA_ERROR_ASSERT,
    CUresult::CUDA_ERROR_HARDWARE_STACK_ERROR,
    CUresult::CUDA_ERROR_ILLEGAL_INSTRUCTION,
    CUresult::CUDA_ERROR_MISALIGNED_ADDRESS,
    CUresult::CUDA_ERROR_INVALID_ADDRESS_SPACE,
    CUresult::CUDA_ERROR_INVALID_PC,
    CUresult::CUDA_ERROR_LAUNCH_FAILED,
    CUresult::CUDA_ERROR_NOT_PERMITTED,
    CUresult::CUDA_ERROR_NOT_SUPPORTED,
    CUresult::CUDA_ERROR_SYSTEM_NOT_READY,
    CUresult::CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
    CUresult::CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,
    CUresult::CUDA_ERROR_STREAM_CAPTURE_MERGE,
    CUresult::CUDA_ERROR_STREAM_CAPTURE_UNMATCHED,
    CUresult::CUDA_ERROR_STREAM_CAPTURE_UNJOINED,
    CUresult::CUDA_ERROR_STREAM_CAPTURE_ISOLATION,
    CUresult::CUDA_ERROR_STREAM_CAPTURE_IMPLICIT,
    CUresult::CUDA_ERROR_CAPTURED_EVENT,
    CUresult::CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD,
    CUresult::CUDA_ERROR_TIMEOUT,
];

#[cfg(test)]
mod tests {
    use super::{CUresult, LEFT_BY_DROPS, said_in};

    #[test]
    fn the_panic_s_text_names_the_error_that_cudarc_took() {
        for error in LEFT_BY_DROPS {
            let text = format!("called `Result::unwrap()` on an `Err` value: DriverError({error:?}, \"some words\")");
            assert_eq!(said_in(&text).0, *error);
        }
        assert_eq!(said_in(&"no text of cudarc's".to_owned()).0, CUresult::CUDA_ERROR_UNKNOWN);
        assert_eq!(said_in(&7).0, CUresult::CUDA_ERROR_UNKNOWN);
    }
}
