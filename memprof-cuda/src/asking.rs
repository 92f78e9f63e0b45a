//! Whether the driver may be asked something on memprof's own account, here and now.
//!
//! The one rule, for every such question (what a device has in use, what a pool holds, whether a context is alive, whose an address is):
//!
//! * never in a callback of interception, where no function of the driver may be called; there is [one exception](crate::intercept);
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
    let met = PROCESS.load(Ordering::Relaxed);
    if events::is_in_callback() {
        Some(Refusal::InItsCall)
    } else if met != 0 && met != process::id() {
        Some(Refusal::Forked)
    } else if ending::has_begun() {
        Some(Refusal::Ending)
    } else {
        captures::has_this_thread().then_some(Refusal::Capturing)
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
