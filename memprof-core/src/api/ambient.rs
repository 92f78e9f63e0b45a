//! Ambient scopes: a scope for the threads that no scope reaches.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use crate::api::context::Context;
use crate::base::blind;
use crate::base::lock::{self, Lock, Locked};
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::pages;
use crate::base::state;
use crate::base::tally::{Counters, Tally};
use crate::lanes::captured::{Around, Part, Shared};
use crate::lanes::kind::Kind;
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::process::ready::ready;
use crate::share::open_frames::Stack;
use crate::space::spaces::Space;
use crate::thread::current;
use crate::thread::frame::Frame;
use crate::thread::ledger::Ledger;
use crate::thread::slot::{self, Slot};

/// An ambient scope: it ends when this is dropped. See [`ambient`].
#[must_use = "an ambient scope ends when it is dropped: bind it to a name"]
#[derive(Debug)]
pub struct Ambient {
    /// 0 if memprof was off.
    id: u64,
}

/// An open ambient scope.
#[derive(Clone)]
struct Open {
    id: u64,
    shared: Arc<Shared>,
    /// The scope that was innermost where the ambient one was opened: it gets the sum.
    parent: Option<Arc<Shared>>,
    /// Those of a frame: whether it is inside another activation of its site.
    marks: u64,
}

/// How often a thread's part is read again before it is taken as it is.
const TRIES: u32 = 20_000;

/// In a slot's mark, with the scope's number: the thread is counting its part itself.
const COUNTING: u64 = 1 << 63;

static NEXT: AtomicU64 = AtomicU64::new(1);
/// The ambient scope that threads enter now; 0 for none.
static CURRENT: AtomicU64 = AtomicU64::new(0);
static OPEN: Lock<Vec<Open>> = Lock::new(Vec::new());

fn open() -> Locked<'static, Vec<Open>> {
    OPEN.lock()
}

/// Opens a scope for every thread that has none open, now or later, until the guard is dropped.
///
/// It behaves as a [`Context`] that each of those threads has entered: what they do falls into it, and scopes that
/// they open stand under it. For threads that a program does not start itself: a framework's runner thread, a pool.
/// Nested ambient scopes are last in, first out: one that ends first ends those that were opened in it. It stands in
/// the report as an ordinary row, under the scope in which it was opened, which also gets its sums and ends it when it
/// ends; opened outside any scope, it adds to nobody else.
///
/// A thread with a scope open joins when it has left that scope.
pub fn ambient(name: &str) -> Ambient {
    let Some(slot) = ready() else { return Ambient { id: 0 } };
    let site = Site::named(name);
    let context = Context::current();
    slot.mix();
    let _blind = blind::enter();
    if !pages::program_has(1 << 14) {
        missed::note(Refused::NoMemory);
        return Ambient { id: 0 };
    }
    let parent = context.shared().filter(|shared| !shared.is_closed()).cloned();
    // A scope that has ended still gives the path.
    let base = context.shared().map_or(PathId::ROOT, |captured| captured.path);
    let (Some(step), Some(lane)) = (slot.step(base, site), slot.top().tag().lane()) else { return Ambient { id: 0 } };
    slot.count_call(&step);
    let marks = if parent.is_some() { Slot::marks_for(slot.top(), &step) } else { 0 };
    let around = parent.clone().map_or(Around::Nobody, Around::Elsewhere);
    let shared = Arc::new(Shared::new(lane, step.path, vec![step.path], around));
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut open = open();
    open.push(Open { id, shared, parent, marks });
    CURRENT.store(id, Ordering::Release);
    drop(open);
    slot::announce();
    Ambient { id }
}

impl Drop for Ambient {
    fn drop(&mut self) {
        if self.id != 0 {
            end(|open| open.id == self.id);
        }
    }
}

/// A scope is being left: ends the ambient scopes that were opened in it.
pub(crate) fn end_inside(scope: &Shared) {
    if CURRENT.load(Ordering::Acquire) != 0 {
        end(|open| open.is_in(scope));
    }
}

/// Ends an ambient scope, and first those that were opened in it, which stand behind it.
fn end(is_ending: impl Fn(&Open) -> bool) {
    if lock::holds_any() {
        // A signal handler, or an allocator, inside of the recorder's own work.
        return missed::note(Refused::AtWork);
    }
    let _blind = blind::enter();
    let mut open = open();
    let mut ended: Vec<Open> = Vec::new();
    for one in core::mem::take(&mut *open) {
        let ends = is_ending(&one) || ended.iter().any(|outer| one.is_in(&outer.shared));
        if ends { &mut ended } else { &mut *open }.push(one);
    }
    if ended.is_empty() {
        return;
    }
    CURRENT.store(open.last().map_or(0, |open| open.id), Ordering::Release);
    drop(open);
    slot::announce();
    ended.iter().rev().for_each(Open::end);
}

impl Open {
    fn end(&self) {
        for slot in Slot::all() {
            self.count_part(slot);
        }
        self.shared.close();
        let slot = current::own().unwrap_or_else(Slot::ended);
        for space in Space::all() {
            let Some(tally) = self.shared.pending(space).map(|added| self.sum(space, &added)) else { continue };
            if let Some(parent) = &self.parent {
                parent.add(space, &tally);
            }
            if let Some(row) = slot.ledger(space).and_then(|ledger| ledger.row_of(self.shared.path)) {
                slot.change(|| {
                    row.add(&tally, self.marks);
                    row.raise(tally.counters.peak_bytes, tally.largest);
                });
            }
        }
        slot.count_left(self.shared.path);
    }

    /// Counts a thread's part, unless the thread does: whoever changes the mark. The part is read before that, as the
    /// thread forgets it when it finds the mark changed.
    fn count_part(&self, slot: &'static Slot) {
        /// A thread that counts its part is done soon; in a fork's child it may not exist.
        const TURNS: u32 = 10_000;
        if slot.ambient.load(Ordering::Acquire) == self.id {
            let part: Vec<_> = Space::all().filter_map(|space| Some((space, slot.ambient_part(space)?))).collect();
            if slot.ambient.compare_exchange(self.id, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                for (space, (tally, published)) in part {
                    self.shared.finish(space, &tally, published);
                }
            }
        }
        for _ in 0..TURNS {
            if slot.ambient.load(Ordering::Acquire) != self.id | COUNTING {
                break;
            }
            std::thread::yield_now();
        }
    }

    /// It has no lane of its own.
    fn sum(&self, space: Space, added: &Tally) -> Tally {
        self.shared.sum(space, &Tally::default(), added, &Counters::default())
    }

    /// Whether it was opened in this very scope.
    fn is_in(&self, scope: &Shared) -> bool {
        self.parent.as_ref().is_some_and(|parent| core::ptr::eq(&raw const **parent, scope))
    }

    /// What it recorded so far, as if it ended now, and first those of `open` that were opened in it. Nothing where that is
    /// what is being found out: a future that opened it may be polled in a scope under it.
    fn so_far(&self, space: Space, open: &[Self]) -> Tally {
        let Some(_adding) = Adding::begin(self.id) else { return Tally::default() };
        let threads = Slot::all().filter(|slot| slot.ambient.load(Ordering::Acquire) == self.id);
        let parts = threads.filter_map(|slot| slot.ambient_part(space)).map(|(tally, _)| tally);
        let inside = open.iter().filter(|one| one.is_in(&self.shared)).map(|one| one.so_far(space, open));
        let mut added = self.shared.pending(space).unwrap_or_default();
        parts.chain(inside).for_each(|tally| added.fold(&tally));
        self.sum(space, &added)
    }
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
    fn begin(id: u64) -> Option<Self> {
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

/// Gives each ambient scope that is open to `see`: its path and marks, and what it recorded in a space so far, as if it ended now.
pub(crate) fn each_so_far(space: Space, mut see: impl FnMut(PathId, u64, &Tally)) {
    let open = open().clone();
    for one in &open {
        see(one.shared.path, one.marks, &one.so_far(space, &open));
    }
}

/// What ambient scopes that were opened in `scope` recorded so far, as if they ended now.
pub(crate) fn inside(scope: &Shared, space: Space) -> Tally {
    let mut sum = Tally::default();
    if CURRENT.load(Ordering::Acquire) != 0 {
        let open = open().clone();
        open.iter().filter(|one| one.is_in(scope)).for_each(|one| sum.fold(&one.so_far(space, &open)));
    }
    sum
}

impl Slot {
    /// Takes note of whatever changed, so that the next event like this takes the short path. `false`: memprof is off.
    pub(crate) fn take_note(&'static self) -> bool {
        self.begin_note();
        if !state::is_on() {
            self.notify();
            return false;
        }
        self.renew_net();
        if !self.follow_ambient() {
            self.notify();
        }
        true
    }

    /// Enters or leaves ambient scopes; `false` if that has to wait until this thread has no scope open.
    fn follow_ambient(&'static self) -> bool {
        let current = CURRENT.load(Ordering::Acquire);
        let entered = self.top().below().is_some() && self.first().is_some_and(|first| self.is_ambient(first));
        if entered && self.ambient.load(Ordering::Acquire) == current && current != 0 {
            return true;
        }
        if !entered && current == 0 {
            return true;
        }
        if self.top().depth() > u64::from(entered) {
            return false;
        }
        let _blind = blind::enter();
        if entered {
            self.leave_top();
        }
        // This may be an allocation, which never waits: if somebody is at it, the next event tries again.
        let Some(open) = OPEN.try_lock() else { return false };
        let shared = open.last().map(|open| (open.id, open.shared.clone()));
        drop(open);
        if let Some((id, shared)) = shared
            && self.enter_context(&shared).is_some()
        {
            // What tells it from a context that a guard leaves.
            self.top().hidden.set(Some(&self.base));
            self.ambient.store(id, Ordering::Release);
        }
        true
    }

    /// What is about to be entered here is not under an ambient scope that was opened in it: the thread joins that again
    /// when it has left it.
    pub(crate) fn come_out_of_ambient_in(&'static self, scope: &Shared) {
        let top = self.top();
        if self.is_ambient(top) && top.shared().is_some_and(|ambient| ambient.is_inside(scope)) {
            let _blind = blind::enter();
            self.leave_top();
            self.notify();
        }
    }

    /// Whether this is the context of an ambient scope, which no guard leaves.
    fn is_ambient(&'static self, frame: &'static Frame) -> bool {
        frame.kind() == Kind::Context && frame.hidden.is(&self.base)
    }

    /// The frame on the base.
    fn first(&'static self) -> Option<&'static Frame> {
        self.base.above()
    }

    /// Counts what was recorded under the context of `frame`, unless it is that of an ambient scope that ended and has
    /// counted it already.
    pub(crate) fn count_context(&'static self, frame: &'static Frame, count: impl FnOnce()) {
        if !frame.hidden.is(&self.base) {
            return count();
        }
        frame.hidden.set(None);
        let id = self.ambient.load(Ordering::Acquire);
        let counting = self.ambient.compare_exchange(id, id | COUNTING, Ordering::AcqRel, Ordering::Relaxed);
        if id != 0 && counting.is_ok() {
            count();
        }
        self.ambient.store(0, Ordering::Release);
    }

    /// What this thread recorded in a space under the ambient scope that it entered, and what of it was published, if
    /// anything; asked by another thread.
    fn ambient_part(&'static self, space: Space) -> Option<(Tally, Part)> {
        let frame = self.first()?;
        // The space may have been touched only by others, under a context captured in a scope that is open here.
        let ledger = self.known_ledger(space).unwrap_or_else(Ledger::untouched);
        // The last copy is taken as it is if the thread could not be read whole.
        let copy = || (ledger.tally_of(frame, None), self.waiting_above(frame, space), Stack::of(self, ledger));
        let ((own, waiting, stack), _) = self.read_patiently(ledger, TRIES, copy);
        let mut tally = stack.end_of(frame, space).unwrap_or(own);
        let published = frame.published_with(space, &own, &tally);
        tally.counters.current_bytes -= waiting.bytes.cast_signed();
        tally.counters.current_blocks -= waiting.blocks.cast_signed();
        (tally != Tally::default() || published != Part::default()).then_some((tally, published))
    }
}
