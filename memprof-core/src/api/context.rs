//! `Context`: a scope that other threads and tasks may work for.

use core::marker::PhantomData;
use std::sync::Arc;

use crate::base::blind;
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::pages;
use crate::base::tally::Counters;
use crate::lanes::captured::{Around, Shared};
use crate::lanes::kind::Kind;
use crate::lanes::lane::Lane;
use crate::names::path::PathId;
use crate::process::ready::ready;
use crate::scope::leave;
use crate::scope::plain;
use crate::share::context::enter_context;
use crate::share::forward;
use crate::share::publish::before_poll;
use crate::share::publish::note_published;
use crate::share::settle::settle;
use crate::space::spaces::Space;
use crate::thread::frame::Frame;
use crate::thread::slot::Slot;
use crate::thread::stack::FrameHandle;

/// The innermost open scope of the thread or task that captured it, for others to work under.
///
/// Clone it, send it to another thread or task and [`enter`](Self::enter) it there. While it is entered, what happens
/// goes to the scopes entered under it, or directly to the captured scope, and to nothing that the thread had open
/// before. Totals and values reach the captured scope exactly, when the guards are dropped; its peak is the peak of
/// the sum over the capturing lane and all threads under the context, to within 64 KiB a thread on the host and
/// exactly in every other space.
///
/// A context that outlives its scope still gives the path, and adds to nobody. So does one that was captured outside
/// any scope. One that was captured while memprof was off does nothing.
///
/// ```
/// # use memprof_core as memprof;
/// let scope = memprof::Scope::enter(memprof::Site::named("parent"));
/// let context = memprof::Context::current();
/// std::thread::scope(|threads| {
///     threads.spawn(|| context.run(|| vec![0_u8; 1000].len()));
/// });
/// drop(scope);
/// ```
#[derive(Clone, Default)]
pub struct Context {
    shared: Option<Arc<Shared>>,
}

impl core::fmt::Debug for Context {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Context")
            .field("open", &self.shared.as_ref().is_some_and(|shared| !shared.is_closed()))
            .finish()
    }
}

/// Keeps a [`Context`] entered until it is dropped, on the thread that entered it: send the context, not this.
///
/// ```compile_fail,E0277
/// # use memprof_core as memprof;
/// let guard = memprof::Context::current().enter();
/// std::thread::spawn(move || drop(guard));
/// ```
#[must_use = "the context is left when this is dropped: bind it to a name"]
pub struct ContextGuard {
    opened: Option<FrameHandle>,
    _on_this_thread: PhantomData<*const ()>,
}

/// More bytes than the capture of a scope asks the program's allocator for, but in deep recursions.
const FOR_A_CAPTURE: usize = 16 << 10;

impl Context {
    /// Captures the innermost open scope. Costs about 200 ns the first time in a scope, some 20 ns after that.
    pub fn current() -> Self {
        let Some(slot) = ready() else { return Self::default() };
        let _blind = blind::enter();
        if !pages::program_has(FOR_A_CAPTURE) {
            missed::note(Refused::NoMemory);
            return Self::default();
        }
        Self { shared: capture(slot) }
    }

    /// Works under the captured scope until the guard is dropped.
    pub fn enter(&self) -> ContextGuard {
        let opened = self.shared.as_ref().and_then(|shared| {
            let slot = ready()?;
            let _blind = blind::enter();
            enter_context(slot, shared)
        });
        ContextGuard { opened, _on_this_thread: PhantomData }
    }

    /// Runs `work` under the captured scope.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        let _guard = self.enter();
        work()
    }

    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        self.shared.as_ref()
    }
}

impl core::fmt::Debug for ContextGuard {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ContextGuard").field("entered", &self.opened.is_some()).finish_non_exhaustive()
    }
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        if let Some(opened) = self.opened.take() {
            leave::leave(opened);
        }
    }
}

/// The shared part of the innermost open scope, made now if it has none. The thread is blind.
fn capture(slot: &'static Slot) -> Option<Arc<Shared>> {
    settle(slot);
    slot.note_foreign_frees();
    let frame = slot.top();
    if let Some(shared) = frame.shared() {
        return Some(shared);
    }
    let lane = frame.tag().lane()?;
    if frame.kind() == Kind::Base {
        let nobody = Arc::new(Shared::new(lane, PathId::ROOT, Vec::new(), Around::Nobody));
        nobody.close();
        return Some(nobody);
    }
    if let Some(future) = future_of(frame)
        && let Some(shared) = future.activation.shared()
    {
        plain::share(slot, frame, shared.clone());
        forward::begin(slot, |below| !core::ptr::eq(below, frame));
        return Some(shared);
    }
    let shared = Arc::new(Shared::new(lane, frame.path(), nodes_around(frame), around(slot, frame)));
    if let Some(future) = future_of(frame) {
        future.activation.capture(shared.clone());
    }
    for space in Space::all() {
        let ledger = slot.known_ledger(space).filter(|_| frame.has(space.bit()));
        let own = ledger.map(|ledger| ledger.tally_of(frame, None).counters).unwrap_or_default();
        let before = before_poll(frame, space).counters;
        if [own, before] != [Counters::default(); 2] {
            shared.begin(space, &before, &own);
        }
    }
    plain::share(slot, frame, shared.clone());
    let own = slot.host.tally_of(frame, None).counters;
    note_published(frame, own.current_bytes, own.current_blocks);
    forward::begin(slot, |below| !core::ptr::eq(below, frame));
    Some(shared)
}

/// The captured scope that `frame`, the top, folds into. A future has none: each poll folds into what is open there.
fn around(slot: &'static Slot, frame: &'static Frame) -> Around {
    if frame.kind() == Kind::Poll {
        return Around::Nobody;
    }
    let below = slot.sharing.get().and_then(|below| Some((below.kind(), below.shared()?)));
    below.map_or(Around::Nobody, |(kind, shared)| match kind {
        Kind::Context | Kind::Ambient => Around::Elsewhere(shared),
        Kind::Base | Kind::Scope | Kind::Poll => Around::Here(shared),
    })
}

fn future_of(frame: &'static Frame) -> Option<&'static Lane> {
    if frame.kind() == Kind::Poll { frame.future.get() } else { None }
}

/// The nodes that are open with `top` and stay so: its own, and those below it down to the context that it is under.
fn nodes_around(top: &'static Frame) -> Vec<PathId> {
    let mut nodes = Vec::new();
    for frame in core::iter::successors(Some(top), |frame| frame.below()) {
        match frame.kind() {
            Kind::Base => break,
            Kind::Context | Kind::Ambient => {
                // A future has nobody around it.
                if top.kind() == Kind::Poll {
                    nodes.extend(frame.shared().iter().flat_map(|shared| shared.open_nodes()));
                }
                break;
            }
            Kind::Scope | Kind::Poll => nodes.push(frame.path()),
        }
    }
    nodes.sort_unstable_by_key(|node| node.index());
    nodes.dedup();
    nodes
}
