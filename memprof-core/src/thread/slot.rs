//! Slots: the record of one thread.
//!
//! A thread takes a slot from the pool at its first event and gives it back when it ends; the next thread goes on
//! with the same rows, which only ever add up, so nothing is merged at a thread's end and memory is bounded by the
//! greatest number of threads alive at once. Everything here is written by one thread, with plain loads and stores,
//! and may be read by a snapshot at any time: see [`read`](crate::thread::read).

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

use crate::base::counter::{Counter, Sequence};
use crate::base::gate::Inside;
use crate::base::lock::Lock;
use crate::base::memory::{AtomicOptionRef, AtomicRef, Blank, Original, Table};
use crate::lanes::kind::SPACES;
use crate::lanes::lane::{ALARM, Lane, NO_LANE};
use crate::lanes::tag::Tag;
use crate::names::path::{PATH_CHUNKS, PathId};
use crate::space::spaces::{MOST_SPACES, Space};
use crate::thread::changes::{Changes, MOST_SLOTS};
use crate::thread::frame::{CallRow, Frame, NO_CALLS, NO_FRAME, SiteRow};
use crate::thread::known::Known;
use crate::thread::ledger::Ledger;
use crate::thread::net::HostNet;
use crate::thread::top::Top;

/// Placeholder of a thread without a slot, or blind; see [`current`](crate::thread::current). Its notice is always set, so every fast
/// path falls through.
pub(crate) static NO_SLOT: Slot = Slot::BLANK;

/// Entries of a slot's cache of paths. The most used ones fit into the first-level cache.
pub(super) const CACHE: usize = 128;

/// The key of a blank entry: there are fewer paths.
pub(crate) const NO_KEY: u64 = u64::MAX;

/// Where entering a site at a path leads to.
pub(crate) struct CacheEntry {
    /// Path and site, or [`NO_KEY`].
    pub(crate) key: Counter,
    /// The path, in its 32 bits.
    pub(crate) path: Counter,
    pub(crate) calls: AtomicRef<CallRow>,
}

impl Blank for CacheEntry {
    const BLANK: Self = Self { key: Counter::new(NO_KEY), path: Counter::new(0), calls: AtomicRef::new(&NO_CALLS) };
}

impl CacheEntry {
    pub(super) fn set(&self, key: u64, path: PathId, calls: &'static CallRow) {
        self.key.set(key);
        self.path.set(u64::from(path.bits()));
        self.calls.set(calls);
    }
}

/// See the [module](self). What every event and every call touches comes first: two cache lines, within the reach of
/// an instruction's short offset.
#[repr(C, align(128))]
pub(crate) struct Slot {
    /// [`Tag::NONE`] while something changed that this thread did not take note of, and 0 otherwise. Anybody writes it.
    notice: AtomicU64,
    pub(crate) changes: Changes,
    pub(crate) top: Top,
    /// The lane of the top segment.
    pub(crate) lane: AtomicRef<Lane>,
    pub(crate) host: Ledger,
    /// What [`outstanding`](Self::outstanding) is less the level of the host in blocks.
    pub(super) outstanding_offset: Counter,
    pub(crate) sequence: Sequence,
    /// The frame that begins the top segment.
    pub(crate) segment: AtomicOptionRef<Frame>,
    /// The innermost frame that shares with other threads: [`share_from`](Self::share_from).
    pub(crate) sharing: AtomicOptionRef<Frame>,
    pub(crate) net: HostNet,
    pub(super) others: [AtomicOptionRef<Ledger>; MOST_SPACES],
    pub(crate) cache: [CacheEntry; CACHE],
    pub(crate) calls: Table<CallRow, PATH_CHUNKS>,
    pub(super) known: Known,
    pub(crate) sites: Table<SiteRow, PATH_CHUNKS>,
    pub(crate) base: Frame,
    /// The ambient scope that this thread works for, until its part was taken; 0 for none.
    pub(crate) ambient: AtomicU64,
    pub(super) taken: AtomicBool,
    /// Where signal handlers are recorded that interrupt a change of this slot; none has one itself. See
    /// [`aside`](crate::thread::aside).
    pub(crate) aside: AtomicOptionRef<Slot>,
    /// Of a slot aside: the frame that its base stands for, until that has taken in what was recorded.
    pub(crate) stands_for: AtomicOptionRef<Frame>,
    /// Whether blocks were freed here, or may be, that another thread allocated: since the slot was made, for who reads its rows.
    pub(super) foreign_frees: AtomicBool,
    /// What the short path of polls asks: [`polls_plainly`](Self::polls_plainly).
    pub(super) polls_plainly: AtomicBool,
    /// Whether the present thread ran another lane than its own, or may; for itself.
    pub(super) other_lanes: AtomicBool,
    /// Set while the thread is blind.
    pub(crate) inside: Inside,
}

impl Blank for Slot {
    const BLANK: Self = Self {
        notice: AtomicU64::new(Tag::NONE.0),
        sequence: Sequence::new(),
        changes: Changes::new(),
        top: Top::new(&NO_FRAME),
        lane: AtomicRef::new(&NO_LANE),
        host: Ledger::BLANK,
        outstanding_offset: Counter::new(0),
        segment: AtomicOptionRef::null(),
        sharing: AtomicOptionRef::null(),
        net: HostNet::BLANK,
        others: [const { AtomicOptionRef::null() }; MOST_SPACES],
        cache: [const { CacheEntry::BLANK }; CACHE],
        calls: Table::new(),
        known: Known::BLANK,
        sites: Table::new(),
        base: Frame::BLANK,
        ambient: AtomicU64::new(0),
        taken: AtomicBool::new(false),
        aside: AtomicOptionRef::null(),
        stands_for: AtomicOptionRef::null(),
        foreign_frees: AtomicBool::new(false),
        polls_plainly: AtomicBool::new(false),
        other_lanes: AtomicBool::new(false),
        inside: Inside::new(),
    };
}

// What a lane's alarm sets is a notice.
const _: () = assert!(ALARM == Tag::NONE.0);
const _: () = assert!(core::mem::offset_of!(Slot, host) + Ledger::HOT <= 128);

/// Threads that are recorded one by one at the same time; the events of any further one are kept together.
const MOST_THREADS: usize = 1 << 16;
const _: () = assert!(2 * MOST_THREADS <= MOST_SLOTS);

/// Each with the one aside behind it.
static SLOTS: Table<AtomicOptionRef<Slot>, { 2 * MOST_THREADS / 64 }> = Table::new();
static MADE: AtomicU32 = AtomicU32::new(0);

/// Makes every thread take note, at its next event, of what the caller has changed: on or off, an epoch, an ambient scope.
/// So the hot path looks at its own slot alone, and a thread goes to the cold path once for each change.
///
/// Each of the two writes first and reads then, with a fence of one total order in between (Dekker's argument): this
/// writes the change and reads which slots there are, a thread makes or clears its slot's notice ([`Slot::begin_note`])
/// and reads what there is to know. So either the slot is found here, and notified after the change, or its thread sees
/// the change. A notice that is cleared by a swap brings the change that it was set for.
pub(crate) fn announce() {
    fence(Ordering::SeqCst);
    Slot::all().for_each(Slot::notify);
}

/// The slots of all threads, and the one that ended threads share.
pub(crate) fn slots() -> impl Iterator<Item = &'static Slot> {
    Slot::all().chain([Slot::ended()])
}

/// What a new slot is a copy of.
static BLANK: Original<Slot> = Original::new();

impl Slot {
    pub(super) fn make() -> Option<&'static Self> {
        let index = MADE
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |made| {
                ((made as usize) < 2 * MOST_THREADS).then_some(made + 2)
            })
            .ok()? as usize;
        let slot = BLANK.leak()?;
        slot.changes.begin_with(index);
        slot.taken.store(true, Ordering::Relaxed);
        SLOTS.make(index)?.set(Some(slot));
        slot.aside.set(Self::make_aside(index + 1));
        Some(slot)
    }

    /// Without memory for it, a handler is not recorded where it would be needed.
    fn make_aside(index: usize) -> Option<&'static Self> {
        let aside = BLANK.leak()?;
        aside.changes.begin_with(index);
        aside.taken.store(true, Ordering::Relaxed);
        aside.begin_on(&NO_LANE)?;
        SLOTS.make(index)?.set(Some(aside));
        Some(aside)
    }

    /// Every slot ever made.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        SLOTS.iter(MADE.load(Ordering::Acquire) as usize).filter_map(|(_, slot)| slot.get())
    }

    /// The innermost open frame; the base record where nothing is open.
    #[inline(always)]
    pub(crate) fn top(&'static self) -> &'static Frame {
        self.top.frame()
    }

    /// The tag of a host block of the top frame, if an event needs nothing at all done first; otherwise [`Tag::NONE`].
    #[inline(always)]
    pub(crate) fn ready_tag(&'static self) -> Tag {
        Tag(self.top.head().host_tag().0 | self.notice.load(Ordering::Relaxed))
    }

    /// Whether this thread took note of everything.
    #[inline(always)]
    pub(crate) fn is_informed(&self) -> bool {
        self.notice.load(Ordering::Relaxed) == 0
    }

    /// Has this thread look, at its next event, at what there is to take note of; called by any thread.
    pub(crate) fn notify(&self) {
        self.notice.store(Tag::NONE.0, Ordering::Release);
    }

    /// Begins taking note: whatever changes from now on notifies again. Why nothing is missed is argued at
    /// [`announce`].
    pub(crate) fn begin_note(&self) {
        self.notice.swap(0, Ordering::AcqRel);
        fence(Ordering::SeqCst);
    }

    /// Blocks of the current lane that this thread allocated, less those it freed, since the segment began.
    #[inline(always)]
    pub(crate) fn outstanding(&self) -> i64 {
        self.host.level_blocks() + self.outstanding_offset.signed()
    }

    /// Sets [`outstanding`](Self::outstanding): where a segment begins or ends, or the level changes without an event of the lane.
    #[inline(always)]
    pub(crate) fn set_outstanding(&self, blocks: i64) {
        self.outstanding_offset.set((blocks - self.host.level_blocks()).cast_unsigned());
    }

    /// Sets it, and gives what it was.
    #[inline(always)]
    pub(super) fn replace_outstanding(&self, blocks: i64) -> i64 {
        let level = self.host.level_blocks();
        let before = level + self.outstanding_offset.signed();
        self.outstanding_offset.set((blocks - level).cast_unsigned());
        before
    }

    /// Counts blocks of the current lane that are not in the level of the host.
    pub(crate) fn add_outstanding(&self, blocks: i64) {
        self.outstanding_offset.add(blocks.cast_unsigned());
    }

    /// Changes a level without an event of the current lane.
    pub(crate) fn adjust_level(&'static self, ledger: &'static Ledger, bytes: u64, blocks: u64) {
        let _change = self.begin_change();
        let outstanding = self.outstanding();
        self.sequence.begin_write();
        ledger.adjust_level(bytes, blocks);
        self.sequence.end_write();
        self.set_outstanding(outstanding);
    }

    /// The ledger of a space, if this thread had an event there.
    #[inline]
    pub(crate) fn known_ledger(&'static self, space: Space) -> Option<&'static Ledger> {
        if space == Space::HOST { Some(&self.host) } else { self.others[space.index()].get() }
    }

    /// The ledger of a space, made now if it is not there.
    pub(crate) fn ledger(&'static self, space: Space) -> Option<&'static Ledger> {
        if let Some(known) = self.known_ledger(space) {
            return Some(known);
        }
        let ledger = Ledger::leak_blank()?;
        ledger.begin(&self.base)?;
        self.base.set_touched(space.bit());
        self.others[space.index()].set(Some(ledger));
        Some(ledger)
    }

    /// The record that the events of ended threads share. No scope is opened there, and it is written with
    /// [`Counter::add_shared`].
    pub(crate) fn ended() -> &'static Self {
        static ENDED: Slot = Slot::BLANK;
        &ENDED
    }

    /// Changes rows of this slot: on its own thread, or, of the record that ended threads share, on any of those.
    #[inline]
    pub(crate) fn change<R>(&'static self, change: impl FnOnce() -> R) -> R {
        static ENDED: Lock<()> = Lock::new(());
        if !core::ptr::eq(self, Self::ended()) {
            let _change = self.begin_change();
            self.sequence.begin_write();
            let result = change();
            self.sequence.end_write();
            return result;
        }
        let _alone = ENDED.lock();
        self.sequence.begin_write_shared();
        let result = change();
        self.sequence.end_write_shared();
        result
    }

    /// The lane of the record that ended threads share. It never ends.
    pub(crate) fn shared_lane(&'static self) -> Option<&'static Lane> {
        if self.lane.is(&NO_LANE) && !self.taken.swap(true, Ordering::AcqRel) {
            self.lane.set(Lane::take()?);
        }
        Some(self.lane.get()).filter(|lane| !core::ptr::eq(*lane, &raw const NO_LANE))
    }

    /// The ledgers of a set of spaces.
    #[inline]
    pub(crate) fn ledgers(&'static self, set: u64) -> impl Iterator<Item = (Space, &'static Ledger)> {
        let mut left = set & SPACES;
        core::iter::from_fn(move || {
            let index = left.checked_ilog2()? as usize;
            left &= !(1 << index);
            Some(Space::of_index(index))
        })
        .filter_map(|space| Some((space, self.known_ledger(space)?)))
    }

    /// Makes `ledger` ready for an event of the top frame.
    #[cold]
    pub(crate) fn touch(&'static self, space: Space, ledger: &'static Ledger) -> Option<()> {
        let _change = self.begin_change();
        let top = self.top();
        self.sequence.begin_write();
        let touched = ledger.touch(top, space.bit());
        self.sequence.end_write();
        if space == Space::HOST && touched.is_some() {
            top.calls.get().note_row(Some(ledger.row()));
        }
        touched
    }

    /// What others set to have this thread look at what there is.
    pub(super) fn alarm(&'static self) -> &'static AtomicU64 {
        &self.notice
    }
}
