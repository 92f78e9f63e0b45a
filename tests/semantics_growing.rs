//! Peaks of a thread that does nothing but allocate: they are looked at when something is taken off, and exact all the same.
//!
//! One test in a process of its own: a thread must not have run another lane before.
#![expect(unsafe_code, reason = "blocks of exact sizes come from the allocator itself")]

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::future::{Future as _, poll_fn};
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::task::{Context as Wakers, Poll, Waker};
use std::thread::ScopedJoinHandle;

use memprof::{Scope, Site, Space, TrackExt as _};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();

const BYTES: usize = 1_000;

fn layout() -> Layout {
    Layout::from_size_align(BYTES, 8).expect("a layout")
}

fn take() -> *mut u8 {
    // SAFETY: not zero bytes.
    black_box(unsafe { alloc(layout()) })
}

fn give(block: *mut u8) {
    // SAFETY: callers give what `take` gave, once.
    unsafe { dealloc(block, layout()) };
}

/// Waits until a thread has freed what it was started with, too: that comes off what is open here.
fn ended(thread: ScopedJoinHandle<'_, ()>) {
    thread.join().expect("no panic");
}

/// Peak and value of a scope, each in bytes and blocks.
fn peak_and_value(scope: &Scope) -> [i64; 4] {
    let counters = scope.counters(Space::HOST);
    [counters.peak_bytes, counters.peak_blocks, counters.current_bytes, counters.current_blocks]
}

#[test]
fn a_thread_that_grows_has_exact_peaks() {
    whoever_frees();
    at_the_end_of_a_poll();
    std::thread::spawn(with_frees_in_between).join().expect("no panic");
    std::thread::spawn(through_calls).join().expect("no panic");
}

/// It grows on through calls that keep something, whatever their first event is.
fn through_calls() {
    let mut held = Vec::with_capacity(100);
    // With so much live, neither a picture nor a publication is due in what follows.
    let base: Vec<u8> = Vec::with_capacity(64 << 20);
    let names = ["around", "low", "keeps", "deep", "deeper", "frees", "moves"];
    let [around, low, keeps, deep, deeper, frees, moves] = names.map(Site::named);
    let outer = Scope::enter(around);
    held.extend((0..20).map(|_| take()));
    held.drain(..17).for_each(give);
    // Below what the scope around came to, and then above. Whoever asks ends growing, so that is done at the end.
    for _ in 0..3 {
        let scope = Scope::enter(low);
        held.extend((0..4).map(|_| take()));
        drop(scope);
        let scope = Scope::enter(low);
        held.extend((0..2).map(|_| take()));
        assert_eq!(peak_and_value(&scope), [2_000, 2, 2_000, 2]);
        drop(scope);
        held.drain(..6).for_each(give);
    }
    assert_eq!(peak_and_value(&outer), [20_000, 20, 3_000, 3]);
    for _ in 0..30 {
        let _scope = Scope::enter(keeps);
        held.push(take());
        give(take());
    }
    assert_eq!(peak_and_value(&outer), [34_000, 34, 33_000, 33]);
    for round in 1..=4 {
        let _around = Scope::enter(deep);
        let inside = Scope::enter(deeper);
        held.extend((0..round).map(|_| take()));
        drop(inside);
        held.push(take());
    }
    for round in 1..=4 {
        let _scope = Scope::enter(frees);
        give(held.pop().expect("a block"));
        held.extend((0..=round).map(|_| take()));
    }
    assert_eq!(peak_and_value(&outer), [57_000, 57, 57_000, 57]);
    for _ in 0..4 {
        let _scope = Scope::enter(moves);
        let block = held.pop().expect("a block");
        // SAFETY: `take` gave it; the size is not zero.
        let block = black_box(unsafe { realloc(block, layout(), 3 * BYTES) });
        let again = Scope::enter(moves);
        // SAFETY: it has this size by now.
        held.push(unsafe { realloc(block, Layout::from_size_align(3 * BYTES, 8).expect("a layout"), BYTES) });
        drop(again);
        held.push(take());
    }
    assert_eq!(peak_and_value(&outer), [62_000, 61, 61_000, 61]);
    held.drain(..).for_each(give);
    drop((outer, base));
    let snapshot = memprof::snapshot();
    let rows = names.map(|name| {
        let row = snapshot.records(Space::HOST).iter().find(|row| row.name == name).expect("a row");
        ([row.memory_peak, row.memory_total, row.largest, row.reallocs, row.ncalls], row.kept)
    });
    assert_eq!(
        rows,
        [
            ([62_000, 138_000, 3_000, 8, 1], 0),
            ([4_000, 18_000, 1_000, 0, 6], 18_000),
            ([2_000, 60_000, 1_000, 0, 30], 30_000),
            ([5_000, 14_000, 1_000, 0, 4], 14_000),
            ([4_000, 10_000, 1_000, 0, 4], 10_000),
            ([4_000, 14_000, 1_000, 0, 4], 10_000),
            ([2_000, 12_000, 3_000, 8, 8], 4_000),
        ]
    );
}

/// It grows on over frees that find it higher than ever, and ends after some that do not.
fn with_frees_in_between() {
    let mut held = Vec::with_capacity(100);
    // With so much live, neither a picture nor a publication is due in what follows.
    let base: Vec<u8> = Vec::with_capacity(64 << 20);
    let scope = Scope::enter(Site::named("between"));
    held.extend((0..4).map(|_| take()));
    for _ in 0..5 {
        held.extend((0..2).map(|_| take()));
        give(held.pop().expect("a block"));
    }
    for _ in 0..3 {
        held.drain(..3).for_each(give);
        held.extend((0..3).map(|_| take()));
    }
    assert_eq!(peak_and_value(&scope), [10_000, 10, 9_000, 9]);
    held.extend((0..4).map(|_| take()));
    held.drain(..12).for_each(give);
    held.extend((0..11).map(|_| take()));
    held.extend((0..2).map(|_| take()));
    held.drain(..).for_each(give);
    drop(scope);
    drop(base);
    let snapshot = memprof::snapshot();
    let row = snapshot.records(Space::HOST).iter().find(|row| row.name == "between").expect("a row");
    assert_eq!((row.memory_peak, row.memory_total, row.largest), (14_000, 40_000, 1_000));
}

fn whoever_frees() {
    const TEN: usize = 10;
    let handed: [AtomicPtr<u8>; 3] = Default::default();
    let turn = Barrier::new(2);
    std::thread::scope(|threads| {
        let other = threads.spawn(|| {
            turn.wait();
            for block in &handed {
                give(block.load(Ordering::Relaxed));
            }
            turn.wait();
        });
        memprof::enable();
        let (outer, inner) = (Site::named("outer"), Site::named("inner"));
        let mut held = Vec::with_capacity(100);
        // With so much live, neither a picture nor a publication is due in what follows.
        let base: Vec<u8> = Vec::with_capacity(64 << 20);
        let outer = Scope::enter(outer);
        held.extend((0..TEN).map(|_| take()));

        // What another thread frees comes off before the next allocation, although nothing was looked at since.
        for (place, block) in handed.iter().zip(held.drain(..3)) {
            place.store(block, Ordering::Relaxed);
        }
        turn.wait();
        turn.wait();
        held.extend((0..5).map(|_| take()));
        assert_eq!(peak_and_value(&outer), [12_000, 12, 12_000, 12]);

        // A free in the midst of growing: the peak is the level before it.
        held.extend((0..4).map(|_| take()));
        give(held.pop().expect("a block"));
        assert_eq!(peak_and_value(&outer), [16_000, 16, 15_000, 15]);

        // A scope inside has its own, and what it grew by counts for the one around it.
        held.extend((0..3).map(|_| take()));
        let inner_scope = Scope::enter(inner);
        held.extend((0..3).map(|_| take()));
        assert_eq!(peak_and_value(&inner_scope), [3_000, 3, 3_000, 3]);
        drop(inner_scope);
        held.drain(..).for_each(give);
        assert_eq!(peak_and_value(&outer), [21_000, 21, 0, 0]);
        drop(outer);
        drop(base);
        ended(other);
    });
    let snapshot = memprof::snapshot();
    let peaks = ["outer", "inner"].map(|name| {
        let row = snapshot.records(Space::HOST).iter().find(|row| row.name == name).expect("a row");
        (row.memory_peak, row.memory_total)
    });
    assert_eq!(peaks, [(21_000, 25_000), (3_000, 3_000)]);
}

/// Of a future that began within a task: it has no lane of its own, so that a thread which polls it need not know of other lanes.
fn at_the_end_of_a_poll() {
    let mut held = Vec::with_capacity(100);
    let mut polls = 0;
    let mut within = Box::pin(
        poll_fn(move |_| {
            polls += 1;
            if polls == 1 {
                return Poll::Pending;
            }
            held.extend((0..10).map(|_| Vec::<u8>::with_capacity(BYTES)));
            Poll::Ready(std::mem::take(&mut held))
        })
        .track(Site::named("within")),
    );
    // With so much live, neither a picture nor a publication is due in what follows.
    let base: Vec<u8> = Vec::with_capacity(64 << 20);
    std::thread::scope(|threads| {
        let other = threads.spawn(|| {
            let mut task = Box::pin(poll_fn(|wakers| within.as_mut().poll(wakers)).track(Site::named("a task")));
            assert!(task.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_pending());
        });
        ended(other);
    });
    let ended = within.as_mut().poll(&mut Wakers::from_waker(Waker::noop()));
    let snapshot = memprof::snapshot();
    assert!(ended.is_ready());
    drop((ended, base));
    let row = snapshot.records(Space::HOST).iter().find(|row| row.name == "within").expect("a row");
    assert_eq!((row.memory_peak, row.memory_total), (10_000, 10_000));
}
