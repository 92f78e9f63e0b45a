//! Asking the driver so that no stream's capture is disturbed.
//!
//! While a stream is captured into a graph, "potentially unsafe API calls" are prohibited: on the capturing thread, and on every
//! thread if the capture was begun in global mode; one that is made all the same fails and invalidates the capture. A thread in
//! relaxed mode "is not prohibited from potentially unsafe API calls" (`cuda.h` 13.5:17457-17470,
//! `cuThreadExchangeStreamCaptureMode`). So whatever memprof asks on its own account, it asks in that mode.

#![expect(unsafe_code, reason = "calls a function of the driver")]

use core::ffi::c_uint;
use std::sync::OnceLock;

use cudarc::driver::{CudaStream, result, sys};

use crate::driver;

/// The mode in which a thread disturbs nobody.
const RELAXED: c_uint = 2; // cuda: CU_STREAM_CAPTURE_MODE_RELAXED

type Exchange = unsafe extern "C" fn(*mut c_uint) -> u32;

fn exchange() -> Option<Exchange> {
    static EXCHANGE: OnceLock<Option<Exchange>> = OnceLock::new();
    let library = driver::library().ok()?;
    // SAFETY: CUDA's headers, 10.1 on, declare it so; the driver stays loaded.
    *EXCHANGE.get_or_init(|| unsafe { driver::function(library, "cuThreadExchangeStreamCaptureMode") }.ok())
}

/// The mode that the thread was in, set back when this is dropped.
struct Before(Exchange, c_uint);

impl Drop for Before {
    fn drop(&mut self) {
        // SAFETY: a place with a mode, which the driver gave.
        let _ = unsafe { (self.0)(&raw mut self.1) };
    }
}

/// Runs `work` with this thread in relaxed mode. A driver that does not know of modes, or refuses, captures nothing that it would
/// disturb.
pub(crate) fn while_relaxed<R>(work: impl FnOnce() -> R) -> R {
    let _before = exchange().and_then(|exchange| {
        let mut mode = RELAXED;
        // SAFETY: a place with a mode.
        let status = unsafe { exchange(&raw mut mode) };
        (status == 0).then_some(Before(exchange, mode))
    });
    work()
}

/// Whether the stream, of the context that is current, is captured into a graph. One that cannot be asked is taken for captured.
///
/// `CudaStream::capture_status` would take the error that waits in the context for the program.
pub(crate) fn is_capturing(stream: &CudaStream) -> bool {
    const NOT: sys::CUstreamCaptureStatus = sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE;
    let can_ask = driver::require(&["cuStreamIsCapturing"]).is_ok();
    // SAFETY: the stream is alive.
    !can_ask || unsafe { result::stream::is_capturing(stream.cu_stream()) }.ok() != Some(NOT)
}
