//! Which streams are being captured into a graph, as far as calls have shown, and on which thread that began.
//!
//! Two tell: interception, which sees every capture that begins while it is on, and a tracked stream, of its own. What is allocated on such
//! a stream is the graph's, and takes no memory before the graph is launched; and on the thread that captures the driver is
//! [not asked](crate::asking).
//!
//! A stream that another one's event has drawn into a capture is not known: what is allocated on it counts until it is freed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use cudarc::driver::CudaStream;
use memprof_core::__allocator::blind;

use crate::relaxed;

/// A stream. Default streams have one handle for all, so they are told apart by the thread and by the context that is current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stream {
    handle: u64,
    /// 0 and 0 for a stream that was made.
    of: (u64, u64),
}

/// A capture that goes on.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    stream: Stream,
    /// The context of the stream, whose end ends it.
    context: u64,
    /// The thread on which it began.
    thread: u64,
    /// Whether interception sees it, and so its end.
    is_seen: bool,
    /// The stream, if a tracked one has told: it can be asked.
    asked: Option<Weak<CudaStream>>,
}

static CAPTURES: Mutex<Vec<Capture>> = Mutex::new(Vec::new());
/// As many as [`CAPTURES`]: where none is, no lock is taken.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Handles that mean the default stream, or the thread's: `CU_STREAM_LEGACY` and `CU_STREAM_PER_THREAD` are 1 and 2.
const NO_HANDLES: core::ops::RangeInclusive<u64> = 0..=2;

thread_local! {
    /// A number that no other thread has, or has had. Without a destructor.
    static THREAD: u64 = {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

fn thread() -> u64 {
    THREAD.with(|thread| *thread)
}

fn stream(handle: u64, context: u64) -> Stream {
    Stream { handle, of: if NO_HANDLES.contains(&handle) { (thread(), context) } else { (0, 0) } }
}

/// All captures, until this is dropped; then [`COUNT`] is right again.
struct All(MutexGuard<'static, Vec<Capture>>);

impl All {
    fn lock() -> Self {
        Self(CAPTURES.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes those out of which `ends` says so.
    fn take(&mut self, mut ends: impl FnMut(&Capture) -> bool) -> Vec<Capture> {
        let _blind = blind();
        self.0.extract_if(.., |capture| ends(capture)).collect()
    }
}

impl Drop for All {
    fn drop(&mut self) {
        COUNT.store(self.0.len(), Ordering::Release);
    }
}

/// Whether there is none: the usual case, which takes no lock.
fn none() -> bool {
    COUNT.load(Ordering::Acquire) == 0
}

fn add(capture: Capture) {
    let _blind = blind();
    let mut all = All::lock();
    let known = all.0.iter_mut().find(|known| known.stream == capture.stream);
    match known {
        // Both have told, or one of an earlier capture that ended unseen.
        Some(known) => {
            let (is_seen, asked) = (known.is_seen || capture.is_seen, capture.asked.clone().or(known.asked.take()));
            *known = Capture { is_seen, asked, ..capture };
        }
        None => all.0.push(capture),
    }
}

/// Interception sees that a capture of this stream has begun. `context`: the stream's.
pub(crate) fn begun(handle: u64, context: u64) {
    add(Capture { stream: stream(handle, context), context, thread: thread(), is_seen: true, asked: None });
}

/// A tracked stream has begun its own capture. How that ends it is asked when that matters: it may be ended through cudarc's own.
pub(crate) fn begun_tracked(of: &Arc<CudaStream>) {
    let (handle, context) = (of.cu_stream().addr() as u64, of.context().cu_ctx().addr() as u64);
    let asked = Some(Arc::downgrade(of));
    add(Capture { stream: stream(handle, context), context, thread: thread(), is_seen: false, asked });
}

/// It is about to end, with a graph or without. What it was, for [`goes_on`].
pub(crate) fn ending(handle: u64, context: u64) -> Option<Capture> {
    if none() {
        return None;
    }
    let stream = stream(handle, context);
    All::lock().take(|capture| capture.stream == stream).pop()
}

/// They did not end.
pub(crate) fn go_on(captures: impl IntoIterator<Item = Capture>) {
    captures.into_iter().for_each(add);
}

/// A stream is gone, or one was made: whatever had its handle before is not captured any more.
pub(crate) fn stream_gone(handle: u64) {
    if !none() {
        drop(All::lock().take(|capture| capture.stream.handle == handle && capture.stream.of == (0, 0)));
    }
}

/// A context is about to end, and all its streams with it. What they were captured into, for [`go_on`].
pub(crate) fn context_ending(context: u64) -> Vec<Capture> {
    if none() { Vec::new() } else { All::lock().take(|capture| capture.context == context) }
}

/// Whether interception sees that this stream is being captured.
pub(crate) fn is_capturing(handle: u64, context: u64) -> bool {
    !none() && {
        let stream = stream(handle, context);
        All::lock().0.iter().any(|capture| capture.is_seen && capture.stream == stream)
    }
}

/// Whether a capture that a tracked stream has told of goes on, as that says itself: a question that a capture allows. The stream is held
/// here meanwhile, perhaps as the last one, so no lock may be.
fn goes_on(asked: &Weak<CudaStream>) -> bool {
    asked.upgrade().is_some_and(|stream| relaxed::is_capturing(&stream))
}

/// Whether this thread has begun a capture that goes on, as far as is known.
pub(crate) fn has_this_thread() -> bool {
    if none() {
        return false;
    }
    let _blind = blind();
    let thread = thread();
    let own: Vec<Capture> = All::lock().0.iter().filter(|capture| capture.thread == thread).cloned().collect();
    own.into_iter().any(|capture| {
        if capture.is_seen || capture.asked.as_ref().is_some_and(goes_on) {
            return true;
        }
        drop(All::lock().take(|known| known.stream == capture.stream && !known.is_seen));
        false
    })
}

/// Interception begins: it sees the ends of those that go on. What it saw when it was on before may have ended since.
pub(crate) fn interception_begins() {
    interception_ends();
    if none() {
        return;
    }
    let _blind = blind();
    let told: Vec<Capture> = All::lock().0.clone();
    for capture in told {
        let goes_on = capture.asked.as_ref().is_some_and(goes_on);
        let mut all = All::lock();
        let Some(place) = all.0.iter().position(|known| known.stream == capture.stream) else { continue };
        if goes_on {
            all.0[place].is_seen = true;
        } else {
            all.0.swap_remove(place);
        }
    }
}

/// Interception is over: what it has seen, it does not see end.
pub(crate) fn interception_ends() {
    let mut all = All::lock();
    drop(all.take(|capture| capture.asked.is_none()));
    all.0.iter_mut().for_each(|capture| capture.is_seen = false);
}

#[cfg(test)]
mod tests {
    use super::{begun, context_ending, ending, go_on, has_this_thread, is_capturing, stream_gone};

    #[test]
    fn a_default_stream_is_captured_on_its_thread_in_its_context_alone() {
        begun(2, 0xC0);
        begun(0x9000, 0xC0);
        let elsewhere = std::thread::spawn(|| (is_capturing(2, 0xC0), is_capturing(0x9000, 0xC1), has_this_thread()));
        assert_eq!(elsewhere.join().ok(), Some((false, true, false)));
        assert!(is_capturing(2, 0xC0) && !is_capturing(2, 0xC1) && has_this_thread());
        let ended = ending(2, 0xC0);
        assert!(!is_capturing(2, 0xC0));
        go_on(ended);
        assert!(is_capturing(2, 0xC0), "its end was refused");
        assert_eq!(context_ending(0xC0).len(), 2);
        assert!(!is_capturing(2, 0xC0) && !is_capturing(0x9000, 0xC0) && !has_this_thread());
    }

    #[test]
    fn a_handle_that_comes_again_is_not_captured() {
        begun(0x9100, 0xC2);
        stream_gone(0x9100);
        assert!(!is_capturing(0x9100, 0xC2));
    }
}
