//! Threads without a scope of their own, under ambient scopes: what they do is all there, and none of it twice.

use std::future::Future as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use memprof::{Record, Scope, Site, Totals, TrackExt as _};

use super::common::{alone, row};
use super::{NAMED_BYTES, STEPS, THREADS, assert_nothing_is_live, space};

/// A named block or none, where any thread may take it.
type Place = Mutex<bool>;

/// Threads without a scope of their own that allocate directly, in scopes and in futures, free each other's blocks, and end,
/// one after the other: what a framework does around a program. Gives the blocks that they allocated.
fn run_helpers(seed: u64, places: &[Place], mut beside: impl FnMut()) -> u64 {
    const HELPERS: u64 = if cfg!(debug_assertions) { 50 } else { 200 };
    let (running, allocated) = (AtomicU64::new(THREADS as u64), AtomicU64::new(0));
    std::thread::scope(|threads| {
        for line in 0..THREADS as u64 {
            let (running, allocated) = (&running, &allocated);
            threads.spawn(move || {
                for helper in 0..HELPERS {
                    let random = seed + (line * HELPERS + helper) * 0x9e37_79b9 + 1;
                    let help = || help(random, places, STEPS / (100 * HELPERS));
                    let blocks = std::thread::scope(|threads| threads.spawn(help).join().expect("no panic"));
                    allocated.fetch_add(blocks, Ordering::Relaxed);
                }
                running.fetch_sub(1, Ordering::Release);
            });
        }
        while running.load(Ordering::Acquire) > 0 {
            beside();
        }
    });
    allocated.into_inner()
}

fn help(mut random: u64, places: &[Place], steps: u64) -> u64 {
    let mut blocks = 0;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let sites = ["stress a", "stress b"].map(Site::named);
    for _ in 0..steps {
        let place = usize::try_from(next(places.len() as u64)).expect("small");
        let lock = || places[place].lock().unwrap_or_else(PoisonError::into_inner);
        let mut event = |is_live: &mut bool| {
            if *is_live {
                memprof::record_free(space(), place as u64);
            } else {
                memprof::record_alloc(space(), place as u64, NAMED_BYTES);
                blocks += 1;
            }
            *is_live = !*is_live;
        };
        match next(4) {
            0 => event(&mut lock()),
            1 => {
                let _scope = Scope::enter(sites[0]);
                event(&mut lock());
            }
            2 => {
                let _outer = Scope::enter(sites[0]);
                let context = memprof::Context::current();
                let _inner = Scope::enter(sites[1]);
                event(&mut lock());
                drop(context);
            }
            _ => {
                // Until the future is dropped: what others free of a suspended task waits for its next poll, and the
                // law of peaks excepts it.
                let mut is_live = lock();
                let future = std::pin::pin!(async { event(&mut is_live) }.track(sites[1]));
                let mut wakers = std::task::Context::from_waker(std::task::Waker::noop());
                assert!(future.poll(&mut wakers).is_ready());
            }
        }
    }
    blocks
}

#[test]
fn an_ambient_scope_has_all_that_was_done_under_it() {
    under_an_ambient_scope(|row, totals, blocks| {
        assert_eq!((row.ncalls, row.memory_total, row.blocks_total), (1, blocks * NAMED_BYTES, blocks));
        assert_eq!((totals.no_scope_total, totals.blocks_total), (0, blocks));
    });
}

#[test]
fn an_ambient_scope_never_held_more_than_was_live() {
    under_an_ambient_scope(|row, totals, _| {
        assert!(row.memory_peak <= totals.peak, "{} where {} were live", row.memory_peak, totals.peak);
    });
}

/// What the row and the space say once helpers have worked under an ambient scope while snapshots were taken, and how many
/// blocks they allocated.
fn under_an_ambient_scope(check: impl FnOnce(&Record, &Totals, u64)) {
    let _alone = alone();
    let places: Vec<Place> = (0..64).map(|_| Mutex::new(false)).collect();
    let ambient = memprof::ambient("stress ambient");
    let blocks = run_helpers(4, &places, || drop(memprof::snapshot()));
    drop(ambient);
    let snapshot = memprof::snapshot();
    check(&row(&snapshot, space(), "stress ambient"), &snapshot.totals(space()), blocks);
    free_all(&places);
    assert_nothing_is_live(&memprof::snapshot());
}

#[test]
fn ambient_scopes_that_come_and_go_lose_no_block() {
    let _alone = alone();
    let places: Vec<Place> = (0..64).map(|_| Mutex::new(false)).collect();
    let mut round = 0_u64;
    let mut outer = None;
    let blocks = run_helpers(5, &places, || {
        round += 1;
        if round.is_multiple_of(3) {
            outer = None;
        } else {
            outer.get_or_insert_with(|| memprof::ambient("stress ambient"));
        }
        let inner = memprof::ambient("stress inner");
        std::thread::yield_now();
        if round.is_multiple_of(5) {
            drop(memprof::snapshot());
        }
        drop(inner);
    });
    drop(outer);
    free_all(&places);
    let snapshot = memprof::snapshot();
    assert_nothing_is_live(&snapshot);
    assert_eq!(snapshot.totals(space()).blocks_total, blocks);
}

fn free_all(places: &[Place]) {
    for (place, is_live) in places.iter().enumerate() {
        if std::mem::take(&mut *is_live.lock().unwrap_or_else(PoisonError::into_inner)) {
            memprof::record_free(space(), place as u64);
        }
    }
}
