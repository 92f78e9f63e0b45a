//! `Scope`: the guard of one activation of a site, and what is asked of scopes that are open.
//!
//! Which slot a scope is entered in is looked up here; what entering and leaving does is left to `scope`.

use core::marker::PhantomData;

use crate::base::blind;
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::pages;
use crate::base::state;
use crate::base::tally::{Counters, Tally};
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::process::ready::{ready, ready_to_enter};
use crate::process::serve::start_threads;
use crate::scope::leave;
use crate::scope::plain;
use crate::share::ambient;
use crate::share::open_frames::Stack;
use crate::share::publish::before_poll;
use crate::share::settle::settle;
use crate::space::spaces::Space;
use crate::thread::changes::FrameHandle;
use crate::thread::current;
use crate::thread::frame::{CallRow, Frame};
use crate::thread::slot::Slot;

/// One activation of a [`Site`], open until it is dropped.
///
/// Scopes nest on the thread that entered them: leaving one first ends whatever was entered inside it and not left.
/// Entering and leaving together cost about 5 ns while memprof measures, and below 1 ns while it does not. A scope
/// that was entered while memprof was off records nothing, even if it is switched on meanwhile.
///
/// It stays on its thread (`!Send`): what a scope counts is what its own thread does. Another thread joins in through
/// a [`Context`](crate::Context), and a future is measured by [`TrackExt::track`](crate::TrackExt::track).
///
/// ```compile_fail,E0277
/// # use memprof_core as memprof;
/// let scope = memprof::Scope::enter(memprof::Site::named("stays"));
/// std::thread::spawn(move || drop(scope));
/// ```
///
/// An activation records the same wherever its guard is: in a variable, in a struct, in a `Box`. Forgetting one
/// (`mem::forget`) leaves it open until a scope around it is left, or the thread ends.
#[must_use = "a scope ends when it is dropped: bind it to a name"]
pub struct Scope {
    opened: Option<FrameHandle>,
    _on_this_thread: PhantomData<*const ()>,
}

impl core::fmt::Debug for Scope {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Scope").field("measured", &self.opened.is_some()).finish_non_exhaustive()
    }
}

/// What a scope recorded, from its entry to its end.
///
/// A plain value, which says nothing about time: it may be kept, compared and sent.
#[derive(Clone, Debug, Default)]
pub struct Measurement {
    spaces: Vec<(Space, Counters)>,
}

impl Measurement {
    /// The counters of one space; zeros where nothing happened, and if memprof was off.
    ///
    /// ```
    /// # use memprof_core as memprof;
    /// let measured = memprof::Scope::enter(memprof::Site::named("build")).finish();
    /// assert!(measured.counters(memprof::Space::HOST).peak_bytes >= 0);
    /// ```
    pub fn counters(&self, space: Space) -> Counters {
        self.spaces.iter().find(|(known, _)| *known == space).map(|(_, counters)| *counters).unwrap_or_default()
    }
}

impl Scope {
    /// Enters a scope of `site`, until the result is dropped.
    ///
    /// ```
    /// # use memprof_core as memprof;
    /// let scope = memprof::Scope::enter(memprof::Site::named("load"));
    /// // .. work ..
    /// drop(scope);
    /// ```
    #[inline]
    pub fn enter(site: &'static Site) -> Self {
        Self { opened: enter(site), _on_this_thread: PhantomData }
    }

    /// The counters so far, with the scopes inside it as if they ended now; zeros if memprof was off at entry.
    ///
    /// Costs some 30 ns. On another thread than the scope's own it cannot be asked, as the guard stays there.
    pub fn counters(&self, space: Space) -> Counters {
        if blind::is_blind() {
            return Counters::default();
        }
        self.open_frame().map(|(slot, frame)| read(slot, frame, space).counters).unwrap_or_default()
    }

    /// Leaves the scope and gives what it recorded.
    ///
    /// What was entered inside and not left is ended first, so that the numbers are those of a whole activation.
    /// Costs some 150 ns, and allocates what it returns, which is in no number.
    pub fn finish(self) -> Measurement {
        let _blind = blind::enter();
        let Some((slot, frame)) = self.open_frame() else { return Measurement::default() };
        leave::leave_above(slot, frame);
        let spaces = Space::all().map(|space| (space, read(slot, frame, space).counters));
        Measurement { spaces: spaces.filter(|(_, counters)| *counters != Counters::default()).collect() }
    }

    /// The scope's frame, while it is open and this is its thread.
    pub(crate) fn open_frame(&self) -> Option<(&'static Slot, &'static Frame)> {
        let slot = current::recording()?;
        Some((slot, slot.frame_of(self.opened?)?))
    }
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        match self.opened {
            Some(opened) if BY_CALLS => leave_by_call(opened),
            Some(opened) => leave::leave(opened),
            None => {}
        }
    }
}

/// The counters of this thread's innermost open scope, or of its base record where none is open.
///
/// In a tracked future: what the future recorded so far, over all its polls. Under an entered
/// [`Context`](crate::Context) and no scope of the thread's own: what this thread added under it so far. Costs some
/// 20 ns, about ten times that where a scope of this thread was captured as a `Context`. Zeros where memprof itself
/// is at work on this thread, and a signal handler or an allocator asks.
///
/// ```
/// # use memprof_core as memprof;
/// let before = memprof::counters(memprof::Space::HOST).current_bytes;
/// ```
pub fn counters(space: Space) -> Counters {
    if blind::is_blind() {
        return Counters::default();
    }
    // An ambient scope may have opened or ended since this thread's last event.
    let Some(slot) = ready().or_else(current::recording) else { return Counters::default() };
    counted(slot, slot.top(), space)
}

/// What the activation of `frame` recorded so far; of a future, over all its polls. The formula is that of a poll
/// that ends.
pub(crate) fn counted(slot: &'static Slot, frame: &'static Frame, space: Space) -> Counters {
    let now = read(slot, frame, space);
    let mut sum = before_poll(frame, space);
    sum.fold(&now);
    sum.counters
}

/// The names of the scopes that are open on this thread, innermost first; those under an entered `Context` come before
/// those that it was captured in.
pub fn open_scopes() -> Vec<String> {
    let Some(slot) = current::recording() else { return Vec::new() };
    let _blind = blind::enter();
    let mut names = Vec::new();
    let mut path = slot.top().path();
    while path != PathId::ROOT {
        names.extend(Site::of_id(path.site()).map(Site::full_name));
        path = path.parent();
    }
    names
}

/// What `frame` recorded so far; of a poll, what that poll did.
fn read(slot: &'static Slot, frame: &'static Frame, space: Space) -> Tally {
    let _blind = blind::enter();
    slot.take_in_aside();
    slot.end_growing();
    settle(slot);
    let of_ledger = || slot.known_ledger(space).map(|ledger| ledger.tally_of(frame, None)).unwrap_or_default();
    if slot.sharing.get().is_none() {
        return of_ledger();
    }
    if !pages::program_has(for_a_copy(slot)) {
        // What others added for a captured scope is left out.
        missed::note(Refused::NoMemory);
        return of_ledger();
    }
    // A space may have been touched only by others, under a context captured here.
    let Some(ledger) = slot.ledger(space) else { return Tally::default() };
    Stack::of(slot, space, ledger).end_of(frame, space, ambient::inside).unwrap_or_default()
}

/// More bytes than a copy of what is open on a thread asks the program's allocator for, ambient scopes included.
fn for_a_copy(slot: &'static Slot) -> usize {
    const FOR_A_FRAME: usize = 512;
    const FOR_THE_REST: usize = 32 << 10;
    usize::try_from(slot.top().depth()).unwrap_or(0).saturating_mul(FOR_A_FRAME).saturating_add(FOR_THE_REST)
}

/// Whether scopes are entered and left by calls, and not by code within the program's functions. So they are in what `cargo memprof` builds: where
/// each function is tracked that may allocate, the program's code is a fifth smaller for it, small functions go on being inlined, and a call takes
/// some 15 instructions more while memprof measures.
const BY_CALLS: bool = cfg!(memprof_by_calls);

/// Enters a plain scope, if memprof measures and this thread can be recorded.
#[inline(always)]
fn enter(site: &'static Site) -> Option<FrameHandle> {
    match state::is_on() {
        true if BY_CALLS => enter_by_call(site),
        true => enter_on(site),
        false => None,
    }
}

#[inline(never)]
fn enter_by_call(site: &'static Site) -> Option<FrameHandle> {
    enter_on(site)
}

#[inline(never)]
fn leave_by_call(opened: FrameHandle) {
    leave::leave(opened);
}

#[inline]
fn enter_on(site: &'static Site) -> Option<FrameHandle> {
    let slot = current::current();
    plain::enter(slot, site, || enter_slowly(site), |frame, path, calls| enter_again(site, frame, path, calls, slot))
}

/// [`enter`] where a scope of the site is open. What it takes is in registers there anyway.
#[cold]
#[inline(never)]
fn enter_again(
    site: &'static Site,
    frame: &'static Frame,
    path: PathId,
    calls: &'static CallRow,
    slot: &'static Slot,
) -> Option<FrameHandle> {
    plain::enter_again(slot, frame, path, calls).or_else(|| enter_slowly(site))
}

/// [`enter`] where the cache of paths has forgotten where that leads, or more has to be done first.
#[cold]
#[inline(never)]
fn enter_slowly(site: &'static Site) -> Option<FrameHandle> {
    let slot = current::current();
    if slot.is_informed() {
        start_threads();
        if let Some(entered) = plain::enter_known(slot, site) {
            return Some(entered);
        }
    }
    enter_first(site)
}

/// [`enter`] where something has to be done first: taking a slot, taking note of a switch, starting memprof's
/// threads, making the path's node, charging what was handed over.
#[cold]
#[inline(never)]
fn enter_first(site: &'static Site) -> Option<FrameHandle> {
    let slot = ready_to_enter()?;
    start_threads();
    let top = slot.top();
    let path_entry = slot.path_entry(top.path(), site)?;
    settle(slot);
    let _change = slot.begin_change();
    slot.enter_scope(top, &path_entry)
}
