//! What the open scopes of a thread would have recorded if they ended now.
//!
//! A [`Stack`] is a copy of what a thread has open in one space: the sums of its ledger, the entries, the frames.
//! [`Stack::end`] goes through it from the top down and does to the copy what leaving each frame would do to the
//! ledger, with what came in under contexts. Both [`counters`](crate::api::scope::counters) and snapshots ask here,
//! so the two agree.
//!
//! | leaving does, to the thread's own ledger | ending does, to the copy |
//! |---|---|
//! | charges what was handed over ([`settle`](super::settle)) | `Ending::charge` |
//! | takes in what came under contexts ([`absorb`](super::publish::absorb)) | `OpenFrame::complete`, `Ending::correct` |
//! | merges the frame's entry with the one below | `Ending::merge_entries` |
//! | forgets what a context recorded, as it is given away | `Ending::forget` |
//!
//! The left column changes numbers that events go on changing, and the right one numbers that nobody else has; the
//! two are compared by a test on random programs (`tests.rs` beside this), and both with the contract on plain
//! values.

use core::sync::atomic::{Ordering, fence};

use crate::base::tally::Tally;
use crate::lanes::account::Account;
use crate::lanes::captured::Shared;
use crate::lanes::kind::{Kind, hides};
use crate::lanes::pending::HandOver;
use crate::share::publish::before_poll;
use crate::space::spaces::Space;
use crate::thread::frame::Frame;
use crate::thread::ledger::{Entry, Ledger, Sums, Watermarks};
use crate::thread::slot::Slot;

/// What ambient scopes that were opened in a captured scope recorded so far:
/// [`ambient::inside`](crate::share::ambient::inside).
pub(crate) type Inside = fn(&Shared, Space) -> Tally;

/// A copy of what is open on a thread in one space, to be taken whole.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Stack {
    /// The sums of the ledger.
    now: Sums,
    /// What the innermost entry reached at most.
    most: Watermarks,
    /// From the top down, as the frames.
    entries: Vec<Entered>,
    frames: Vec<OpenFrame>,
    /// Hand-overs that are on their way, each with the frame that they are charged to; from the top down.
    waiting: Vec<(At, HandOver)>,
}

/// A frame as it was copied.
#[derive(Clone, Copy, Debug, PartialEq)]
struct OpenFrame {
    frame: At,
    serial: u64,
    path: usize,
    flags: u64,
}

/// Equal to itself only.
#[derive(Clone, Copy)]
struct At(&'static Frame);

impl PartialEq for At {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.0, other.0)
    }
}

impl core::fmt::Debug for At {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "frame {}", self.0.depth())
    }
}

/// A frame with what it would have recorded.
pub(crate) struct Ended {
    pub(crate) frame: &'static Frame,
    serial: u64,
    pub(crate) path: usize,
    pub(crate) flags: u64,
    pub(crate) tally: Tally,
}

/// An entry as it was copied.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entered {
    at: Sums,
    saved: Watermarks,
    depth: u64,
}

impl Entered {
    /// From the top down: what an entry has not kept stands in `seldom`.
    fn of(entry: &Entry, seldom: &mut [u64; 2]) -> Self {
        let at = entry.sums(*seldom);
        *seldom = [at.reallocs, at.failed];
        Self { at, saved: entry.saved(), depth: entry.frame.get().map_or(0, Frame::depth) }
    }
}

impl Stack {
    /// Copies what is open on a thread; another thread makes sure that it was copied at one moment.
    pub(crate) fn of(slot: &'static Slot, space: Space, ledger: &'static Ledger) -> Self {
        let frames = core::iter::successors(Some(slot.top()), |frame| frame.below());
        let now = ledger.sums();
        let mut seldom = [now.reallocs, now.failed];
        Self {
            now,
            most: ledger.reached(),
            entries: ledger.entries().map(|entry| Entered::of(entry, &mut seldom)).collect(),
            frames: frames
                .map(|frame| OpenFrame {
                    frame: At(frame),
                    serial: frame.serial(),
                    path: frame.path().index(),
                    flags: frame.flags.get(),
                })
                .collect(),
            waiting: Self::waiting(slot, space),
        }
    }

    /// A loop, which a thread with a small stack has the room for.
    fn waiting(slot: &'static Slot, space: Space) -> Vec<(At, HandOver)> {
        let mut waiting = Vec::new();
        for segment in slot.segments() {
            let hand_over = segment.lane.waiting(space);
            if hand_over != HandOver::default() {
                waiting.push((At(segment.innermost), hand_over));
            }
        }
        waiting
    }

    /// The frames, from the top down.
    pub(crate) fn paths(&self) -> impl Iterator<Item = usize> {
        self.frames.iter().map(|open| open.path)
    }

    /// What `frame` would have recorded if it ended now.
    pub(crate) fn end_of(self, frame: &Frame, space: Space, inside: Inside) -> Option<Tally> {
        self.end(space, inside).iter().find(|ended| core::ptr::eq(ended.frame, frame)).map(|ended| ended.tally)
    }

    /// Ends every frame, from the top down.
    pub(crate) fn end(self, space: Space, inside: Inside) -> Vec<Ended> {
        let mut ended = Vec::with_capacity(self.frames.len());
        let mut ending =
            Ending { now: self.now, most: self.most, entry: None, unfinished: [0; 2], entries: 0, waiting: 0 };
        for (depth, open) in (0..self.frames.len() as u64).rev().zip(&self.frames) {
            ending.merge_entries(&self.entries, depth);
            ending.charge(&self.waiting, open, depth);
            let mut tally = ending.tally();
            if let Some(whole) = open.complete(space, &tally, inside, &mut ending.unfinished) {
                ending.correct(&mut tally, &whole, depth);
            }
            ended.push(Ended { frame: open.frame.0, serial: open.serial, path: open.path, flags: open.flags, tally });
            if hides(open.flags) {
                ending.forget();
            }
        }
        ended
    }
}

/// A stack that is ended frame by frame. In steps, each of which a thread with a small stack has the room for.
struct Ending {
    /// The sums; each frame that is ended leaves them to the one below.
    now: Sums,
    most: Watermarks,
    /// That of the frame, or of one above it that left it to its parent, which had none.
    entry: Option<Entered>,
    /// What threads hold that are still under a context captured in the frame, or above it.
    unfinished: [i64; 2],
    /// How many entries, and how many hand-overs, are done with.
    entries: usize,
    waiting: usize,
}

impl Ending {
    /// Goes on with the entry of the frame, if it has one: what those above it reached was reached in it.
    fn merge_entries(&mut self, entries: &[Entered], depth: u64) {
        let Some(own) = entries.get(self.entries).filter(|entry| entry.depth >= depth) else { return };
        self.entries += 1;
        if let Some(merged) = self.entry.replace(*own) {
            self.most.raise(&merged.saved);
        }
    }

    /// Charges what was handed over to the frame and waits. What was reached until now counts with the value before it.
    fn charge(&mut self, waiting: &[(At, HandOver)], open: &OpenFrame, depth: u64) {
        let Some((_, hand_over)) = waiting.get(self.waiting).filter(|(innermost, _)| *innermost == open.frame) else {
            return;
        };
        self.waiting += 1;
        if self.entry.is_none() {
            self.entry = Some(Entered { at: self.now, saved: self.most, depth });
            self.most = Watermarks { peak: self.now.level, largest: 0 };
        }
        let [bytes, blocks] = hand_over.to_level();
        self.now.level = [self.now.level[0] + bytes, self.now.level[1] + blocks];
    }

    /// What the frame recorded since its entry; nothing if it has none, as nothing happened in it.
    fn tally(&self) -> Tally {
        self.entry.map(|entry| self.now.tally_since(&entry.at, &self.most)).unwrap_or_default()
    }

    /// What the frame recorded is not `tally` but `whole`.
    fn correct(&mut self, tally: &mut Tally, whole: &Tally, depth: u64) {
        if tally == whole {
            return;
        }
        let entered = *self.entry.get_or_insert(Entered { at: self.now, saved: self.most, depth });
        self.now.correct(tally, whole);
        let [bytes, blocks] = entered.at.level;
        let peak = [bytes + whole.counters.peak_bytes, blocks + whole.counters.peak_blocks];
        self.most = Watermarks { peak, largest: whole.largest };
        *tally = *whole;
    }

    /// What is further down sees nothing of this.
    fn forget(&mut self) {
        self.unfinished = [0; 2];
        if let Some(entry) = self.entry.take() {
            (self.now, self.most) = (entry.at, entry.saved);
        }
    }
}

impl OpenFrame {
    /// `tally` with what came in under the context captured at this frame, if it was and is still open.
    fn complete(&self, space: Space, tally: &Tally, inside: Inside, unfinished: &mut [i64; 2]) -> Option<Tally> {
        let frame = self.frame.0;
        if hides(self.flags) || frame.serial() != self.serial {
            return None;
        }
        let shared = frame.shared()?;
        let ambient = inside(&shared, space);
        Some(shared.complete(space, tally, &before_poll(frame, space).counters, &ambient, unfinished))
    }
}

impl Ended {
    /// What the frame stood for when it was copied.
    pub(crate) fn kind(&self) -> Kind {
        Kind::of(self.flags)
    }

    /// What the future recorded with this poll, as long as the poll goes on.
    pub(crate) fn whole_future(&self, space: Space) -> Option<Account> {
        let (_, mut sum) = self.frame.future.get().account(space)?;
        // A poll is over before it is folded in, so one that is not over was not.
        fence(Ordering::Acquire);
        if self.serial == 0 || self.frame.serial() != self.serial {
            return None;
        }
        sum.fold(&self.tally, self.flags);
        Some(sum)
    }
}

#[cfg(test)]
mod tests;
