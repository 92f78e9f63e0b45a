//! Where an event of this thread is counted, for allocators other than the global one.

use crate::events::blocks::Target;
use crate::process::ready::{has_ended, ready};
use crate::space::spaces::Space;
use crate::thread::slot::Slot;

/// Where an event of this thread in a space is counted; `None` if it is not.
pub(crate) fn target(space: Space) -> Option<Target> {
    if let Some(slot) = ready() {
        return slot.ledger(space).map(|_| Target::Slot(slot));
    }
    has_ended().then(|| Target::Ended(Slot::ended()))
}
