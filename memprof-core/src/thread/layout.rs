//! What a tracked call touches, in cache lines of 64 bytes. A program with many places goes through as many of the lines that each has of its own
//! between two calls of one, so those are what the call costs there; the others are in the first-level cache.
//!
//! | | lines | each place has its own |
//! |---|--:|---|
//! | the slot: what it was told, the top, the lane, the level | 2 | |
//! | the frame, which the next scope of that depth uses again | 2 | |
//! | the place in the cache of paths | 1, or 2 where it lies across | up to 128 |
//! | past those 128: its bucket among the paths that the thread knows ([`known`](super::known)), eight to a line | 1 | an eighth |
//! | for a way back, as in recursion: the way, two and a half to a line | 1 | about half |
//! | the calls of the path ([`CallRow`]) | 1 | yes |
//! | the outermost scope of the site ([`SiteRow`]), eight to a line | 1 | an eighth |
//! | **with an event**: the entry, which the next scope with one uses again, and the rest of the ledger | 2 + 2 | |
//! | the row of the path ([`Row`]): what events change, and what leaving adds up | 1 + 1 | yes |

use core::mem::offset_of;

use crate::base::tally::TotalCounters;
use crate::thread::frame::{CallRow, Frame, SiteRow};
use crate::thread::ledger::{Entry, Ledger};
use crate::thread::row::Row;
use crate::thread::slot::Slot;

const LINE: usize = 64;

/// How many lines a range of a value touches that begins at a line.
fn lines(from: usize, to: usize) -> usize {
    to.div_ceil(LINE) - from / LINE
}

#[test]
fn a_call_touches_these_cache_lines() {
    assert_eq!(align_of::<Slot>() % LINE, 0);
    assert_eq!(lines(0, offset_of!(Slot, host) + Ledger::HOT), 2, "what each event looks at, and each call");
    assert_eq!(align_of::<Frame>() % LINE, 0);
    assert_eq!(lines(0, Frame::HOT), 2, "a frame");
    assert_eq!((size_of::<CallRow>(), align_of::<CallRow>()), (LINE, LINE), "the calls of a path");
    assert_eq!(LINE / size_of::<SiteRow>(), 8, "sites to a line");
}

#[test]
fn an_event_touches_one_line_of_its_path_and_leaving_one_more() {
    assert_eq!((size_of::<Row>(), align_of::<Row>()), (2 * LINE, 2 * LINE), "the row of a path");
    let [first, last] = [offset_of!(Row, alloc_bytes), offset_of!(Row, epoch)];
    assert_eq!(lines(first, last + size_of::<u64>()), 1, "what events change, and the maxima");
    let sums = offset_of!(Row, sums);
    assert_eq!(lines(sums, sums + size_of::<TotalCounters>()), 1, "what leaving adds up");
    assert!(size_of::<Entry>() <= 2 * LINE, "an entry");
}
