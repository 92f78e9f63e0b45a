//! Ambient scopes: which are open, how threads follow them, and what they come to.
//!
//! An ambient scope is a captured scope ([`Shared`]) with a lane of its own, on which nothing runs. A thread
//! without an open scope works for the newest: a frame of [`Kind::Ambient`] on its base is the home of what it
//! allocates there, and its own lane goes on in the scopes that it opens above. The level of the ambient scope is
//! right at every moment: threads publish what they do, as under a context, and whoever hands a block over to their
//! lanes, or to the ambient one, forwards it ([`forward`]). What else it recorded is in parts, one a thread, that
//! are added once: by the thread when it leaves, or by whoever ends the scope and reads the thread.
//!
//! A thread's word `ambient` says for which scope it works; these are the ways from one state to the next, with who
//! makes them:
//!
//! | from | to | by |
//! |---|---|---|
//! | none | scope 7 | the thread, at an event with nothing open, once told that 7 is the newest |
//! | scope 7 | none | the thread, when it leaves: its part goes to 7 |
//! | scope 7 | none | whoever ends 7: it reads the thread's part and adds it |
//! | none, frame still there | none | the thread, at an event with nothing open: its part was added by another, and is forgotten |
//!
//! The two in the middle meet in one exchange of the word (`Id::is_left_by`): one of them adds the part, the other
//! does not. What the thread does between the reading and its next event reaches nobody, as the contract says.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use crate::base::blind;
use crate::base::lock::{self, Lock, Locked};
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::state;
use crate::base::tally::{Counters, Tally};
use crate::lanes::captured::{Around, Shared};
use crate::lanes::kind::Kind;
use crate::lanes::lane::Lane;
use crate::lanes::published::Published;
use crate::lanes::tag::Tag;
use crate::lanes::waiting::Waited;
use crate::names::path::PathId;
use crate::share::forward;
use crate::share::open_frames::Stack;
use crate::share::publish::come_out;
use crate::share::publish::parts;
use crate::share::publish::published_with;
use crate::share::settle::{charge, settle};
use crate::share::sharing;
use crate::space::spaces::Space;
use crate::thread::current;
use crate::thread::frame::{Frame, NO_CALLS};
use crate::thread::ledger::Ledger;
use crate::thread::slot::{self, Slot};

/// Names an ambient scope as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(u64);

/// An open ambient scope. They stand in the order in which they were opened, so the last is the one that threads
/// work for, and those that were opened in another one stand behind it.
#[derive(Clone)]
struct Open {
    id: Id,
    shared: Arc<Shared>,
    /// The scope that was innermost where the ambient one was opened: it gets the sum.
    parent: Option<Arc<Shared>>,
    /// Those of a frame: whether it is inside another activation of its site.
    flags: u64,
}

/// How often a thread's part is read again before it is taken as it is. A thread that is in the midst of a change
/// for as long was interrupted there.
const TRIES: u32 = 20_000;

/// The [`Id`] of the ambient scope that threads work for now; 0 for none.
static CURRENT: AtomicU64 = AtomicU64::new(0);
/// Those that are open, in the order of their opening. Held for some instructions at a time, never while a thread
/// is read.
static OPEN: Lock<Vec<Open>> = Lock::new(Vec::new());

/// Opens an ambient scope of `path` in `parent`, which is open, with the flags of a frame. `None` if there is no
/// lane for it.
pub(crate) fn open(path: PathId, parent: Option<Arc<Shared>>, flags: u64) -> Option<Id> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let _blind = blind::enter();
    let lane = Lane::take()?;
    let around = parent.clone().map_or(Around::Nobody, Around::Elsewhere);
    let shared = Arc::new(Shared::new(lane, path, vec![path], around));
    forward::begin_ambient_lane(&shared);
    let id = Id(NEXT.fetch_add(1, Ordering::Relaxed));
    let mut open = OPEN.lock();
    open.push(Open { id, shared, parent, flags });
    CURRENT.store(id.0, Ordering::Release);
    drop(open);
    slot::announce();
    Some(id)
}

/// Ends an ambient scope, if it is still open.
pub(crate) fn end(id: Id) {
    end_those(|open| open.id == id);
}

/// A scope is being left: ends the ambient scopes that were opened in it.
pub(crate) fn end_inside(scope: &Shared) {
    if CURRENT.load(Ordering::Acquire) != 0 {
        end_those(|open| open.is_in(scope));
    }
}

/// Ends ambient scopes, and first those that were opened in them, which stand behind them.
fn end_those(is_ending: impl Fn(&Open) -> bool) {
    if lock::holds_any() {
        // A signal handler, or an allocator, inside of the recorder's own work.
        return missed::note(Refused::AtWork);
    }
    let _blind = blind::enter();
    let mut open = OPEN.lock();
    let mut ended: Vec<Open> = Vec::new();
    for one in core::mem::take(&mut *open) {
        let ends = is_ending(&one) || ended.iter().any(|outer| one.is_in(&outer.shared));
        if ends { &mut ended } else { &mut *open }.push(one);
    }
    if ended.is_empty() {
        return;
    }
    CURRENT.store(open.last().map_or(0, |open| open.id.0), Ordering::Release);
    drop(open);
    slot::announce();
    ended.iter().rev().for_each(Open::end);
}

impl Open {
    /// Ends it: the parts of all threads first, then what was handed over to its own lane, then its level; at last
    /// its sums go to the scope it was opened in and to its row. Once each thread's word is 0, no part can come in
    /// late.
    fn end(&self) {
        for slot in self.threads() {
            let part: Vec<_> = Space::all().filter_map(|space| part(slot, space)).collect();
            self.shared.finish(|| self.id.is_left_by(slot), part);
        }
        // What is still out comes off the scope that gets the sum, from here on.
        self.shared.lane.end_charging(self.parent.as_ref().map(|parent| parent.lane), |waited| self.charge(waited));
        self.shared.close();
        let slot = current::recording().unwrap_or_else(Slot::ended);
        for space in Space::all() {
            let Some(tally) = self.shared.pending(space).map(|added| self.sum(space, &added)) else { continue };
            if let Some(parent) = &self.parent {
                parent.add(space, &tally);
            }
            if let Some(row) = slot.ledger(space).and_then(|ledger| ledger.row_of(self.shared.path)) {
                slot.change(|| {
                    row.add(&tally, self.flags);
                    row.raise(tally.counters.peak_bytes, tally.largest);
                });
            }
        }
        slot.count_left(self.shared.path, |_| ());
    }

    /// The threads whose part was not added yet.
    fn threads(&self) -> impl Iterator<Item = &'static Slot> {
        let id = self.id;
        Slot::all().filter(move |slot| slot.ambient.load(Ordering::Acquire) == id.0)
    }

    /// Takes in what was handed over to its own lane.
    fn settle(&self) {
        self.shared.lane.take_pending(|waited| self.charge(waited));
    }

    /// Takes in what was handed over.
    fn charge(&self, Waited { space, sum, is_forwarded }: Waited) {
        let [bytes, blocks] = sum.to_level();
        if !is_forwarded {
            self.shared.publish(space, bytes, blocks);
        }
        let counters = Counters { current_bytes: bytes, current_blocks: blocks, ..Counters::default() };
        self.shared.add(space, &Tally { counters, ..Tally::default() });
        self.shared.lane.add_outstanding(blocks);
    }

    /// No lane of another scope's thread had a part in it.
    fn sum(&self, space: Space, added: &Tally) -> Tally {
        self.shared.sum(space, &Tally::default(), added, &Counters::default())
    }

    /// Whether it was opened in this very scope.
    fn is_in(&self, scope: &Shared) -> bool {
        self.parent.as_ref().is_some_and(|parent| core::ptr::eq(&raw const **parent, scope))
    }

    /// What it recorded so far, as if it ended now, and first those of `open` that were opened in it. Nothing where
    /// that is what is being found out: a future that opened it may be polled in a scope under it.
    fn so_far(&self, space: Space, open: &[Self]) -> Tally {
        let Some(_adding) = Adding::begin(self.id) else { return Tally::default() };
        self.settle();
        let parts = self.threads().filter_map(|slot| part(slot, space)).map(|(_, tally, _)| tally);
        let inside = open.iter().filter(|one| one.is_in(&self.shared)).map(|one| one.so_far(space, open));
        let mut added = self.shared.pending(space).unwrap_or_default();
        parts.chain(inside).for_each(|tally| added.fold(&tally));
        self.sum(space, &added)
    }
}

impl Id {
    /// Notes that the part of a thread is added, by the one caller who gets `true`.
    fn is_left_by(self, slot: &Slot) -> bool {
        slot.ambient.compare_exchange(self.0, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// What a thread recorded in a space under the ambient scope that it works for, and what of it was published, if
/// anything; asked by any thread.
fn part(slot: &'static Slot, space: Space) -> Option<(Space, Tally, Published)> {
    let frame = slot.base.above()?;
    // The space may have been touched only by others, under a context captured in a scope that is open here.
    let ledger = slot.known_ledger(space).unwrap_or_else(Ledger::untouched);
    // The last copy is taken as it is if the thread could not be read whole.
    let copy = || (ledger.tally_of(frame, None), Stack::of(slot, space, ledger));
    let ((own, stack), _) = slot.read_patiently(ledger, TRIES, copy);
    let tally = stack.end_of(frame, space, inside).unwrap_or(own);
    let published = published_with(frame, space, &own, &tally);
    (tally != Tally::default() || published != Published::default()).then_some((space, tally, published))
}

/// An ambient scope that is being added up on this thread.
struct Adding;

/// Of one in another, and so on; what is further in is left out.
const MOST_ADDING: usize = 16;

thread_local! {
    /// Without a destructor: the report at exit asks, too.
    static ADDING: Cell<([u64; MOST_ADDING], usize)> = const { Cell::new(([0; MOST_ADDING], 0)) };
}

impl Adding {
    /// `None` if it is being added up already.
    fn begin(Id(id): Id) -> Option<Self> {
        let (mut ids, count) = ADDING.get();
        if count == MOST_ADDING || ids[..count].contains(&id) {
            return None;
        }
        ids[count] = id;
        ADDING.set((ids, count + 1));
        Some(Self)
    }
}

impl Drop for Adding {
    fn drop(&mut self) {
        let (ids, count) = ADDING.get();
        ADDING.set((ids, count - 1));
    }
}

/// Gives each ambient scope that is open to `see`: its path and flags, and what it recorded in a space so far, as
/// if it ended now.
pub(crate) fn each_so_far(space: Space, mut see: impl FnMut(PathId, u64, &Tally)) {
    let open = OPEN.lock().clone();
    for one in &open {
        see(one.shared.path, one.flags, &one.so_far(space, &open));
    }
}

/// What ambient scopes that were opened in `scope` recorded so far, as if they ended now.
pub(crate) fn inside(scope: &Shared, space: Space) -> Tally {
    let mut sum = Tally::default();
    if CURRENT.load(Ordering::Acquire) != 0 {
        let open = OPEN.lock().clone();
        open.iter().filter(|one| one.is_in(scope)).for_each(|one| sum.fold(&one.so_far(space, &open)));
    }
    sum
}

/// Has a thread leave the ambient scope that it worked for, and work for the newest; `false` if that has to wait
/// until it has no scope open. It may be at an allocation, which never waits: then `false` also if somebody is at
/// it.
pub(crate) fn follow(slot: &'static Slot, may_wait: bool) -> bool {
    let current = CURRENT.load(Ordering::Acquire);
    let works = slot.ambient_frame();
    let is_there = current != 0 && slot.ambient.load(Ordering::Acquire) == current;
    if works.is_some() == is_there && (is_there || current == 0) {
        return true;
    }
    if slot.top().depth() > u64::from(works.is_some()) {
        return false;
    }
    let _blind = blind::enter();
    if let Some(frame) = works {
        leave(slot, frame);
    }
    let open = if may_wait { Some(OPEN.lock()) } else { try_open() };
    let Some(open) = open else { return false };
    let newest = open.last().map(|open| (open.id, open.shared.clone()));
    drop(open);
    if let Some((id, shared)) = newest {
        enter(slot, id, shared);
    }
    true
}

/// The open ones, for a thread that is at an allocation. Somebody who is at them is done soon, unless stopped there by the scheduler, and is
/// given a few turns and then some time; no more than that, as it may be somebody who waits for the allocator that this thread is in.
fn try_open() -> Option<Locked<'static, Vec<Open>>> {
    const TURNS: u32 = 64;
    const MILLISECONDS: u32 = 50;
    (0..TURNS + MILLISECONDS).find_map(|turn| {
        match turn {
            0 => {}
            1..TURNS => std::thread::yield_now(),
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
        OPEN.try_lock()
    })
}

/// Has a thread, with nothing open, work for an ambient scope.
fn enter(slot: &'static Slot, id: Id, shared: Arc<Shared>) {
    settle(slot);
    let Some(frame) = slot.base.grow() else { return };
    let change = slot.begin_change();
    let opened = slot.changes.begin_opening();
    let tag = Tag::new(shared.lane, shared.path);
    frame.open(opened, tag, Kind::Ambient.flags(shared.flags_under()), &NO_CALLS);
    frame.outer_before.set(None);
    slot.begin_segment(frame, shared.lane);
    slot.top.set(frame);
    drop(change);
    sharing::begin(slot, frame, shared);
    slot.ambient.store(id.0, Ordering::Release);
    forward::begin(slot, |_| false);
}

/// Has a thread, with nothing open, leave the ambient scope of `frame`.
pub(crate) fn leave(slot: &'static Slot, frame: &'static Frame) {
    let _blind = blind::enter();
    forward::end_ambient(slot);
    leave_unforwarded(slot, frame);
}

/// [`leave`], once nothing is forwarded any longer that is handed over to the thread.
fn leave_unforwarded(slot: &'static Slot, frame: &'static Frame) {
    if let Some(shared) = frame.shared() {
        let id = Id(slot.ambient.load(Ordering::Acquire));
        shared.finish(|| id.0 != 0 && id.is_left_by(slot), parts(slot, frame));
    }
    slot.ambient.store(0, Ordering::Release);
    come_out(slot, frame, &slot.base);
}

/// A thread that has nothing open ends: leaves its blocks to the ambient scope that it works for. `false`: to none.
///
/// Its lane ends first, while the thread is still part of that scope, so that there is no moment at which what
/// others free of it would come off nobody's level. It stays held for the slot.
pub(crate) fn bequeath(slot: &'static Slot) -> bool {
    if state::is_on() {
        follow(slot, true);
    }
    let Some(frame) = slot.ambient_frame() else { return false };
    let (Some(shared), Some(segment)) = (frame.shared(), slot.segments().next()) else { return false };
    segment.lane.hold();
    let change = slot.begin_change();
    segment.lane.end_charging(Some(shared.lane), |waited| charge(slot, segment, waited, |_| true));
    drop(change);
    leave_unforwarded(slot, frame);
    true
}

/// What is about to be entered here is not under an ambient scope that was opened in it: the thread works for that
/// again when it has left it.
pub(crate) fn come_out_of_those_in(slot: &'static Slot, scope: &Shared) {
    if let Some(frame) = slot.ambient_frame()
        && core::ptr::eq(frame, slot.top())
        && frame.shared().is_some_and(|ambient| ambient.is_inside(scope))
    {
        leave(slot, frame);
        slot.notify();
    }
}

/// Takes note of whatever changed, so that the next event like this takes the short path. `false`: memprof is off.
///
/// The notice is cleared first and what there is to know read then: what changes in between sets it again, and is
/// taken note of at the next event ([`announce`](slot::announce)).
pub(crate) fn take_note(slot: &'static Slot) -> bool {
    slot.begin_note();
    if !state::is_on() {
        slot.notify();
        return false;
    }
    slot.renew_net();
    if !follow(slot, false) {
        slot.notify();
    }
    true
}
