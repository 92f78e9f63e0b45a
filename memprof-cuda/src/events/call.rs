//! The call of a wrapper that this thread is in: who records it, and what interception has seen of it.
//!
//! Who records is fixed when the outermost call begins, and holds for all within it, also where interception begins or
//! ends meanwhile. What the program does in the midst of one (a callback that frees, an allocator of its own) is
//! outside of it. The call has no destructor, so it is there for frees late in a thread's life; who reports has one,
//! and is asked so that a thread that ends reports nothing more. What is recorded is left to [`books`](super::books).

use std::cell::{Cell, RefCell};

use memprof_core::__allocator::blind;
use memprof_core::Space;

use super::interception::{self, counts_no_longer, leave_to_interception};

/// What there is to know of a wrapper's call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Call {
    /// Whether interception records what the driver does in it.
    pub(super) intercepted: bool,
    /// Whether a wrapper has on its books what is being freed in it.
    pub(super) frees_known: bool,
    /// How many failures interception has counted in it.
    pub(super) failures_seen: u64,
    /// Address and bytes of the block that interception recorded last in it, unless somebody tells of its free.
    pub(super) block_seen: Option<(u64, u64)>,
}

thread_local! {
    /// Without a destructor: blocks are freed late.
    static CALL: Cell<Option<Call>> = const { Cell::new(None) };
    /// The spaces for which a resource is reporting on this thread.
    static REPORTING: RefCell<Vec<Space>> = const { RefCell::new(Vec::new()) };
}

/// The call that this thread is in.
pub(super) fn current() -> Option<Call> {
    CALL.get()
}

/// Whether interception records what the driver does for this thread now.
pub(crate) fn is_intercepted() -> bool {
    current().map_or_else(interception::is_on, |call| call.intercepted)
}

/// Notes something about the call that this thread is in.
pub(super) fn note(change: impl FnOnce(&mut Call)) {
    if let Some(mut call) = CALL.get() {
        change(&mut call);
        CALL.set(Some(call));
    }
}

/// A wrapper's call, from before the driver's until it is recorded.
#[must_use]
pub(crate) struct WrapperCall {
    is_outermost: bool,
}

impl WrapperCall {
    /// Within another call, this one is part of it.
    pub(crate) fn begin() -> Self {
        let is_outermost = CALL.get().is_none();
        if is_outermost {
            CALL.set(Some(Call { intercepted: leave_to_interception(), ..Call::default() }));
        }
        Self { is_outermost }
    }

    /// What the program does in the midst of a call is no part of it: neither is it recorded as the call is, nor does
    /// anybody report around it.
    pub(crate) fn outside<R>(work: impl FnOnce() -> R) -> R {
        let reporting = REPORTING.try_with(RefCell::take).unwrap_or_default();
        let _outside = Outside { call: CALL.take(), reporting };
        work()
    }
}

/// Runs `work`, whose calls of the driver nobody records: it frees all that it allocates.
pub(crate) fn unrecorded<R>(work: impl FnOnce() -> R) -> R {
    let around = CALL.replace(Some(Call::default()));
    let done = work();
    CALL.set(around);
    done
}

impl Drop for WrapperCall {
    fn drop(&mut self) {
        if self.is_outermost && CALL.take().is_some_and(|call| call.intercepted) {
            counts_no_longer();
        }
    }
}

/// What goes on when this is dropped.
struct Outside {
    call: Option<Call>,
    reporting: Vec<Space>,
}

impl Drop for Outside {
    fn drop(&mut self) {
        CALL.set(self.call);
        let reporting = core::mem::take(&mut self.reporting);
        let _ = REPORTING.try_with(|spaces| spaces.replace(reporting));
    }
}

/// A resource that reports what is allocated for a space, the outermost one of several over one another: while it lives,
/// what is below on this thread does not report to that space.
pub(crate) struct Reporting {
    space: Space,
}

impl Reporting {
    /// `None` where a resource above reports already, or the thread is about to end.
    pub(crate) fn begin(space: Space) -> Option<Self> {
        let begin = |spaces: &RefCell<Vec<Space>>| {
            let mut spaces = spaces.borrow_mut();
            if spaces.contains(&space) {
                return None;
            }
            let _blind = blind();
            spaces.push(space);
            Some(Self { space })
        };
        REPORTING.try_with(begin).ok().flatten()
    }

    /// Does `work` for each space that a resource around it reports to.
    pub(super) fn for_each(mut work: impl FnMut(Space)) {
        let _ = REPORTING.try_with(|spaces| spaces.borrow().iter().copied().for_each(&mut work));
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        let _ = REPORTING.try_with(|spaces| spaces.borrow_mut().retain(|space| *space != self.space));
    }
}

#[cfg(test)]
mod tests {
    use memprof_core::Space;

    use super::{Reporting, WrapperCall};

    #[test]
    fn whoever_stops_reporting_first_each_stops_for_its_own_space() {
        let outer = Reporting::begin(Space::PINNED).expect("nobody reports");
        let inner = Reporting::begin(Space::MANAGED).expect("nobody reports there");
        drop(outer);
        assert!(Reporting::begin(Space::MANAGED).is_none(), "the inner one still reports");
        assert!(Reporting::begin(Space::PINNED).is_some(), "the outer one does not");
        drop(inner);
        assert!(Reporting::begin(Space::MANAGED).is_some());
    }

    #[test]
    fn outside_of_a_call_nobody_reports_and_in_it_they_go_on() {
        let reporting = Reporting::begin(Space::PINNED);
        let within = WrapperCall::outside(|| Reporting::begin(Space::PINNED).is_some());
        assert!(within && Reporting::begin(Space::PINNED).is_none());
        drop(reporting);
        assert!(Reporting::begin(Space::PINNED).is_some());
    }
}
