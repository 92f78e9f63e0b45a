//! Tracked futures: a scope that is entered at each poll.
//!
//! What a future goes through, and what of it is one activation:
//!
//! | step | what happens |
//! |---|---|
//! | `.track(site)` | nothing: the site is noted |
//! | first poll | takes an activation, fixes path and lane, counts one call |
//! | each poll | enters a scope in what is open on the polling thread, polls, leaves it; what was recorded is folded into both |
//! | ready or not | nothing more: a future that is ready still holds its memory |
//! | dropped | enters the scope once more, drops the future inside, leaves, ends the activation |
//!
//! A panic in a poll ends that poll's scope as a return does. What a poll folds into, and how the counters go on
//! from poll to poll, is left to [`scope::poll`](crate::scope::poll); which lane a future runs on, to
//! [`scope::future`](crate::scope::future).

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
use crate::process::ready::{ready, ready_to_enter};
use crate::process::serve::start_threads;
use crate::scope::poll::{end_lane, enter_poll, enter_poll_at, open_poll_of, poll_again};
use crate::scope::{future, leave};
use crate::share::ambient;
use crate::thread::changes::FrameHandle;
use crate::thread::current;
use crate::thread::slot::Slot;

/// A future that is one activation of a site, made by [`TrackExt::track`].
///
/// `ncalls` grows by one at the first poll, however often it is polled and on whichever threads; a future that is
/// never polled is no activation. Each poll is a scope in what is open on the polling thread, and dropping the
/// future, finished or cancelled, happens inside its scope. It is two words larger than the future inside.
///
/// It is `Send` where the future is, so a runtime may move it from thread to thread between polls. It is `Unpin`
/// where the future is. A poll by another thread needs no lock: handing a future over is what orders one poll
/// before the next.
#[must_use = "futures do nothing unless polled"]
pub struct Tracked<F> {
    future: F,
    held: Held,
}

/// What a tracked future holds of the recorder. It is the last field: dropped after the future, it leaves the scope
/// that [`Tracked`]'s own drop entered before. A field that is dropped by hand would be a layer more in the type of
/// a chain of futures.
struct Held {
    /// What is entered at each poll.
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
///
/// It is no activation: it makes no row, and `ncalls` does not change. What the future does while it is polled goes
/// to the captured scope. It is one pointer larger than the future inside.
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct InContext<F> {
    future: ManuallyDrop<F>,
    context: Context,
}

/// Measuring futures: `use memprof::TrackExt as _` gives every future these two methods. `#[track]` on an
/// `async fn` does the same as [`track`](Self::track), at the function itself.
pub trait TrackExt: Future + Sized {
    /// Makes this future one activation of `site`. Costs about 10 ns a poll, and one comparison of a word when
    /// memprof is off; the first poll and the end of a task cost some 70 ns together.
    ///
    /// ```
    /// use std::future::Future as _;
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    ///
    /// use memprof_core::{Site, TrackExt as _};
    ///
    /// let work = async { vec![0_u8; 1000].len() };
    /// let mut tracked = pin!(work.track(Site::named("load")));
    /// let mut context = Context::from_waker(Waker::noop());
    /// assert_eq!(tracked.as_mut().poll(&mut context), Poll::Ready(1000));
    /// ```
    fn track(self, site: &'static Site) -> Tracked<Self> {
        Tracked::new(site, self)
    }

    /// Polls and drops this future under `context`: for a future that is spawned, and so polled on other threads.
    ///
    /// Each poll enters the context and leaves it, some 100 ns, and some 300 ns where it allocates. Track the
    /// future inside as well if it is to have a row of its own: `work.track(site).in_context(context)`.
    ///
    /// ```
    /// use memprof_core::{Context, Scope, Site, TrackExt as _};
    ///
    /// let scope = Scope::enter(Site::named("request"));
    /// let work = async { vec![0_u8; 1000].len() }.in_context(Context::current());
    /// // .. spawn(work) on a runtime, and wait for it ..
    /// # drop(work);
    /// drop(scope);
    /// ```
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
    /// Enters the scope for a poll; `None` if memprof is off or the thread cannot be recorded. The thread's slot is found in the code of whoever
    /// polls, where that takes no call.
    #[inline(always)]
    fn enter(&mut self) -> Option<Entered> {
        if state::is_on() { self.enter_on(current::current()) } else { None }
    }

    /// [`enter`](Self::enter). The short path is that of a poll after the first, on a thread that took note of everything.
    #[inline(never)]
    fn enter_on(&mut self, slot: &'static Slot) -> Option<Entered> {
        if let Some(activation) = self.activation
            && slot.is_informed()
            && let Some(opened) = poll_again(slot, activation)
        {
            return Some(Entered(opened));
        }
        self.enter_slowly()
    }

    /// [`enter`](Self::enter) at the first poll, and where the thread has to take note of something before.
    #[cold]
    fn enter_slowly(&mut self) -> Option<Entered> {
        let slot = ready_to_enter()?;
        start_threads();
        let opened = if let Some(activation) = self.activation {
            future::come_out_of_ambient(slot, activation);
            future::note_parent(slot, activation);
            enter_poll(slot, self.site, activation)
        } else {
            let (activation, path_entry) = future::begin(slot, self.site)?;
            self.activation = Some(activation);
            future::note_parent(slot, activation);
            enter_poll_at(slot, &path_entry, activation)
        };
        opened.map(Entered)
    }

    /// Enters the scope once more, for the drop of the future; its own drop leaves it.
    #[inline(never)]
    fn enter_to_drop(&self) {
        if let Some(activation) = self.activation
            && let Some(slot) = ready()
            && poll_again(slot, activation).is_none()
        {
            future::come_out_of_ambient(slot, activation);
            let _: Option<FrameHandle> = enter_poll(slot, self.site, activation);
        }
    }
}

/// A poll under way. Dropping it ends the poll, by the end of the function or by a panic that unwinds through it.
struct Entered(FrameHandle);

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        leave::leave_entered_poll(current::current(), self.0);
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
        self.held.enter_to_drop();
    }
}

impl Drop for Held {
    /// Leaves the scope, and ends the activation.
    fn drop(&mut self) {
        let Some(activation) = self.activation else { return };
        if let Some(shared) = activation.shared() {
            ambient::end_inside(&shared);
        }
        if let Some(slot) = current::recording() {
            end_lane(slot, activation);
        }
        // Two where a call's own statements drop the future that was made of it.
        for _ in 0..if activation.is_of_call() { 2 } else { 1 } {
            if let Some(opened) = current::recording().and_then(|slot| open_poll_of(slot, activation)) {
                leave::leave_entered_poll(current::current(), opened);
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
///
/// Dropped before the future that was made of it, it leaves the call's scope; the activation goes on with the
/// future. A future of the call that is dropped by the call's own statements ends the activation inside the call.
#[doc(hidden)]
pub struct Call {
    /// The scope of the statements. The first field, so it is left before [`held`](Self::held) ends the activation.
    _entered: Option<Entered>,
    /// Taken by the first future that is made; dropped with the call where there is none.
    held: Cell<Option<Held>>,
    /// That of the call; a further future of it begins an activation there.
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
        if let Some(activation) = held.activation {
            activation.note_call();
        }
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
