//! What a capture of a stream is, and a thread's mode.
//!
//! Which calls a mode prohibits to whom is CUDA's rule, and here alone ([`Capture::prohibits`]); which calls are
//! potentially unsafe, and what becomes of a capture that one meets, is left to [`captures`](super::captures).

use std::cell::Cell;

/// `CUstreamCaptureMode`
pub(crate) const GLOBAL: u32 = 0; // cuda: CU_STREAM_CAPTURE_MODE_GLOBAL
pub(crate) const RELAXED: u32 = 2; // cuda: CU_STREAM_CAPTURE_MODE_RELAXED

thread_local! {
    /// The thread's mode: "`CU_STREAM_CAPTURE_MODE_GLOBAL`: This is the default mode" (cuda.h 13.5:17457). Its address tells threads apart.
    static MODE: Cell<u32> = const { Cell::new(GLOBAL) };
}

/// The calling thread.
pub(crate) fn thread() -> usize {
    MODE.with(|mode| std::ptr::from_ref(mode).addr())
}

/// The calling thread's mode.
pub(crate) fn mode() -> u32 {
    MODE.get()
}

/// Sets it, and gives the one before.
pub(crate) fn exchange_mode(mode: u32) -> u32 {
    MODE.replace(mode)
}

/// A capture that goes on.
pub(crate) struct Capture {
    /// The mode that it was begun in.
    pub(crate) mode: u32,
    /// The thread that began it.
    pub(crate) thread: usize,
    /// The stream that it was begun on.
    pub(crate) origin: usize,
    /// The graph that it makes.
    pub(crate) graph: usize,
    /// Whether it has made that graph itself.
    pub(crate) is_own: bool,
    /// "An error has invalidated the capture sequence" (cuda.h 13.5, `cuStreamIsCapturing`).
    pub(crate) is_invalid: bool,
}

impl Capture {
    /// Whether it prohibits the calling thread potentially unsafe calls (cuda.h 13.5:17457-17470).
    pub(crate) fn prohibits(&self) -> bool {
        let mode = mode();
        if mode == RELAXED || self.mode == RELAXED {
            return false;
        }
        self.thread == thread() || (mode == GLOBAL && self.mode == GLOBAL)
    }
}
