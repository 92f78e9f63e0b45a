//! Which slot this thread writes to.
//!
//! One `const` thread-local pointer without a destructor: reading it costs an instruction, and it can be read while
//! the thread's other thread-locals are being destroyed. It leads to an empty slot before the first event, while the recorder works
//! ([`hide`]), and for good after the thread gave its slot back.

use core::cell::Cell;

use crate::base::memory::Known;
use crate::process::fork::{self, Inside};
use crate::scope::plain;
use crate::thread::slot::{NO_SLOT, Slot};

thread_local! {
    /// The slot that events go to without further ado.
    static CURRENT: Known<Slot> = const { Known::new(&NO_SLOT) };
    /// The slot that the thread has, hidden or not.
    static OWN: Cell<Option<&'static Slot>> = const { Cell::new(None) };
    static HIDDEN: Cell<u32> = const { Cell::new(0) };
    static ENDED: Cell<bool> = const { Cell::new(false) };
    /// Gives the slot back when the thread ends.
    static LEASE: Lease = const { Lease };
}

struct Lease;

impl Drop for Lease {
    fn drop(&mut self) {
        ENDED.set(true);
        let Some(slot) = OWN.get() else { return };
        set_current(Some(slot));
        plain::leave_all(slot);
        set_current(None);
        OWN.set(None);
        slot.give_back();
    }
}

/// Where an event of this thread goes.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Slot(&'static Slot),
    /// Nowhere: the recorder is at work.
    Hidden,
    /// To the record that ended threads share.
    Ended,
}

/// The slot; one where nothing is ready if the thread has none or is hidden.
#[inline(always)]
pub(crate) fn current() -> &'static Slot {
    Known::of_thread(&CURRENT)
}

fn set_current(slot: Option<&'static Slot>) {
    CURRENT.with(|current| current.set(slot.unwrap_or(&NO_SLOT)));
}

/// Where an event of this thread goes; takes a slot if the thread has none yet.
#[cold]
pub(crate) fn place() -> Place {
    if HIDDEN.get() > 0 {
        return Place::Hidden;
    }
    if let Some(slot) = OWN.get() {
        return Place::Slot(slot);
    }
    if ENDED.get() {
        return Place::Ended;
    }
    // Registering the destructor may allocate, and so may making the slot.
    let hidden = hide();
    let taken = if LEASE.try_with(|_| ()).is_ok() { Slot::take() } else { None };
    OWN.set(taken);
    unhide(&hidden);
    taken.map_or(Place::Ended, Place::Slot)
}

/// Whether the recorder is at work on this thread.
pub(crate) fn is_hidden() -> bool {
    HIDDEN.get() > 0
}

/// What [`unhide`] wants back, so that the two come in pairs.
pub(crate) struct Hidden {
    /// Set by the outermost of nested calls.
    gate: Option<&'static Inside>,
}

/// Hides this thread from the recorder. Calls nest.
pub(crate) fn hide() -> Hidden {
    let depth = HIDDEN.get();
    HIDDEN.set(depth + 1);
    set_current(None);
    Hidden { gate: (depth == 0).then(|| fork::pass_in(OWN.get())) }
}

pub(crate) fn unhide(hidden: &Hidden) {
    HIDDEN.set(HIDDEN.get() - 1);
    if let Some(inside) = hidden.gate {
        fork::pass_out(inside);
        set_current(OWN.get());
    }
}

/// The slot of this thread, also while it is hidden.
pub(crate) fn own() -> Option<&'static Slot> {
    OWN.get()
}
