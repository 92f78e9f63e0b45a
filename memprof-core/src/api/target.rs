//! Where an event of this thread is counted, for allocators other than the global one.
//!
//! An event of the global allocator finds its slot by itself ([`host`](crate::api::host)), as it may not wait or
//! allocate. Those of all other spaces come by here: they take a lock for the space's mark anyway, and may make a
//! ledger for the space.

use crate::events::blocks::Target;
use crate::process::ready::{has_ended, ready};
use crate::space::spaces::Space;
use crate::thread::slot::Slot;

/// Where an event of this thread in a space is counted; `None` if it is not.
///
/// `None` while memprof is off or the thread is blind, and where there is no memory for the space's ledger. A
/// thread that has ended counts in the record that all such threads share.
pub(crate) fn target(space: Space) -> Option<Target> {
    if let Some(slot) = ready() {
        return slot.ledger(space).map(|_| Target::Slot(slot));
    }
    has_ended().then(|| Target::Ended(Slot::ended()))
}
