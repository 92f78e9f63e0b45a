//! Which slot this thread writes to.
//!
//! One `const` thread-local pointer without a destructor: reading it costs an instruction, and it can be read while
//! the thread's other thread-locals are being destroyed. It leads to an empty slot before the first event, while the thread is
//! [`blind`], and for good after the thread gave its slot back.

use core::cell::Cell;

use crate::base::blind::{self, Cover};
use crate::base::gate::Inside;
use crate::base::memory::Known;
use crate::scope::plain;
use crate::thread::slot::{NO_SLOT, Slot};

thread_local! {
    /// The slot that events go to without further ado.
    static CURRENT: Known<Slot> = const { Known::new(&NO_SLOT) };
    /// The slot that the thread has, blind or not.
    static OWN: Cell<Option<&'static Slot>> = const { Cell::new(None) };
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
        set_own(None);
        slot.give_back();
    }
}

/// Where an event of this thread goes.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Slot(&'static Slot),
    /// Nowhere: the recorder is at work.
    Blind,
    /// To the record that ended threads share.
    Ended,
}

/// The slot; one where nothing is ready if the thread has none or is blind.
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
    if blind::is_blind() {
        return Place::Blind;
    }
    if let Some(slot) = OWN.get() {
        return Place::Slot(slot);
    }
    if ENDED.get() {
        return Place::Ended;
    }
    // Registering the destructor may allocate, and so may making the slot.
    let blind = blind::enter();
    let taken = if LEASE.try_with(|_| ()).is_ok() { Slot::take() } else { None };
    set_own(taken);
    drop(blind);
    taken.map_or(Place::Ended, Place::Slot)
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
fn set_own(slot: Option<&'static Slot>) {
    OWN.set(slot);
    blind::set_covered(slot.map(|slot| slot as &dyn Cover));
}

/// The slot of this thread, also while it is blind.
pub(crate) fn own() -> Option<&'static Slot> {
    OWN.get()
}
