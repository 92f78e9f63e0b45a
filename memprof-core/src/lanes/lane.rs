//! Lanes: what scopes nest in, and what owns a block's comings and goings.
//!
//! Each thread has a lane, and each task takes one from the pool at its first poll. A block's tag names the lane it
//! was allocated on, its home. A free elsewhere is a *hand-over*: it is left in the home lane's `pending` word, one
//! `fetch_add`, and the lane's owner charges it to its innermost scope before it matters.
//!
//! # When a lane goes back to the pool
//!
//! `outstanding` counts what still refers to a lane: one for each live block that carries it, and [`HOLD`] for each
//! holder (the running thread or task, a `Context` captured there, a lane that forwards to it). Whoever brings it to
//! zero returns the lane, or an end that finds nothing but its own hold. So a tag never names a lane that has become somebody else's, and memory is bounded by live
//! blocks. While a lane runs, its own allocations and frees are counted by its thread without locked instructions
//! ([`Slot::outstanding`](crate::thread::slot::Slot)) and added up when it ends; until then the owner's hold keeps the lane.
//!
//! # A lane that has ended
//!
//! If something still leads there, the [`ENDED`] bit is set by the swap that takes the last pending hand-overs, after `left_to` was set. A thread
//! that hands over adds first and looks at what stood there: if the bit was set, its addition reached nobody, and it
//! follows `left_to` instead. The bit and the counts are one word, so there is no state between.
//!
//! # To whom hand-overs are forwarded
//!
//! What is handed over to a lane comes off the levels of scopes that others work for as well, and those count it at
//! once: whoever hands over forwards it ([`Forward`]). A lane knows whom, under the lock of what waits there; whoever
//! changes that takes everything out that waits ([`Lane::forward`]), so what waits was forwarded either to all
//! of today's, or, in the word `pending`, to nobody yet. Other spaces forward each hand-over; of the `host`, what comes to a
//! step.

use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

use crate::base::blind;
use crate::base::lock::Lock;
use crate::base::map::Refused;
use crate::base::memory::{AtomicOptionRef, Blank, Table};
use crate::base::missed;
use crate::lanes::activation::Activation;
use crate::space::spaces::Space;

/// Chunks of the table of lanes: 16,777,216 lanes that are in use or have blocks out at once.
const LANE_CHUNKS: usize = 1 << 18;

/// One holder of a lane, in [`Lane::outstanding`]. Far more than there can be blocks.
const HOLD: i64 = 1 << 44;

// The word `pending`, from the top: ended, more, bytes (40 bits), blocks (22 bits).
const ENDED: u64 = 1 << 63;
/// Further hand-overs wait beside the word.
const MORE: u64 = 1 << 62;
const BLOCKS_BITS: u32 = 22;
const BLOCKS_MASK: u64 = (1 << BLOCKS_BITS) - 1;
const BYTES_MASK: u64 = (1 << 40) - 1;
/// Half of what each part of `pending` holds, or less: past it, the one who added moves the counts out of it.
const SPILL_BLOCKS: u64 = 1 << (BLOCKS_BITS - 1);
const SPILL_BYTES: u64 = 1 << 38;

/// What the level of a scope that others work for may lack, on the host, of what one thread holds for it; and as much of
/// what was handed over to that thread.
pub(crate) const STEP: u64 = 32 << 10;

/// A number of blocks with their bytes, on their way to a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HandOver {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
}

impl HandOver {
    pub(crate) fn and(self, other: Self) -> Self {
        Self { bytes: self.bytes.wrapping_add(other.bytes), blocks: self.blocks.wrapping_add(other.blocks) }
    }
}

/// Who learns at once what is handed over to a lane.
pub(crate) trait Forward: Send + Sync {
    /// Does not allocate for a hand-over of the host.
    fn handed_over(&self, space: Space, hand_over: HandOver);
}

/// What waits beside the word `pending`; all of it was forwarded.
struct Waiting {
    /// The host's.
    host: HandOver,
    others: Vec<(Space, HandOver)>,
    forward_to: Option<Arc<dyn Forward>>,
}

/// Hand-overs of one space that waited.
#[derive(Clone, Copy)]
pub(crate) struct Waited {
    pub(crate) space: Space,
    pub(crate) sum: HandOver,
    /// Whether it was forwarded.
    pub(crate) is_forwarded: bool,
}

/// A lane. Lives forever, changes hands through the pool.
pub(crate) struct Lane {
    index: AtomicU32,
    /// How often the lane was taken.
    taken: AtomicU32,
    next_free: AtomicU32,
    pending: AtomicU64,
    waiting: Lock<Waiting>,
    /// Whether hand-overs are forwarded to anybody.
    forwards: AtomicBool,
    outstanding: AtomicI64,
    /// To whom an ended task leaves its blocks; a thread leaves them to nobody.
    left_to: AtomicOptionRef<Lane>,
    /// The counters of the future that holds this lane, between its polls.
    pub(crate) activation: Activation,
}

impl Blank for Lane {
    const BLANK: Self = Self {
        index: AtomicU32::new(0),
        taken: AtomicU32::new(0),
        next_free: AtomicU32::new(0),
        pending: AtomicU64::new(0),
        waiting: Lock::new(Waiting::NOTHING),
        forwards: AtomicBool::new(false),
        outstanding: AtomicI64::new(0),
        left_to: AtomicOptionRef::null(),
        activation: Activation::BLANK,
    };
}

static LANES: Table<Lane, LANE_CHUNKS> = Table::new();
/// Lanes made so far; lane 0 is never given, so that no tag of a known block is 0.
static MADE: AtomicU32 = AtomicU32::new(1);
/// The pool: a stack of lanes, the top's index in the lower half; the upper half counts the changes, so that a
/// thread that looked at the top for long cannot mistake a lane that came back for one that never left.
static FREE: AtomicU64 = AtomicU64::new(0);

impl Lane {
    /// A lane that nobody uses, held once by the caller.
    pub(crate) fn take() -> Option<&'static Self> {
        let lane = Self::take_pooled().or_else(Self::make)?;
        lane.pending.store(0, Ordering::Relaxed);
        lane.taken.store(lane.taken.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        lane.left_to.set(None);
        lane.outstanding.store(HOLD, Ordering::Release);
        Some(lane)
    }

    fn take_pooled() -> Option<&'static Self> {
        let mut top = FREE.load(Ordering::Acquire);
        loop {
            let lane = Self::of_index(low(top))?;
            let next = changed(top, lane.next_free.load(Ordering::Relaxed));
            match FREE.compare_exchange_weak(top, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(lane),
                Err(now) => top = now,
            }
        }
    }

    #[cold]
    fn make() -> Option<&'static Self> {
        let most = u32::try_from(LANE_CHUNKS * 64).unwrap_or(u32::MAX);
        let index =
            MADE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |made| (made < most).then_some(made + 1)).ok()?;
        let lane = LANES.make(index as usize)?;
        lane.index.store(index, Ordering::Release);
        Some(lane)
    }

    fn give_back(&'static self) {
        let mut top = FREE.load(Ordering::Relaxed);
        loop {
            self.next_free.store(low(top), Ordering::Relaxed);
            match FREE.compare_exchange_weak(top, changed(top, self.index()), Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// The lane of this index; `None` for 0 and for one that was never made.
    #[inline]
    pub(crate) fn of_index(index: u32) -> Option<&'static Self> {
        let lane = LANES.get(index as usize)?;
        (lane.index() != 0).then_some(lane)
    }

    /// Every lane made so far.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        LANES.iter(MADE.load(Ordering::Acquire) as usize).map(|(_, lane)| lane).filter(|lane| lane.index() != 0)
    }

    #[inline(always)]
    pub(crate) fn index(&self) -> u32 {
        self.index.load(Ordering::Relaxed)
    }

    /// The index, with how often the lane was taken above it: unlike that of the same lane in other hands.
    #[inline(always)]
    pub(crate) fn holder(&self) -> u64 {
        u64::from(self.taken.load(Ordering::Relaxed)) << 32 | u64::from(self.index())
    }

    /// Holds the lane once more: it stays this lane until [`release`](Self::release).
    pub(crate) fn hold(&self) {
        self.outstanding.fetch_add(HOLD, Ordering::Relaxed);
    }

    pub(crate) fn release(&'static self) {
        self.settle(-HOLD);
    }

    /// Adds to the number of blocks out; may be negative.
    pub(crate) fn add_outstanding(&'static self, blocks: i64) {
        self.settle(blocks);
    }

    fn settle(&'static self, difference: i64) {
        let mut lane = self;
        let mut difference = difference;
        // A lane that goes back to the pool releases the one it forwards to.
        while lane.outstanding.fetch_add(difference, Ordering::AcqRel).wrapping_add(difference) == 0 {
            let left_to = lane.left_to.get();
            lane.give_back();
            let Some(next) = left_to else { return };
            lane = next;
            difference = -HOLD;
        }
    }

    /// Ends the lane: later hand-overs go to `left_to`, and so does what still waits. `outstanding` is what the
    /// lane's own threads counted, without those that wait.
    pub(crate) fn end(&'static self, left_to: Option<&'static Self>, outstanding: i64) {
        let alone = outstanding == 0 && self.outstanding.load(Ordering::Acquire) == HOLD;
        if alone && self.pending.load(Ordering::Acquire) == 0 {
            // No block, no context and no other lane leads here, so nobody will look for what became of it.
            return self.give_back();
        }
        // Futures may have been polled under each other's contexts; none inherits from itself.
        let left_to = left_to.filter(|heir| !heir.leaves_to(self));
        if let Some(heir) = left_to {
            heir.hold();
        }
        self.left_to.set(left_to);
        let word = self.pending.swap(ENDED, Ordering::AcqRel);
        self.settle(outstanding);
        self.unpack(word, |Waited { space, sum, .. }| self.pass_on(left_to, space, sum));
        if self.forwards.swap(false, Ordering::AcqRel) {
            let _blind = blind::enter();
            let forwarded_to = self.waiting.lock().forward_to.take();
            drop(forwarded_to);
        }
        self.settle(-HOLD);
    }

    /// Who is charged for blocks of this lane now: itself, or whoever its end left them to.
    pub(crate) fn heir(&'static self) -> Option<&'static Self> {
        self.heirs().find(|lane| !lane.has_ended())
    }

    /// Itself, and whom its blocks went to in turn.
    fn heirs(&'static self) -> impl Iterator<Item = &'static Self> {
        /// Two futures may leave their blocks to each other at the same moment: then to nobody.
        const MOST: usize = 1 << 16;
        let next = |lane: &&'static Self| if lane.has_ended() { lane.left_to.get() } else { None };
        core::iter::successors(Some(self), next).take(MOST)
    }

    fn leaves_to(&'static self, lane: &Self) -> bool {
        self.heirs().any(|heir| core::ptr::eq(heir, lane))
    }

    fn has_ended(&self) -> bool {
        self.pending.load(Ordering::Acquire) & ENDED != 0
    }

    /// Whether hand-overs wait to be charged, on a lane that runs (that of a `Context` may have ended: then `true`).
    #[inline(always)]
    pub(crate) fn has_pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed) != 0
    }

    /// What waits of one space, on a lane that runs.
    pub(crate) fn waiting(&self, space: Space) -> HandOver {
        let word = self.pending.load(Ordering::Acquire);
        if word & ENDED != 0 || word == 0 {
            return HandOver::default();
        }
        let in_word = if space == Space::HOST { HandOver::of_word(word) } else { HandOver::default() };
        if word & MORE == 0 { in_word } else { in_word.and(self.waiting.lock().of(space)) }
    }

    /// Takes the hand-overs that wait, to be charged. Nothing waits on a lane that has ended.
    pub(crate) fn take_pending(&self, charge: impl FnMut(Waited)) {
        let of_running = |word: u64| (word & ENDED == 0).then_some(0);
        if let Ok(word) = self.pending.fetch_update(Ordering::AcqRel, Ordering::Acquire, of_running) {
            self.unpack(word, charge);
        }
    }

    /// Has forwarded from now on `to` others what is handed over to this lane, which the caller runs; takes what waited until now.
    pub(crate) fn forward(&self, to: Option<Arc<dyn Forward>>, charge: impl FnMut(Waited)) {
        let _blind = blind::enter();
        let mut waiting = self.waiting.lock();
        let word = self.pending.swap(0, Ordering::AcqRel);
        let waited = waiting.take();
        self.forwards.store(to.is_some(), Ordering::Release);
        let before = core::mem::replace(&mut waiting.forward_to, to);
        drop(waiting);
        waited.see(word, before.is_some(), charge);
    }

    fn unpack(&self, word: u64, charge: impl FnMut(Waited)) {
        let (waited, is_forwarded) = if word & MORE == 0 {
            (Waiting::NOTHING, false)
        } else {
            let mut waiting = self.waiting.lock();
            (waiting.take(), waiting.forward_to.is_some())
        };
        waited.see(word, is_forwarded, charge);
    }

    /// Leaves the free of a block of this lane, that another lane performed, to be charged to the innermost scope
    /// here, or to whom an ended lane left it. The block is not counted as out of this lane any longer.
    pub(crate) fn hand_over(&'static self, space: Space, bytes: u64) {
        self.receive(space, HandOver { bytes, blocks: 1 });
    }

    /// Takes back a [`hand_over`](Self::hand_over) of a space other than `host`, whose block is live after all: as one of
    /// negative numbers, which all that follows adds up with wrapping arithmetic. The caller holds the lane.
    pub(crate) fn take_back(&'static self, space: Space, bytes: u64) {
        self.receive(space, HandOver { bytes: bytes.wrapping_neg(), blocks: 1_u64.wrapping_neg() });
    }

    fn receive(&'static self, space: Space, hand_over: HandOver) {
        match self.heir() {
            Some(heir) if core::ptr::eq(heir, self) => {}
            heir => return self.pass_on(heir, space, hand_over),
        }
        let HandOver { bytes, blocks } = hand_over;
        let word = if space != Space::HOST || bytes >= SPILL_BYTES || blocks >= SPILL_BLOCKS {
            let mut waiting = self.waiting.lock();
            // Under the lock, so that whoever ends the lane takes it along or has not looked yet.
            let word = self.pending.fetch_or(MORE, Ordering::AcqRel);
            if word & ENDED == 0 {
                waiting.add(space, hand_over);
            }
            word
        } else {
            self.pending.fetch_add(bytes << BLOCKS_BITS | blocks, Ordering::AcqRel)
        };
        if word & ENDED != 0 {
            // It ended between the look and the change, which nobody will find.
            return self.pass_on(self.heir(), space, hand_over);
        }
        let most = if self.forwards.load(Ordering::Acquire) { STEP } else { SPILL_BYTES };
        let in_word = HandOver::of_word(word);
        if in_word.blocks >= SPILL_BLOCKS || in_word.bytes + bytes >= most {
            self.spill();
        }
    }

    /// Hands blocks of this lane, which has ended, to its heir, which counts them as its own until it charges them.
    fn pass_on(&'static self, heir: Option<&'static Self>, space: Space, hand_over: HandOver) {
        let blocks = hand_over.blocks.cast_signed();
        if let Some(heir) = heir {
            heir.add_outstanding(blocks);
            heir.receive(space, hand_over);
        }
        self.add_outstanding(-blocks);
    }

    /// Moves the counts out of `pending` before they overflow, or as they come to a step that is to be forwarded. Whoever frees
    /// never waits: if somebody is at it, the next one tries again.
    #[cold]
    fn spill(&self) {
        let Some(mut waiting) = self.waiting.try_lock() else { return };
        let without_counts = |word: u64| (word & ENDED == 0).then_some(MORE);
        if let Ok(word) = self.pending.fetch_update(Ordering::AcqRel, Ordering::Acquire, without_counts) {
            waiting.add(Space::HOST, HandOver::of_word(word));
        }
    }
}

impl HandOver {
    /// What stands in a lane's word.
    fn of_word(word: u64) -> Self {
        Self { bytes: word >> BLOCKS_BITS & BYTES_MASK, blocks: word & BLOCKS_MASK }
    }
}

impl Waiting {
    const NOTHING: Self = Self { host: HandOver { bytes: 0, blocks: 0 }, others: Vec::new(), forward_to: None };

    fn of(&self, space: Space) -> HandOver {
        if space == Space::HOST {
            return self.host;
        }
        let of_space = self.others.iter().find(|(of, _)| *of == space);
        of_space.map(|(_, hand_over)| *hand_over).unwrap_or_default()
    }

    /// Adds a hand-over, and forwards it.
    fn add(&mut self, space: Space, hand_over: HandOver) {
        if let Some(to) = &self.forward_to {
            to.handed_over(space, hand_over);
        }
        if space == Space::HOST {
            self.host = self.host.and(hand_over);
        } else if let Some((_, sum)) = self.others.iter_mut().find(|(of, _)| *of == space) {
            *sum = sum.and(hand_over);
        } else if self.others.try_reserve(1).is_ok() {
            self.others.push((space, hand_over));
        } else {
            missed::note(Refused::NoMemory);
        }
    }

    /// Takes what waits; to whom it is forwarded stays.
    fn take(&mut self) -> Self {
        Self { host: core::mem::take(&mut self.host), others: core::mem::take(&mut self.others), forward_to: None }
    }

    /// Gives what waited to `charge`, with what stood in the word.
    fn see(self, word: u64, is_forwarded: bool, mut charge: impl FnMut(Waited)) {
        for (space, sum) in self.others {
            charge(Waited { space, sum, is_forwarded });
        }
        for (sum, is_forwarded) in [(self.host, is_forwarded), (HandOver::of_word(word), false)] {
            if sum != HandOver::default() {
                charge(Waited { space: Space::HOST, sum, is_forwarded });
            }
        }
    }
}

fn low(word: u64) -> u32 {
    (word & u64::from(u32::MAX)) as u32
}

/// The next value of [`FREE`]: a new top, and one more change.
fn changed(word: u64, top: u32) -> u64 {
    (word >> 32).wrapping_add(1) << 32 | u64::from(top)
}
