//! `#[limit]` on a future: it is judged when it is ready.
//!
//! It is [`limit`](crate::api::limit) over several polls. What is judged is the future's own activation, whatever
//! polls it and on however many threads; the poll in which it is ready measures, still inside of its scope, and
//! judges after it was left. A future that is dropped before it is ready was given up, by a timeout or a `select!`,
//! and has no result that could be judged.

#![expect(unsafe_code, reason = "pin projection to the tracked future")]

use core::cell::Cell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context as TaskContext, Poll};

use crate::api::ambient::{Ambient, ambient_of};
use crate::api::future::Tracked;
use crate::api::limit::{Begun, Limits, judge, measure};
use crate::thread::current;

/// A tracked future that is judged when it is ready; dropped before that, it is not.
#[must_use = "futures do nothing unless polled"]
pub struct InLimits<F> {
    /// Dropped before the future: what pools do is in its scope then.
    threads: Option<Ambient>,
    tracked: Tracked<F>,
    limits: &'static Limits,
    /// Set at the first poll: a future that is never polled is no activation, and switches nothing on.
    begun: Option<Begun>,
}

impl<F> core::fmt::Debug for InLimits<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("InLimits").field("tracked", &self.tracked).finish_non_exhaustive()
    }
}

impl<F> InLimits<F> {
    /// Judges `tracked`.
    pub fn new(limits: &'static Limits, tracked: Tracked<F>) -> Self {
        Self { threads: None, tracked, limits, begun: None }
    }
}

impl<F: Future> Future for InLimits<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<F::Output> {
        // SAFETY: nothing is moved out of `this`; `tracked` is only ever pinned in place.
        let this = unsafe { self.get_unchecked_mut() };
        let limits = this.limits;
        let is_first = this.begun.is_none();
        let begun = *this.begun.get_or_insert_with(Begun::now);
        let site = this.tracked.site();
        // SAFETY: `self` was pinned, so its field is.
        let tracked = unsafe { Pin::new_unchecked(&mut this.tracked) };
        let threads = Cell::new(this.threads.take());
        let open = || {
            if is_first && limits.threads {
                threads.set(Some(ambient_of(site.of_other_threads())));
            }
        };
        let mut measured = None;
        let polled = tracked.poll_between(context, open, |entered| {
            threads.set(None);
            let open = current::recording().and_then(|slot| Some((slot, slot.frame_of(entered?)?)));
            measured = open.map(|(slot, frame)| measure(limits, slot, frame));
        });
        this.threads = threads.into_inner();
        if polled.is_ready() && !std::thread::panicking() {
            judge(site, limits, begun, measured);
        }
        polled
    }
}
