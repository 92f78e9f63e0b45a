//! Whether the driver may be asked something on memprof's own account, here and now.
//!
//! The one rule, for every such question (what a device has in use, what a pool holds, whether a context is alive, whose an address is):
//!
//! * never in a callback of interception, where no function of the driver may be called, but for [two questions](asked_in_its_call);
//! * never in a process that was forked from the one in which the driver was met: the driver is that one's;
//! * never once the process has begun to end;
//! * never on a thread that has begun a capture which goes on, as far as that is [known](crate::captures): interception knows of all that
//!   begin under it, a tracked stream of its own. A capture that a program begins through cudarc or the driver alone, without interception,
//!   nobody tells of, and no function of the driver says whether a thread captures;
//! * and always in [relaxed mode](crate::relaxed), in which a question disturbs no capture, known or not.
//!
//! What the program itself calls, as beginning interception, asks in relaxed mode whatever it needs.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{captures, ending, events, relaxed};

/// Why the driver may not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Within a call of the driver.
    InItsCall,
    /// The process ends.
    Ending,
    /// The driver is that of the process which this one was forked from.
    Forked,
    /// This thread captures a stream.
    Capturing,
}

/// The process in which the driver was met; 0: in none.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// The driver has started, in this process, or in one that it was forked from.
pub(crate) fn driver_met() {
    if PROCESS.load(Ordering::Relaxed) == 0 {
        let _known_already = PROCESS.compare_exchange(0, process::id(), Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Why nothing may be asked here and now, if so.
pub(crate) fn refusal() -> Option<Refusal> {
    if events::is_in_callback() {
        return Some(Refusal::InItsCall);
    }
    refusal_anywhere().or_else(|| captures::has_this_thread().then_some(Refusal::Capturing))
}

/// Why nothing may be asked, wherever that is.
fn refusal_anywhere() -> Option<Refusal> {
    let met = PROCESS.load(Ordering::Relaxed);
    if met != 0 && met != process::id() {
        Some(Refusal::Forked)
    } else {
        ending::has_begun().then_some(Refusal::Ending)
    }
}

/// What `ask` hears from the driver, in relaxed mode, if it may be asked.
///
/// # Errors
///
/// Why it may not.
pub(crate) fn asked<R>(ask: impl FnOnce() -> R) -> Result<R, Refusal> {
    refusal().map_or_else(|| Ok(relaxed::while_relaxed(ask)), Err)
}

/// What `ask` hears in a callback of interception, once the call that is shown is over. Two questions are put there, which can be put nowhere
/// else: where a pool is that came unseen, and whether a primary context that was released is active still. On a thread that captures too: a
/// question in relaxed mode disturbs no capture, and what allocates there is counted. `None`: it may not be asked.
pub(crate) fn asked_in_its_call<R>(ask: impl FnOnce() -> R) -> Option<R> {
    refusal_anywhere().is_none().then(|| relaxed::while_relaxed(ask))
}
