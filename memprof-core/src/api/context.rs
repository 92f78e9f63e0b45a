//! `Context`: a scope that other threads and tasks may work for.
//!
//! Capturing is cheap, so take one where the work is handed out, and not one for the life of a program: a context
//! belongs to the activation that was open when it was made. What a captured scope and its helpers share is left to
//! [`captured`](crate::lanes::captured); how a context is entered, to [`share::context`](crate::share::context).

use core::marker::PhantomData;
use std::sync::Arc;

use crate::base::blind;
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::pages;
use crate::lanes::captured::Shared;
use crate::process::ready::ready_to_enter;
use crate::scope::leave;
use crate::share::context::{capture, enter_context};
use crate::thread::changes::FrameHandle;

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
    /// What the captured scope and its helpers have in common; `None` of one that was captured while memprof was
    /// off.
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
    /// `None` where there was nothing to enter: memprof off, no scope captured, no memory for a frame.
    opened: Option<FrameHandle>,
    _on_this_thread: PhantomData<*const ()>,
}

/// More bytes than the capture of a scope asks the program's allocator for, but in deep recursions.
const FOR_A_CAPTURE: usize = 16 << 10;

impl Context {
    /// Captures the innermost open scope. Costs about 500 ns the first time in a scope, some 70 ns after that.
    ///
    /// In a tracked future it is the future that is captured, for all its polls. The first time in a scope, the
    /// program's allocator is asked for some hundred bytes, which are in no number; a scope that was captured tells its
    /// helpers' sum what it holds: of the host every 32 KiB, in other spaces, and while a captured future is polled, at each event.
    pub fn current() -> Self {
        let Some(slot) = ready_to_enter() else { return Self::default() };
        let _blind = blind::enter();
        if !pages::program_has(FOR_A_CAPTURE) {
            missed::note(Refused::NoMemory);
            return Self::default();
        }
        Self { shared: capture(slot) }
    }

    /// Works under the captured scope until the guard is dropped.
    ///
    /// Entering and leaving cost some 100 ns together, and some 300 ns where something was allocated: it is added
    /// to the captured scope under a short lock. Guards nest as scopes do: leaving one first ends whatever was
    /// entered inside it and not left. Entering it on the thread that captured it is allowed, and counts as the
    /// work of another.
    pub fn enter(&self) -> ContextGuard {
        let opened = self.shared.as_ref().and_then(|shared| {
            let slot = ready_to_enter()?;
            let _blind = blind::enter();
            enter_context(slot, shared)
        });
        ContextGuard { opened, _on_this_thread: PhantomData }
    }

    /// Runs `work` under the captured scope, and leaves it also if `work` panics.
    ///
    /// ```
    /// # use memprof_core as memprof;
    /// let context = memprof::Context::current();
    /// assert_eq!(context.run(|| 2 + 2), 4);
    /// ```
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        let _guard = self.enter();
        work()
    }

    /// `work` as it is to be called by somebody else, once: it [runs](Self::run) under the captured scope. For what takes a
    /// closure, as a thread, a pool or a channel of jobs does.
    ///
    /// ```
    /// # use memprof_core as memprof;
    /// let length = std::thread::spawn(memprof::Context::current().wrap(|| vec![0_u8; 1000].len()));
    /// assert_eq!(length.join().unwrap(), 1000);
    /// ```
    pub fn wrap<R>(self, work: impl FnOnce() -> R) -> impl FnOnce() -> R {
        move || self.run(work)
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
