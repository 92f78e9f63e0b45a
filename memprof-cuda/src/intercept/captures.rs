//! Which streams are being captured into a graph, as far as calls have shown: what is allocated on them is the graph's, and takes
//! no memory before the graph is launched.
//!
//! A stream that another one's event has drawn into a capture is not known: what is allocated on it counts until it is freed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use memprof_core::__allocator::blind;

/// A stream; those that have a handle for each thread, by that and the thread.
type Stream = (u64, usize);

static CAPTURING: Mutex<Vec<Stream>> = Mutex::new(Vec::new());
/// As many as [`CAPTURING`]: where none is, no lock is taken.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Handles that mean the default stream, or the thread's: `CU_STREAM_LEGACY` and `CU_STREAM_PER_THREAD` are 1 and 2.
const NO_HANDLES: core::ops::RangeInclusive<u64> = 0..=2;

thread_local! {
    /// Its address tells this thread from all others.
    static THREAD: u8 = const { 0 };
}

fn stream(handle: u64) -> Stream {
    let thread =
        if NO_HANDLES.contains(&handle) { THREAD.with(|thread| core::ptr::from_ref(thread).addr()) } else { 0 };
    (handle, thread)
}

fn capturing() -> MutexGuard<'static, Vec<Stream>> {
    CAPTURING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A capture of this stream has begun.
pub(super) fn begun(handle: u64) {
    let _blind = blind();
    let (mut all, stream) = (capturing(), stream(handle));
    if !all.contains(&stream) {
        all.push(stream);
        COUNT.store(all.len(), Ordering::Release);
    }
}

/// It has ended, with a graph or without.
pub(super) fn ended(handle: u64) {
    let (mut all, stream) = (capturing(), stream(handle));
    all.retain(|other| *other != stream);
    COUNT.store(all.len(), Ordering::Release);
}

/// Whether this stream is being captured.
pub(super) fn is_capturing(handle: u64) -> bool {
    COUNT.load(Ordering::Acquire) > 0 && capturing().contains(&stream(handle))
}

/// Interception begins: what was captured before is not known.
pub(super) fn prepare() {
    let mut all = capturing();
    all.clear();
    COUNT.store(0, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::{begun, ended, is_capturing};

    #[test]
    fn a_thread_s_own_stream_is_captured_on_that_thread_alone() {
        begun(2);
        begun(0x9000);
        let elsewhere = std::thread::spawn(|| (is_capturing(2), is_capturing(0x9000))).join();
        assert_eq!(elsewhere.ok(), Some((false, true)));
        assert!(is_capturing(2));
        ended(2);
        ended(0x9000);
        assert!(!is_capturing(2) && !is_capturing(0x9000));
    }
}
