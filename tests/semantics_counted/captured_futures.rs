//! Contexts and futures: the peaks of a future that was captured, and of the captured scope that it is polled in.

use std::cell::OnceCell;
use std::future::{Future, poll_fn};
use std::mem::replace;
use std::pin::Pin;
use std::task::{Context as Wakers, Poll, Waker};

use crate::common::{Worker, alone, arena, columns, columns_of, free, row, site, six};
use memprof::{Context, Scope, Space, TrackExt as _};

const BYTES: u64 = 1000;
/// The contract's bound on a peak of the host.
const STEP: i64 = 64 << 10;

fn alloc(address: u64) {
    memprof::record_alloc(arena(), address, BYTES);
}

/// Polls `future` until it is finished, with `between` after each poll that was not the last.
fn drive<F: Future<Output = ()>>(future: F, mut between: impl FnMut()) {
    let mut future = Box::pin(future);
    while future.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_pending() {
        between();
    }
}

/// A future that is pending once.
fn pause() -> impl Future<Output = ()> {
    let mut polled = false;
    poll_fn(move |_| if replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
}

#[test]
fn a_polls_peak_is_that_of_its_sum_with_what_a_context_freed() {
    let _alone = alone();
    let around = Scope::enter(site("around a freed poll"));
    let mut polls = 0;
    let body = poll_fn(|_| {
        polls += 1;
        if polls == 1 {
            alloc(100);
        }
        let helper = Worker::under(&Context::current());
        for address in 0..5 {
            alloc(address);
            helper.run(move |_| free(address));
        }
        assert_eq!(columns_of("freed poll").1, 2000, "in poll {polls}");
        helper.end();
        // Freed between this poll and the next.
        alloc(polls);
        if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
    });
    let mut task = Box::pin(body.track(site("freed poll")));
    for poll in 1..=3 {
        let now = Pin::new(&mut task).poll(&mut Wakers::from_waker(Waker::noop()));
        assert_eq!(now.is_ready(), poll == 3);
        free(poll);
    }
    drop(task);
    // The block of the first poll and one in flight.
    assert_eq!(six(around.finish().counters(arena())), [1000, 1, 2000, 2, 19_000, 19]);
    assert_eq!(columns_of("freed poll"), (1, 2000, 19_000));
    free(100);
}

#[test]
fn a_poll_peaks_at_what_it_held_and_not_at_what_an_earlier_one_did() {
    let _alone = alone();
    let around = Scope::enter(site("around a later poll"));
    let mut polls = 0;
    let mut task = Box::pin(
        poll_fn(|_| {
            polls += 1;
            if polls == 1 {
                let _context = Context::current();
                [1, 2, 3].into_iter().for_each(alloc);
                [1, 2, 3].into_iter().for_each(free);
                return Poll::Pending;
            }
            let context = Context::current();
            std::thread::spawn(move || context.run(|| [alloc(4), free(4)])).join().expect("no panic");
            Poll::Ready(())
        })
        .track(site("later poll")),
    );
    for ready in [false, true] {
        let now = Pin::new(&mut task).poll(&mut Wakers::from_waker(Waker::noop()));
        assert_eq!(now.is_ready(), ready);
        [10, 11].into_iter().filter(|_| !ready).for_each(alloc);
    }
    drop(task);
    assert_eq!(six(around.finish().counters(arena())), [2000, 2, 3000, 3, 6000, 6]);
    assert_eq!(columns_of("later poll"), (1, 3000, 4000));
    [10, 11].into_iter().for_each(free);
}

#[test]
fn a_future_that_freed_blocks_before_it_was_captured_has_no_peak_of_them() {
    let _alone = alone();
    let body = async {
        [1, 2, 3].into_iter().for_each(alloc);
        let mut polls = 0;
        let inside = poll_fn(|_| {
            polls += 1;
            if polls == 1 {
                [1, 2, 3].into_iter().for_each(free);
                return Poll::Pending;
            }
            let context = Context::current();
            std::thread::spawn(move || context.run(|| [alloc(4), free(4)])).join().expect("no panic");
            Poll::Ready(())
        });
        inside.track(site("freed before")).await;
    };
    let mut task = Box::pin(body.track(site("around freed before")));
    for ready in [false, true] {
        let now = Pin::new(&mut task).poll(&mut Wakers::from_waker(Waker::noop()));
        assert_eq!(now.is_ready(), ready);
    }
    drop(task);
    assert_eq!(columns(&row(&memprof::snapshot(), arena(), "freed before")), (1, 0, 1000));
    assert_eq!(columns_of("around freed before"), (1, 3000, 4000));
}

#[test]
fn what_was_freed_under_a_futures_context_between_its_polls_is_off_the_scope_around_before_the_next() {
    let _alone = alone();
    let scope = Scope::enter(site("around a fan-out"));
    let _captured = Context::current();
    let context = OnceCell::new();
    let body = async {
        alloc(1);
        context.get_or_init(Context::current);
        pause().await;
        alloc(2);
    };
    drive(body.track(site("fan-out")), || {
        let helper = Worker::under(context.get().expect("captured"));
        helper.run(|_| free(1));
        helper.end();
    });
    assert_eq!(columns_of("fan-out"), (1, 1000, 2000));
    assert_eq!(six(scope.finish().counters(arena())), [1000, 1, 1000, 1, 2000, 2]);
    free(2);
}

#[test]
fn what_was_freed_under_a_futures_context_is_off_the_captured_scope_around_at_the_next_event() {
    let _alone = alone();
    let scope = Scope::enter(site("around a helped poll"));
    let _captured = Context::current();
    let body = async {
        alloc(1);
        let helper = Worker::under(&Context::current());
        helper.run(|_| free(1));
        helper.end();
        alloc(2);
        // Likewise under the context of a scope inside it.
        let _inside = Scope::enter(site("inside a helped poll"));
        let helper = Worker::under(&Context::current());
        helper.run(|_| free(2));
        helper.end();
        alloc(3);
    };
    drive(body.track(site("helped poll")), || ());
    assert_eq!(columns_of("inside a helped poll"), (1, 0, 1000));
    assert_eq!(columns_of("helped poll"), (1, 1000, 3000));
    assert_eq!(six(scope.finish().counters(arena())), [1000, 1, 1000, 1, 3000, 3]);
    free(3);
}

#[test]
fn a_spawned_future_whose_own_helpers_free_for_it_raises_no_peak_of_the_scope_that_spawned_it() {
    let _alone = alone();
    let scope = Scope::enter(site("spawns"));
    let spawned = Context::current();
    let body = async {
        for address in 0..5 {
            alloc(address);
            let helper = Worker::under(&Context::current());
            helper.run(move |_| free(address));
            helper.end();
        }
        pause().await;
        alloc(5);
        free(5);
    };
    let task = body.track(site("spawned")).in_context(spawned);
    std::thread::spawn(move || drive(task, || ())).join().expect("no panic");
    assert_eq!(columns_of("spawned"), (1, 1000, 6000));
    assert_eq!(six(scope.finish().counters(arena())), [0, 0, 1000, 1, 6000, 6]);
}

#[test]
fn a_polls_own_peak_does_not_stand_on_what_others_allocated_after_it() {
    let _alone = alone();
    let scope = Scope::enter(site("around an early peak"));
    let context = Context::current();
    let body = async {
        let _captured = Context::current();
        alloc(1);
        free(1);
        let helper = Worker::under(&context);
        helper.run(|_| alloc(2));
        helper.end();
    };
    drive(body.track(site("early peak")), || ());
    assert_eq!(columns_of("early peak"), (1, 1000, 1000));
    assert_eq!(six(scope.finish().counters(arena())), [1000, 1, 1000, 1, 2000, 2]);
    free(2);
}

#[test]
fn on_the_host_too_what_helpers_free_for_a_future_is_off_the_scope_around_it() {
    const BLOCKS: usize = 10;
    const BLOCK: i64 = 1_000_000;
    let _alone = alone();
    let scope = Scope::enter(site("around host helpers"));
    let _captured = Context::current();
    let body = async {
        for _ in 0..BLOCKS {
            let block = Vec::<u8>::with_capacity(BLOCK as usize);
            let context = Context::current();
            std::thread::spawn(move || context.run(|| drop(block))).join().expect("no panic");
        }
    };
    drive(body.track(site("host helpers")), || ());
    let peak = scope.finish().counters(Space::HOST).peak_bytes;
    // A thread to free for it is worth a step; what the threads themselves hold is far below one.
    assert!((BLOCK..BLOCK + 3 * STEP).contains(&peak), "{peak}");
}

#[test]
fn what_was_done_under_a_suspended_futures_context_is_in_its_row_before_the_next_poll() {
    let _alone = alone();
    let context = OnceCell::new();
    let body = async {
        alloc(1);
        context.get_or_init(Context::current);
        pause().await;
    };
    drive(body.track(site("suspended")), || {
        assert_eq!(columns_of("suspended"), (1, 1000, 1000), "one poll");
        let helper = Worker::under(context.get().expect("captured"));
        helper.run(|_| [2, 3].map(alloc));
        helper.run(|_| free(2));
        helper.end();
        assert_eq!(columns_of("suspended"), (1, 3000, 3000), "and its helper");
    });
    assert_eq!(columns_of("suspended"), (1, 3000, 3000), "ended");
    [1, 3].into_iter().for_each(free);
}

#[test]
fn futures_that_were_polled_under_each_others_contexts_leave_their_blocks_to_nobody() {
    let _alone = alone();
    let poll_once = |address: u64, context: OnceCell<Context>| {
        let context = std::rc::Rc::new(context);
        let captured = context.clone();
        let body = async move {
            alloc(address);
            captured.get_or_init(Context::current);
            pause().await;
            pause().await;
        };
        let mut future = Box::pin(body.track(site("polled in a circle")));
        assert!(future.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_pending());
        (future, context)
    };
    let (own, own_context) = poll_once(1, OnceCell::new());
    let (one, one_context) = poll_once(2, OnceCell::new());
    let (other, other_context) = poll_once(3, OnceCell::new());
    let poll_under = |future: &mut Pin<Box<dyn Future<Output = ()>>>, context: &OnceCell<Context>| {
        let context = context.get().expect("captured");
        let poll = || future.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_pending();
        assert!(context.run(poll));
    };
    let mut all: [Pin<Box<dyn Future<Output = ()>>>; 3] = [own, one, other];
    poll_under(&mut all[0], &own_context);
    poll_under(&mut all[1], &other_context);
    poll_under(&mut all[2], &one_context);
    drop(all);
    Worker::start().run(|_| (1..=3).for_each(free));
    let row = row(&memprof::snapshot(), arena(), "polled in a circle");
    assert_eq!((row.ncalls, row.self_total, row.live), (3, 3000, 0));
}

/// A task that was polled in a captured scope and is suspended: what is freed of it belongs to whoever polls it next.
#[test]
fn what_is_freed_of_a_suspended_task_is_still_held_by_the_captured_scope_that_polled_it() {
    const LARGE: u32 = 1 << 20;
    let _alone = alone();
    let scope = Scope::enter(site("polls a task"));
    let helper = Worker::under(&Context::current());
    let (send, blocks) = std::sync::mpsc::channel();
    let mut task = Box::pin(
        poll_fn(move |_| {
            send.send(Vec::<u8>::with_capacity(LARGE as usize)).expect("it is received");
            Poll::<()>::Pending
        })
        .track(site("suspended in a captured scope")),
    );
    for _ in 0..3 {
        let _pending = task.as_mut().poll(&mut Wakers::from_waker(Waker::noop()));
        let block = blocks.recv().expect("it was sent");
        // On a thread that works for nobody.
        std::thread::spawn(move || drop(block)).join().expect("no panic");
        helper.run(|_| drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE as usize))));
    }
    // Each poll begins with what was freed before it: 1 MiB of the last poll, and the helper's.
    let peak = scope.finish().counters(Space::HOST).peak_bytes - 2 * i64::from(LARGE);
    assert!(peak.abs() < 2 * STEP, "{peak}");
    drop(task);
    helper.end();
}

/// While it is polled, what is freed of it is off the captured scope at once, in each poll: those who work for that scope
/// have the room.
#[test]
fn what_is_freed_of_a_task_that_is_polled_is_off_the_captured_scope_around_in_each_poll() {
    let _alone = alone();
    let scope = Scope::enter(site("polls and frees"));
    let helper = Worker::under(&Context::current());
    let mut polls = 0;
    let mut task = Box::pin(
        poll_fn(|_| {
            polls += 1;
            let address = polls;
            alloc(address);
            helper.run(move |_| [free(address), alloc(10), free(10)]);
            Poll::<()>::Pending
        })
        .track(site("freed while polled")),
    );
    for _ in 0..3 {
        let _pending = task.as_mut().poll(&mut Wakers::from_waker(Waker::noop()));
    }
    drop(task);
    helper.end();
    assert_eq!(six(scope.finish().counters(arena())), [0, 0, 1000, 1, 6000, 6]);
}

/// The lane of a task that has ended is the next one's, and nobody of before hears of that.
#[test]
fn a_task_has_nothing_to_do_with_the_captured_scope_in_which_one_before_it_was_polled() {
    let _alone = alone();
    let scope = Scope::enter(site("polled the one before"));
    let helper = Worker::under(&Context::current());
    let wakers = || Wakers::from_waker(Waker::noop());
    let mut before = Box::pin(poll_fn(|_| Poll::<()>::Pending).track(site("the one before")));
    let _pending = before.as_mut().poll(&mut wakers());
    // Without a poll for the drop.
    memprof::disable();
    drop(before);
    memprof::enable();
    alloc(1);
    let elsewhere = std::thread::spawn(move || {
        let mut next = Box::pin(
            poll_fn(|_| {
                alloc(2);
                std::thread::spawn(|| free(2)).join().expect("no panic");
                Poll::<()>::Pending
            })
            .track(site("the next one")),
        );
        let _pending = next.as_mut().poll(&mut Wakers::from_waker(Waker::noop()));
    });
    elsewhere.join().expect("no panic");
    helper.run(|_| [alloc(3), free(3)]);
    helper.end();
    free(1);
    assert_eq!(six(scope.finish().counters(arena())), [0, 0, 2000, 2, 2000, 2]);
}
