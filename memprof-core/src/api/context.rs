//! `Context`: a scope that other threads and tasks may work for.

use core::marker::PhantomData;
use std::sync::Arc;

use crate::base::blind;
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::pages;
use crate::lanes::captured::Shared;
use crate::process::ready::ready;
use crate::scope::leave;
use crate::share::context::{capture, enter_context};
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
