//! Which slot this thread writes to.
//!
//! Who gives a thread its slot, and takes it back, is left to `process/ready`.
//!
//! One `const` thread-local pointer without a destructor: reading it costs an instruction, and it can be read while
//! the thread's other thread-locals are being destroyed. It leads to an empty slot before the first event, while the thread is
//! [`blind`], and for good after the thread gave its slot back.

use core::cell::Cell;

use crate::base::blind::{self, Cover};
use crate::base::gate::Inside;
use crate::base::memory::AtomicRef;
use crate::thread::slot::{NO_SLOT, Slot};

thread_local! {
    /// The slot that events go to if they need nothing looked up or done first.
    static CURRENT: AtomicRef<Slot> = const { AtomicRef::new(&NO_SLOT) };
    /// The slot that the thread has, blind or not.
    static OWN: Cell<Option<&'static Slot>> = const { Cell::new(None) };
}

/// The slot; one where nothing is ready if the thread has none or is blind.
#[inline(always)]
pub(crate) fn current() -> &'static Slot {
    AtomicRef::of_thread(&CURRENT)
}

/// Sets where events go that need nothing done first; `None` sends each to its slow path.
pub(crate) fn set_current(slot: Option<&'static Slot>) {
    CURRENT.with(|current| current.set(slot.unwrap_or(&NO_SLOT)));
}

impl Cover for Slot {
    fn cover(&'static self) {
        set_current(None);
    }

    fn uncover(&'static self) {
        set_current(Some(self));
    }

    fn gate(&'static self) -> &'static Inside {
        &self.inside
    }
}

/// Sets the slot that the thread has.
pub(crate) fn set_own(slot: Option<&'static Slot>) {
    OWN.set(slot);
    blind::set_covered(slot.map(|slot| slot as &dyn Cover));
}

/// The slot in which scopes that are open now were entered: that of this thread, or the one aside for a signal handler that
/// interrupts a change of it.
#[inline]
pub(crate) fn recording() -> Option<&'static Slot> {
    let slot = own()?;
    if slot.top.change().is_none() { Some(slot) } else { slot.aside.get() }
}

/// The slot of this thread, also while it is blind.
#[inline]
pub(crate) fn own() -> Option<&'static Slot> {
    OWN.get()
}
