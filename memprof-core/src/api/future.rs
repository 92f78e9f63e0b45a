//! Tracked futures: a scope that is entered at each poll.

#![expect(unsafe_code, reason = "pin projection to a field that is dropped inside the scope")]

use core::cell::Cell;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::task::{Context as TaskContext, Poll};

use crate::api::context::Context;
use crate::base::state;
use crate::lanes::activation::Activation;
use crate::names::site::Site;
use crate::process::ready::ready;
use crate::process::serve::start_threads;
use crate::scope::poll::{end_lane, enter_poll, open_poll_of, poll_again};
use crate::scope::{future, leave};
use crate::share::ambient;
use crate::thread::current;
use crate::thread::stack::FrameHandle;

/// A future that is one activation of a site, made by [`TrackExt::track`].
///
/// `ncalls` grows by one at the first poll, however often it is polled and on whichever threads; a future that is
/// never polled is no activation. Each poll is a scope in what is open on the polling thread, and dropping the
/// future, finished or cancelled, happens inside its scope. It is two words larger than the future inside.
#[must_use = "futures do nothing unless polled"]
pub struct Tracked<F> {
    future: F,
    held: Held,
}

/// What a tracked future holds of the recorder. It is the last field: dropped after the future, it leaves the scope
/// that [`Tracked`]'s own drop entered before. A field that is dropped by hand would be a layer more in the type of
/// a chain of futures.
struct Held {
    site: &'static Site,
    /// Taken at the first poll.
    activation: Option<&'static Activation>,
}

impl<F> core::fmt::Debug for Tracked<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tracked").field("site", self.held.site).finish_non_exhaustive()
    }
}

/// A future that is polled and dropped under a [`Context`], made by [`TrackExt::in_context`].
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct InContext<F> {
    future: ManuallyDrop<F>,
    context: Context,
}

/// Measuring futures.
pub trait TrackExt: Future + Sized {
    /// Makes this future one activation of `site`. Costs about 10 ns a poll and one pointer-sized comparison when
    /// memprof is off.
    fn track(self, site: &'static Site) -> Tracked<Self> {
        Tracked::new(site, self)
    }

    /// Polls and drops this future under `context`: for a future that is spawned, and so polled on other threads.
    fn in_context(self, context: Context) -> InContext<Self> {
        InContext { future: ManuallyDrop::new(self), context }
    }
}

impl<F: Future> TrackExt for F {}

impl<F> Tracked<F> {
    #[doc(hidden)]
    pub fn new(site: &'static Site, future: F) -> Self {
        Self { future, held: Held { site, activation: None } }
    }
}

impl Held {
    /// Enters the scope for a poll; `None` if memprof is off or the thread cannot be recorded.
    fn enter(&mut self) -> Option<Entered> {
        if !state::is_on() {
            return None;
        }
        let slot = current::current();
        if let Some(activation) = self.activation
            && slot.is_informed()
            && let Some(opened) = poll_again(slot, self.site, activation)
        {
            return Some(Entered(opened));
        }
        self.enter_slowly()
    }

    #[cold]
    fn enter_slowly(&mut self) -> Option<Entered> {
        let slot = ready()?;
        start_threads();
        let activation = if let Some(activation) = self.activation {
            future::come_out_of_ambient(slot, activation);
            activation
        } else {
            *self.activation.insert(future::begin(slot, self.site)?)
        };
        future::note_parent(slot, activation);
        enter_poll(slot, self.site, activation).map(Entered)
    }
}

/// A poll under way; it ends also when the poll panics.
struct Entered(FrameHandle);

impl Drop for Entered {
    fn drop(&mut self) {
        leave::leave_entered_poll(self.0);
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<F::Output> {
        self.poll_between(context, || (), |_| ())
    }
}

impl<F: Future> Tracked<F> {
    /// Polls the future, with `before` and, where it is ready, `ready` called in its scope, which may not have been
    /// recorded.
    #[inline(always)]
    pub(crate) fn poll_between(
        self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        before: impl FnOnce(),
        ready: impl FnOnce(Option<FrameHandle>),
    ) -> Poll<F::Output> {
        // SAFETY: nothing is moved out of `this`; `future` is only ever pinned in place.
        let this = unsafe { self.get_unchecked_mut() };
        let entered = this.held.enter();
        before();
        // SAFETY: `self` was pinned, so its field is; `Drop` does not move it either.
        let future = unsafe { Pin::new_unchecked(&mut this.future) };
        let polled = future.poll(context);
        if polled.is_ready() {
            ready(entered.as_ref().map(|entered| entered.0));
        }
        polled
    }

    pub(crate) fn site(&self) -> &'static Site {
        self.held.site
    }
}

impl<F> Drop for Tracked<F> {
    /// Enters the scope, in which the future is dropped next.
    fn drop(&mut self) {
        if let Some(activation) = self.held.activation
            && let Some(slot) = ready()
        {
            future::come_out_of_ambient(slot, activation);
            let _: Option<FrameHandle> = enter_poll(slot, self.held.site, activation);
        }
    }
}

impl Drop for Held {
    /// Leaves the scope, and ends the activation.
    fn drop(&mut self) {
        let Some(activation) = self.activation else { return };
        if let Some(shared) = activation.shared() {
            ambient::end_inside(&shared);
        }
        if let Some(slot) = current::own() {
            end_lane(slot, activation);
        }
        // Two only where a call's own statements drop the future that was made of it.
        for _ in 0..2 {
            if let Some(opened) = current::own().and_then(|slot| open_poll_of(slot, activation)) {
                leave::leave_entered_poll(opened);
            }
        }
        future::end(activation);
    }
}

/// A call of a function that makes its future itself: the statements before an `async` block at its end.
///
/// They are the first poll of that future in all but name. The activation begins here, on the lane of its own that
/// a task has, and its path is fixed; the future goes on with it ([`future`](Self::future)). If none is made, it
/// ends with the call.
#[doc(hidden)]
pub struct Call {
    /// Left first.
    _entered: Option<Entered>,
    held: Cell<Option<Held>>,
    site: &'static Site,
    _on_this_thread: PhantomData<*const ()>,
}

impl core::fmt::Debug for Call {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Call").field("site", self.site).finish_non_exhaustive()
    }
}

impl Call {
    /// Begins the activation, if memprof measures.
    pub fn begin(site: &'static Site) -> Self {
        let mut held = Held { site, activation: None };
        let entered = held.enter();
        Self { _entered: entered, held: Cell::new(Some(held)), site, _on_this_thread: PhantomData }
    }

    /// The future of this call. A second one would be an activation of its own.
    pub fn future<F>(&self, future: F) -> Tracked<F> {
        let held = self.held.take().unwrap_or(Held { site: self.site, activation: None });
        Tracked { future, held }
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<F::Output> {
        // SAFETY: nothing is moved out of `this`; `future` is only ever pinned in place.
        let this = unsafe { self.get_unchecked_mut() };
        let _guard = this.context.enter();
        // SAFETY: `self` was pinned, so its field is; `Drop` does not move it either.
        let future = unsafe { Pin::new_unchecked(&mut *this.future) };
        future.poll(context)
    }
}

impl<F> Drop for InContext<F> {
    fn drop(&mut self) {
        let _guard = self.context.enter();
        // SAFETY: dropped here and nowhere else; it stays where it was pinned.
        unsafe { ManuallyDrop::drop(&mut self.future) };
    }
}
