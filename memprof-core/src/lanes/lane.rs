//! Lanes: what scopes nest in, and what owns a block's comings and goings.
//!
//! Each thread has a lane, and each task takes one from the pool at its first poll. A block's tag names the lane
//! that it was allocated on, its home. A free elsewhere is a *hand-over*: it is left in the home lane's [`Pending`]
//! word, one `fetch_add`, and the lane's owner charges it to its innermost scope before it matters. When that is,
//! and to which scope, is left to `share/settle`.
//!
//! # When a lane goes back to the pool
//!
//! `outstanding` counts what still refers to a lane: one for each live block that carries it, and [`HOLD`] for each
//! holder: the running thread or task, a `Context` captured there, a lane that was left to it. Whoever brings it to
//! zero returns the lane; so does an end that finds nothing but its own hold. Hence a tag never names a lane that
//! has become somebody else's, and the memory of lanes is bounded by live blocks. While a lane runs, its own
//! allocations and frees are counted by its thread without locked instructions
//! ([`Slot::outstanding`](crate::thread::slot::Slot)) and added when it ends; until then the owner's hold keeps the
//! lane.
//!
//! # A lane that has ended
//!
//! A thread that ends leaves its blocks to nobody, a task leaves them to the lane that its last poll merged into:
//! `left_to`. That is set first, and then the word says that the lane has ended, by the same swap that takes out
//! what waited. A thread that hands over adds first and looks at what stood there: if the lane had ended, its
//! addition reached nobody, and it follows `left_to` instead. There is no state between, as end and counts are one
//! word.
//!
//! # The life of a lane
//!
//! ```text
//!             take (HOLD)                end                       last block freed, last hold released
//! in the pool ───────────► runs ──────────────────► has ended ──────────────────────────────────────────► in the pool
//!                           │                         │ hand-overs go to left_to, or nowhere
//!                           └── nothing out, nothing waiting: straight back to the pool
//! ```

use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

use crate::base::blind;
use crate::base::lock::Lock;
use crate::base::memory::{AtomicOptionRef, Blank};
use crate::base::pool::{Place, Pool, Pooled};
use crate::lanes::pending::{HALF_OF_BYTES, HandOver, Pending, Word};
use crate::lanes::waiting::{Forward, STEP, Waited, Waiting};
use crate::space::spaces::Space;

/// Chunks of the table of lanes: 16,777,216 lanes that are in use or have blocks out at once.
const LANE_CHUNKS: usize = 1 << 18;

/// One holder of a lane, in [`Lane::outstanding`]. Far more than there can be blocks.
const HOLD: i64 = 1 << 44;

/// What an alarm is set to: what a slot's notice is where there is something to take note of.
pub(crate) const ALARM: u64 = u64::MAX;

/// A lane. Lives forever, changes hands through the pool.
pub(crate) struct Lane {
    place: Place,
    /// How often the lane was taken: tells its holders apart, where somebody kept the lane's number.
    taken: AtomicU32,
    /// What waits for the owner, in one word.
    pending: Pending,
    /// What waits and does not fit there.
    waiting: Lock<Waiting>,
    /// Whether hand-overs are forwarded to anybody: what stands under the lock, for those who do not take it.
    forwards: AtomicBool,
    /// What refers to this lane: blocks, and [`HOLD`] for each holder. 0: nobody.
    outstanding: AtomicI64,
    /// What is to be set when something is handed over, while its thread does not look itself; see [`watch_alarm`](Self::watch_alarm).
    alarm: AtomicOptionRef<AtomicU64>,
    /// To whom an ended task left its blocks, held; a thread leaves them to nobody.
    left_to: AtomicOptionRef<Lane>,
}

impl Blank for Lane {
    const BLANK: Self = Self {
        place: Place::BLANK,
        taken: AtomicU32::new(0),
        pending: Pending::NOTHING,
        waiting: Lock::new(Waiting::NOTHING),
        forwards: AtomicBool::new(false),
        outstanding: AtomicI64::new(0),
        alarm: AtomicOptionRef::null(),
        left_to: AtomicOptionRef::null(),
    };
}

impl Pooled for Lane {
    fn place(&self) -> &Place {
        &self.place
    }
}

/// The lane of what has none.
pub(crate) static NO_LANE: Lane = Lane::BLANK;

/// Lane 0 is never given, so that no tag of a known block is 0.
static LANES: Pool<Lane, LANE_CHUNKS> = Pool::new();

impl Lane {
    /// A lane that nobody uses, held once by the caller; `None` where the system has no memory, or where 16,777,215
    /// lanes are in use. Costs an exchange of a word that other threads change too: a task that begins pays it, an
    /// event does not.
    pub(crate) fn take() -> Option<&'static Self> {
        let lane = LANES.take()?;
        debug_assert!(!lane.forwards.load(Ordering::Relaxed), "what ended is forwarded to nobody");
        debug_assert!(matches!(lane.outstanding.load(Ordering::Relaxed), 0 | HOLD), "what is in the pool is nobody's");
        lane.pending.begin();
        lane.taken.store(lane.taken.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        lane.left_to.set(None);
        lane.outstanding.store(HOLD, Ordering::Release);
        Some(lane)
    }

    /// The lane of this index; `None` for 0 and for one that was never made.
    #[inline]
    pub(crate) fn of_index(index: u32) -> Option<&'static Self> {
        LANES.of_index(index)
    }

    /// The lane's number, which its blocks' tags carry; never 0 for a lane that was taken.
    #[inline(always)]
    pub(crate) fn index(&self) -> u32 {
        self.place.index()
    }

    /// The index, with how often the lane was taken above it: unlike that of the same lane in other hands.
    #[inline(always)]
    pub(crate) fn holder(&self) -> u64 {
        u64::from(self.taken.load(Ordering::Relaxed)) << 32 | u64::from(self.index())
    }

    /// Holds the lane once more: it stays this lane until [`release`](Self::release).
    ///
    /// The caller knows that the lane is held, or has a block out, at this moment: what is in the pool cannot be
    /// held.
    pub(crate) fn hold(&self) {
        let before = self.outstanding.fetch_add(HOLD, Ordering::Relaxed);
        debug_assert!(before > 0, "somebody held it, or had a block of it");
    }

    /// Gives one [`hold`](Self::hold) back; the last one returns the lane to the pool.
    pub(crate) fn release(&'static self) {
        self.settle(-HOLD);
    }

    /// Adds to the number of blocks out; may be negative.
    pub(crate) fn add_outstanding(&'static self, blocks: i64) {
        self.settle(blocks);
    }

    /// Changes `outstanding`, and returns the lane to the pool if nothing refers to it any longer.
    ///
    /// The addition that comes to zero is one alone, so one caller returns the lane. Nobody adds after it: whoever
    /// would needs a hold or a block of this lane, and there is none.
    fn settle(&'static self, difference: i64) {
        let mut lane = self;
        let mut difference = difference;
        // A lane that goes back to the pool releases the one that it was left to; a loop, as that may be the last
        // hold there.
        loop {
            let left = lane.outstanding.fetch_add(difference, Ordering::AcqRel).wrapping_add(difference);
            debug_assert!(left >= 0, "each block is counted as freed once");
            if left != 0 {
                return;
            }
            let left_to = lane.left_to.get();
            LANES.give_back(lane);
            let Some(next) = left_to else { return };
            lane = next;
            difference = -HOLD;
        }
    }

    /// Ends the lane: later hand-overs go to `left_to`, and so does what still waits. `outstanding` is what the
    /// lane's own threads counted, without those that wait.
    pub(crate) fn end(&'static self, left_to: Option<&'static Self>, outstanding: i64) {
        self.end_with(left_to, outstanding, |left_to, Waited { space, sum, .. }| self.pass_on(left_to, space, sum));
    }

    /// [`end`](Self::end) of a lane that the caller holds and goes on to count for: what still waits is charged as
    /// ever. From one moment to the next, hand-overs are forwarded no longer to whom they are here but to whom they
    /// are at `left_to`.
    pub(crate) fn end_charging(&'static self, left_to: Option<&'static Self>, mut charge: impl FnMut(Waited)) {
        self.end_with(left_to, 0, |_, waited| charge(waited));
    }

    /// Ends the lane, in this order: the heir is held and set; the word says that it has ended and gives what
    /// waited; what the caller counted is added; what waited is handed to `charge`; nobody is forwarded to; the
    /// lane's own hold goes.
    fn end_with(
        &'static self,
        left_to: Option<&'static Self>,
        outstanding: i64,
        mut charge: impl FnMut(Option<&'static Self>, Waited),
    ) {
        let alone = outstanding == 0 && self.outstanding.load(Ordering::Acquire) == HOLD;
        if alone && self.pending.read().is_empty() {
            // No block, no context and no other lane leads here, so nobody will look for what became of it.
            return LANES.give_back(self);
        }
        // Futures may have been polled under each other's contexts; none inherits from itself.
        let left_to = left_to.filter(|heir| !heir.leaves_to(self));
        if let Some(heir) = left_to {
            heir.hold();
        }
        self.left_to.set(left_to);
        let word = self.pending.end();
        self.settle(outstanding);
        self.unpack(word, |waited| charge(left_to, waited));
        if self.forwards.swap(false, Ordering::AcqRel) {
            let _blind = blind::enter();
            let forwarded_to = self.waiting.lock().forward_to.take();
            drop(forwarded_to);
        }
        self.settle(-HOLD);
    }

    /// Who is charged for blocks of this lane now: itself, or whoever its end left them to.
    ///
    /// `None` where the last of them was a thread, which leaves its blocks to nobody.
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

    /// Whether blocks of this lane are of `lane` now, or were before that ended too.
    pub(crate) fn leaves_to(&'static self, lane: &Self) -> bool {
        self.heirs().any(|heir| core::ptr::eq(heir, lane))
    }

    /// Whether its thread or task is over. What is read as running may end right after: whoever adds to the word
    /// finds out.
    pub(crate) fn has_ended(&self) -> bool {
        self.pending.read().has_ended()
    }

    /// Whether hand-overs wait to be charged, on a lane that runs (that of a `Context` may have ended: then `true`).
    #[inline(always)]
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Has `alarm` set, to [`ALARM`], when something is handed over from now on. `false`, and no alarm: something waits already.
    ///
    /// Each of the two sides writes first and reads then, in one order of all four: this sets the alarm and looks at the word; who
    /// hands over adds to the word and looks at the alarm. So either the word is found here, or the alarm there.
    pub(crate) fn watch_alarm(&self, alarm: &'static AtomicU64) -> bool {
        self.alarm.set_in_order(Some(alarm));
        let is_empty = self.pending.is_empty_in_order();
        if !is_empty {
            self.end_alarm();
        }
        is_empty
    }

    /// Ends what [`watch_alarm`](Self::watch_alarm) began; an alarm may come late.
    pub(crate) fn end_alarm(&self) {
        self.alarm.set(None);
    }

    /// What waits of one space, on a lane that runs.
    pub(crate) fn waiting(&self, space: Space) -> HandOver {
        let word = self.pending.read();
        if word.has_ended() {
            return HandOver::default();
        }
        let in_word = if space == Space::HOST { word.counts() } else { HandOver::default() };
        if word.has_more() { in_word.and(self.waiting.lock().of(space)) } else { in_word }
    }

    /// Takes the hand-overs that wait, to be charged. Nothing waits on a lane that has ended.
    pub(crate) fn take_pending(&self, charge: impl FnMut(Waited)) {
        if let Some(word) = self.pending.take() {
            self.unpack(word, charge);
        }
    }

    /// Has forwarded from now on `to` others what is handed over to this lane, which the caller runs; takes what
    /// waited until now.
    ///
    /// Word and lock are emptied under the lock: what is charged here was forwarded to those of before, or to
    /// nobody, and what comes later to the new ones. A hand-over that is added to the word in between was forwarded
    /// to nobody, and is found there by the next look.
    pub(crate) fn forward(&self, to: Option<Arc<dyn Forward>>, charge: impl FnMut(Waited)) {
        let _blind = blind::enter();
        let mut waiting = self.waiting.lock();
        let word = self.pending.take_running();
        let waited = waiting.take();
        self.forwards.store(to.is_some(), Ordering::Release);
        let before = core::mem::replace(&mut waiting.forward_to, to);
        drop(waiting);
        waited.see(word.counts(), before.is_some(), charge);
    }

    /// Gives what was taken out with a word to `charge`.
    fn unpack(&self, word: Word, charge: impl FnMut(Waited)) {
        let (waited, is_forwarded) = if word.has_more() {
            let mut waiting = self.waiting.lock();
            (waiting.take(), waiting.forward_to.is_some())
        } else {
            (Waiting::NOTHING, false)
        };
        waited.see(word.counts(), is_forwarded, charge);
    }

    /// Leaves the free of a block of this lane, that another lane performed, to be charged to the innermost scope
    /// here, or to whom an ended lane left it. The block is not counted as out of this lane any longer.
    pub(crate) fn hand_over(&'static self, space: Space, bytes: u64) {
        self.receive(space, HandOver { bytes, blocks: 1 });
    }

    /// Takes back a [`hand_over`](Self::hand_over) of a space other than `host`, whose block is live after all. The
    /// caller holds the lane.
    pub(crate) fn take_back(&'static self, space: Space, bytes: u64) {
        self.receive(space, HandOver { bytes: bytes.wrapping_neg(), blocks: 1_u64.wrapping_neg() });
    }

    /// Has a hand-over wait here, or for the heir. At most: one addition, or a short lock for what does not fit
    /// into the word.
    fn receive(&'static self, space: Space, hand_over: HandOver) {
        match self.heir() {
            Some(heir) if core::ptr::eq(heir, self) => {}
            heir => return self.pass_on(heir, space, hand_over),
        }
        let word = if space == Space::HOST && hand_over.fits() {
            self.pending.add(hand_over)
        } else {
            let mut waiting = self.waiting.lock();
            // Under the lock, so that whoever ends the lane takes it along or has not looked yet.
            let word = self.pending.note_more();
            if !word.has_ended() {
                waiting.add(space, hand_over);
            }
            word
        };
        if word.has_ended() {
            // It ended between the look and the change, which nobody will find.
            return self.pass_on(self.heir(), space, hand_over);
        }
        if let Some(alarm) = self.alarm.get_in_order() {
            alarm.store(ALARM, Ordering::Release);
        }
        let most = if self.forwards.load(Ordering::Acquire) { STEP } else { HALF_OF_BYTES };
        if word.is_due(hand_over, most) {
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

    /// Moves the counts out of `pending` before they overflow, or as they come to a step that is to be forwarded.
    /// Whoever frees never waits: if somebody is at it, the next one tries again.
    ///
    /// Two threads that find the word full at the same moment need one of them to empty it. One that was stopped
    /// under the lock keeps it until it goes on: see [`pending`](crate::lanes::pending) for how much may be added
    /// meanwhile.
    #[cold]
    fn spill(&self) {
        let Some(mut waiting) = self.waiting.try_lock() else { return };
        if let Some(word) = self.pending.take_counts() {
            waiting.add(Space::HOST, word.counts());
        }
    }
}
