//! `enable`, `disable` and `reset` in the midst of things.
#![expect(unsafe_code, reason = "blocks of exact sizes come from the allocator itself")]

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::future::Future as _;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context as Wakers, Waker};

use crate::common::{Worker, alone, arena, columns, find_rows, path, row, rows_of, site, six};
use memprof::{Context, Scope, Space, TrackExt as _};

const HOST: Space = Space::HOST;

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 8).expect("a layout")
}

#[test]
fn while_off_nothing_is_counted() {
    let _alone = alone();
    let space = Space::named("while off");
    memprof::disable();
    assert!(!memprof::is_enabled());
    let scope = Scope::enter(site("entered while off"));
    memprof::record_alloc(space, 1, 100);
    memprof::record_alloc_failure(space, 100);
    assert_eq!(six(scope.counters(space)), [0; 6]);
    drop(scope);
    memprof::enable();
    let snapshot = memprof::snapshot();
    assert!(find_rows(&snapshot, space, "entered while off").is_empty());
    let totals = snapshot.totals(space);
    assert_eq!((totals.live, totals.total, totals.blocks_total, totals.failed), (0, 0, 0, 0));
    // The block is unknown: its free changes nothing but that count.
    let scope = Scope::enter(site("frees unknown"));
    memprof::record_free(space, 1);
    assert_eq!(six(scope.counters(space)), [0; 6]);
    assert_eq!(memprof::snapshot().totals(space).live, 0);
}

/// Calls that came while memprof was at work on the same thread, as the report says.
fn missed() -> u64 {
    let said = " calls came from a signal handler, or from an allocator, while memprof was at work on the same thread, and are not recorded";
    let snapshot = memprof::snapshot();
    snapshot.notes().find_map(|note| note.strip_suffix(said)?.parse().ok()).unwrap_or(0)
}

#[test]
fn whatever_is_entered_while_memprof_is_at_work_is_counted_as_missed() {
    let _alone = alone();
    let captured = {
        let _scope = Scope::enter(site("captured before"));
        Context::current()
    };
    let mut future = pin!(std::future::pending::<()>().track(site("polled by a handler")));
    let calls: [&mut dyn FnMut(); 5] = [
        &mut || drop(Scope::enter(site("entered by a handler"))),
        &mut || assert!(future.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_pending()),
        &mut || drop(Context::current()),
        &mut || drop(captured.enter()),
        &mut || drop(memprof::ambient("opened by a handler")),
    ];
    for (index, call) in calls.into_iter().enumerate() {
        let before = missed();
        {
            let _at_work = memprof_core::__allocator::blind();
            call();
        }
        assert_eq!(missed() - before, 1, "call {index}");
    }
    memprof::disable();
    let before = missed();
    {
        let _at_work = memprof_core::__allocator::blind();
        drop(Scope::enter(site("entered by a handler")));
    }
    assert_eq!(missed(), before, "while off nothing is missed");
    memprof::enable();
}

/// Three threads know that it is off: two have switched it off, one asked.
#[test]
fn who_knows_that_it_is_off_is_recorded_no_more() {
    const ROUNDS: u32 = 300;
    const IDLE: usize = 200;
    let _alone = alone();
    let (turn, end) = (Barrier::new(4), Barrier::new(IDLE + 1));
    let layout = layout(1_000);
    let pair = || {
        // SAFETY: not zero bytes.
        let block = black_box(unsafe { alloc(layout) });
        // SAFETY: this block and layout.
        unsafe { dealloc(block, layout) };
    };
    let knows = |knows: fn()| {
        for _ in 0..ROUNDS {
            turn.wait();
            let scope = Scope::enter(site("knows that it is off"));
            pair();
            turn.wait();
            knows();
            pair();
            turn.wait();
            drop(scope);
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..IDLE {
            threads.spawn(|| {
                pair();
                end.wait();
            });
        }
        threads.spawn(|| knows(memprof::disable));
        threads.spawn(|| knows(memprof::disable));
        threads.spawn(|| {
            knows(|| {
                while memprof::is_enabled() {
                    std::hint::spin_loop();
                }
            });
        });
        for _ in 0..ROUNDS {
            memprof::enable();
            turn.wait();
            turn.wait();
            turn.wait();
        }
        memprof::enable();
        end.wait();
    });
    let row = row(&memprof::snapshot(), HOST, "knows that it is off");
    assert_eq!((row.ncalls, row.self_blocks), (3 * u64::from(ROUNDS), 3 * u64::from(ROUNDS)));
}

#[test]
fn enabling_twice_is_enabling() {
    let _alone = alone();
    memprof::enable();
    assert!(memprof::is_enabled());
    memprof::disable();
    memprof::disable();
    assert!(!memprof::is_enabled());
    memprof::enable();
    assert!(memprof::is_enabled());
}

#[test]
fn a_known_blocks_free_while_off_lowers_live_and_no_scope_sees_it() {
    let _alone = alone();
    let space = Space::named("freed while off");
    let scope = Scope::enter(site("freed while off"));
    memprof::record_alloc(space, 1, 100);
    memprof::record_alloc(space, 2, 10);
    memprof::disable();
    memprof::record_free(space, 1);
    memprof::enable();
    assert_eq!(six(scope.counters(space)), [110, 2, 110, 2, 110, 2]);
    let totals = memprof::snapshot().totals(space);
    assert_eq!((totals.live, totals.live_blocks, totals.peak), (10, 1, 110));
    assert_eq!(row(&memprof::snapshot(), space, "freed while off").live, 10);
    memprof::record_free(space, 2);
    drop(scope);
}

#[test]
fn a_hand_over_while_off_is_seen_by_no_scope() {
    let _alone = alone();
    let worker = Worker::start();
    worker.run(|scopes| {
        scopes.push(Scope::enter(site("home while off")));
        memprof::record_alloc(arena(), 1, 100);
    });
    memprof::disable();
    memprof::record_free(arena(), 1);
    memprof::enable();
    assert_eq!(worker.run(|_| six(memprof::counters(arena()))), [100, 1, 100, 1, 100, 1]);
    assert_eq!(rows_of("home while off").live, 0);
}

#[test]
fn a_guard_leaves_only_what_it_entered_whatever_was_switched() {
    let _alone = alone();
    let outer = Scope::enter(site("switch outer"));
    memprof::disable();
    let inert = Scope::enter(site("switch inert"));
    memprof::enable();
    let inner = Scope::enter(site("switch inner"));
    memprof::record_alloc(arena(), 1, 10);
    // Entered while off: it has nothing to leave.
    drop(inert);
    assert_eq!(six(inner.counters(arena())), [10, 1, 10, 1, 10, 1]);
    memprof::record_alloc(arena(), 2, 1);
    assert_eq!(six(inner.counters(arena())), [11, 2, 11, 2, 11, 2]);
    memprof::disable();
    // Entered while on, left while off.
    drop(inner);
    memprof::enable();
    memprof::record_alloc(arena(), 3, 100);
    assert_eq!(six(outer.counters(arena())), [111, 3, 111, 3, 111, 3]);
    drop(outer);
    let snapshot = memprof::snapshot();
    assert_eq!(columns(&row(&snapshot, arena(), "switch inner")), (1, 11, 11));
    assert_eq!(columns(&row(&snapshot, arena(), "switch outer")), (1, 111, 111));
    assert!(find_rows(&snapshot, arena(), "switch inert").is_empty());
    assert!(path(&snapshot, arena(), &["switch outer", "switch inner"]).is_some());
    (1..=3).for_each(|address| memprof::record_free(arena(), address));
}

#[test]
fn ten_thousand_switches_between_enter_and_leave_keep_the_stack() {
    let _alone = alone();
    let outer = Scope::enter(site("many switches outer"));
    for round in 0..10_000 {
        if round % 3 == 0 {
            memprof::disable();
        }
        let scope = Scope::enter(site("many switches"));
        if round % 2 == 0 {
            memprof::enable();
        }
        if round % 5 == 0 {
            memprof::disable();
        }
        drop(scope);
        memprof::enable();
    }
    memprof::record_alloc(arena(), 1, 5);
    assert_eq!(memprof::counters(arena()), outer.counters(arena()));
    assert_eq!(six(outer.finish().counters(arena())), [5, 1, 5, 1, 5, 1]);
    // Every third scope was entered while off.
    assert_eq!(rows_of("many switches").ncalls, 6666);
    memprof::record_free(arena(), 1);
}

#[test]
fn a_host_block_from_while_off_is_unknown_until_it_is_reallocated_while_on() {
    let _alone = alone();
    memprof::disable();
    // SAFETY: not zero bytes.
    let freed = black_box(unsafe { alloc(layout(100)) });
    // SAFETY: not zero bytes.
    let resized = black_box(unsafe { alloc(layout(200)) });
    memprof::enable();
    let scope = Scope::enter(site("host from while off"));
    // SAFETY: this block and layout.
    unsafe { dealloc(freed, layout(100)) };
    assert_eq!(six(scope.counters(HOST)), [0; 6]);
    // SAFETY: this block and layout.
    let resized = black_box(unsafe { realloc(resized, layout(200), 300) });
    assert_eq!(six(scope.counters(HOST)), [300, 1, 300, 1, 300, 1]);
    // SAFETY: this block with the layout that it has now.
    unsafe { dealloc(resized, layout(300)) };
    assert_eq!(six(scope.finish().counters(HOST)), [0, 0, 300, 1, 300, 1]);
}

#[test]
fn a_host_block_reallocated_while_off_is_unknown_from_then_on() {
    let _alone = alone();
    let scope = Scope::enter(site("host resized while off"));
    // SAFETY: not zero bytes.
    let held = unsafe { alloc(layout(100)) };
    memprof::disable();
    // SAFETY: this block and layout.
    let held = unsafe { realloc(held, layout(100), 500) };
    memprof::enable();
    assert_eq!(row(&memprof::snapshot(), HOST, "host resized while off").live, 0);
    let before = scope.counters(HOST);
    // SAFETY: this block with the layout that it has now.
    unsafe { dealloc(held, layout(500)) };
    assert_eq!(scope.counters(HOST), before);
    drop(scope);
    assert_eq!(row(&memprof::snapshot(), HOST, "host resized while off").live, 0);
}

#[test]
fn reset_forgets_records_totals_and_marks_and_keeps_live_blocks() {
    let _alone = alone();
    let space = Space::named("reset");
    {
        let _scope = Scope::enter(site("reset owner"));
        memprof::record_alloc(space, 1, 100);
        memprof::record_alloc(space, 2, 1000);
        memprof::record_free(space, 2);
        memprof::record_alloc_failure(space, 1);
    }
    drop(Scope::enter(site("reset idle")));
    memprof::record_free(space, 77);
    memprof::reset();
    let snapshot = memprof::snapshot();
    let totals = snapshot.totals(space);
    assert_eq!((totals.live, totals.live_blocks, totals.peak, totals.peak_blocks), (100, 1, 100, 1));
    assert_eq!((totals.total, totals.blocks_total, totals.failed, totals.unknown_frees), (0, 0, 0, 0));
    let owner = row(&snapshot, space, "reset owner");
    assert_eq!((owner.ncalls, owner.memory_peak, owner.memory_total, owner.failed), (0, 0, 0, 0));
    assert_eq!((owner.live, owner.live_blocks, owner.at_peak, owner.at_peak_blocks), (100, 1, 100, 1));
    assert!(find_rows(&snapshot, space, "reset idle").is_empty());
    let scope = Scope::enter(site("reset frees"));
    memprof::record_free(space, 1);
    assert_eq!(six(scope.counters(space)), [-100, -1, 0, 0, 0, 0]);
    drop(scope);
    // Neither calls, nor live bytes; but it held the mark.
    assert_eq!(row(&memprof::snapshot(), space, "reset owner").at_peak, 100);
    memprof::reset();
    assert!(memprof::snapshot().records(space).is_empty());
}

#[test]
fn an_open_scope_is_recorded_whole_when_it_is_left_after_a_reset() {
    let _alone = alone();
    let scope = Scope::enter(site("open over reset"));
    memprof::record_alloc(arena(), 1, 100);
    memprof::reset();
    memprof::record_alloc(arena(), 2, 10);
    assert_eq!(six(scope.counters(arena())), [110, 2, 110, 2, 110, 2]);
    drop(scope);
    let row = rows_of("open over reset");
    assert_eq!((columns(&row), row.blocks_total, row.live), ((1, 110, 110), 2, 110));
    memprof::record_free(arena(), 1);
    memprof::record_free(arena(), 2);
}

#[test]
fn a_future_whose_polls_were_before_a_reset_is_recorded_whole_when_it_is_dropped() {
    let _alone = alone();
    let polls = async {
        drop(black_box(vec![7_u8; 700]));
        std::future::pending::<()>().await;
    };
    let mut future = Box::pin(polls.track(site("polled before a reset")));
    assert!(future.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_pending());
    memprof::reset();
    drop(future);
    let row = row(&memprof::snapshot(), HOST, "polled before a reset");
    assert_eq!((columns(&row), row.blocks_total, row.largest), ((1, 700, 700), 1, 700));
}
