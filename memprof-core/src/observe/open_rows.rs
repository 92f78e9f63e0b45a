//! The open scopes of one thread, counted as if they ended now.
//!
//! The copy of what is open and the rows of the same paths are taken at one moment: a scope that is left meanwhile
//! would be in both, or in neither. Ending the frames of the copy is left to
//! [`open_frames`](crate::share::open_frames), which `counters` asks as well.
//!
//! If the thread leaves a scope between the two readings:
//!
//! | read first | then | the scope is |
//! |---|---|---|
//! | what is open | the row, after it was left | counted twice |
//! | the row | what is open, after it was left | not counted |
//! | both at one moment | | counted once |

use std::collections::BTreeMap;

use crate::base::tally::Tally;
use crate::lanes::activation::Activation;
use crate::lanes::kind::Kind;
use crate::share::ambient;
use crate::share::open_frames::{Ended, Stack};
use crate::space::spaces::Space;
use crate::thread::ledger::Ledger;
use crate::thread::row::Row;
use crate::thread::slot::Slot;

use super::sums::{PathSums, TRIES};

/// The rows, in one space, of the paths that are open on one thread.
pub(super) struct OpenScopes {
    /// Few, so that asking for a path that is not open costs next to nothing.
    pub(super) rows: BTreeMap<usize, PathSums>,
    /// The futures that are being polled there.
    pub(super) polled: Vec<&'static Activation>,
    /// Whether they were read at one moment. If not, they hold what was ended.
    pub(super) whole: bool,
}

impl OpenScopes {
    /// Reads what is open on a thread in a space, and the rows of those paths. Where that could not be done at one
    /// moment, there are no rows here, and the rows alone are read later.
    pub(super) fn read(slot: &'static Slot, space: Space, ledger: &'static Ledger) -> Self {
        let ((stack, rows), whole) = slot.read(ledger, TRIES, || {
            let stack = Stack::of(slot, space, ledger);
            let row = |path| ledger.rows.get(path).map(Row::copy).unwrap_or_default();
            let rows: Vec<_> = stack.paths().map(|path| (path, row(path))).collect();
            (stack, rows)
        });
        let mut open = Self { rows: BTreeMap::new(), polled: Vec::new(), whole };
        if whole {
            // A loop, which a thread with a small stack has the room for.
            for (path, row) in &rows {
                open.rows.insert(*path, PathSums::of(row));
            }
            stack.end(space, ambient::inside).iter().for_each(|ended| open.add(space, ended));
        }
        open
    }

    /// Adds one frame as if it had ended now. Frames that make no row of their own are left out: the base,
    /// contexts, ambient scopes, whose sums are told by [`ambient`].
    fn add(&mut self, space: Space, ended: &Ended) {
        let Some(row) = self.rows.get_mut(&ended.path) else { return };
        match ended.kind() {
            Kind::Scope => row.add_open(&ended.tally, ended.flags),
            Kind::Poll => {
                row.add_poll(&ended.tally, ended.flags);
                // One whose poll has ended meanwhile is asked as those are that nobody polls.
                if let Some(whole) = ended.whole_future(space) {
                    row.end_future(&whole, &Tally::default());
                    self.polled.push(ended.frame.future.get());
                }
            }
            Kind::Base | Kind::Context | Kind::Ambient => {}
        }
    }
}
