//! Which of several tracked resources over one another reports: the outermost one of a space.

use std::cell::RefCell;

use memprof_core::__allocator::blind;
use memprof_core::Space;

thread_local! {
    /// The spaces for which a resource is reporting on this thread.
    static REPORTING: RefCell<Vec<Space>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, what is below on this thread does not report to its space.
pub(super) struct Reporting;

impl Reporting {
    /// `None` where a resource above reports already, or the thread is about to end.
    pub(super) fn begin(space: Space) -> Option<Self> {
        let begin = |spaces: &RefCell<Vec<Space>>| {
            let mut spaces = spaces.try_borrow_mut().ok()?;
            if spaces.contains(&space) {
                return None;
            }
            let _blind = blind();
            spaces.push(space);
            Some(Self)
        };
        REPORTING.try_with(begin).ok().flatten()
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        let _ = REPORTING.try_with(|spaces| spaces.try_borrow_mut().map(|mut spaces| spaces.pop()));
    }
}
