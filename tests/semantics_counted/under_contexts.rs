//! Scopes under a context or an ambient scope, each entered again and again, as a pool's threads do: from the second time on by the short paths.

use std::hint::black_box;
use std::sync::{Barrier, Mutex};

use crate::common::{Worker, alloc, alone, columns, free, path, row, rows_of, site, six};
use memprof::{Context, Record, Scope, Space};

const TIMES: u64 = 4;
const BYTES: usize = 1000;
/// The contract's bound on a peak of the host, for each thread.
const STEP: u64 = 64 << 10;

/// A block of the host that comes and goes.
fn block() {
    drop(black_box(Vec::<u8>::with_capacity(BYTES)));
}

/// One of the arena.
fn arena_block() {
    alloc(1, BYTES as u64);
    free(1);
}

fn host_row(name: &str) -> Record {
    row(&memprof::snapshot(), Space::HOST, name)
}

#[test]
fn each_call_under_a_context_counts_as_one_anywhere_else() {
    let _alone = alone();
    let captured = Scope::enter(site("hands work out"));
    let worker = Worker::under(&Context::current());
    worker.run(|_| {
        for _ in 0..TIMES {
            let _job = Scope::enter(site("job"));
            block();
            for _ in 0..TIMES {
                let _step = Scope::enter(site("step of a job"));
                block();
            }
        }
    });
    worker.end();
    drop(captured);
    let bytes = BYTES as u64;
    assert_eq!(columns(&host_row("step of a job")), (TIMES * TIMES, bytes, TIMES * TIMES * bytes));
    let job = host_row("job");
    assert_eq!(columns(&job), (TIMES, bytes, TIMES * (1 + TIMES) * bytes));
    assert_eq!((job.self_total, job.live, job.temporary), (TIMES * bytes, 0, TIMES));
    assert!(path(&memprof::snapshot(), Space::HOST, &["hands work out", "job", "step of a job"]).is_some());
}

#[test]
fn a_site_that_is_open_around_the_captured_scope_beside_its_path_counts_once() {
    let _alone = alone();
    let [top, between] = ["comes back to the top", "open beside the path"].map(site);
    // Entered again, the first leads back to its own path, which says nothing of the second.
    let around = [top, between, top].map(Scope::enter);
    let worker = Worker::under(&Context::current());
    worker.run(move |_| {
        for _ in 0..TIMES {
            let _again = Scope::enter(between);
            arena_block();
        }
    });
    worker.end();
    around.into_iter().rev().for_each(drop);
    let bytes = BYTES as u64;
    assert_eq!(columns(&rows_of("open beside the path")), (1 + TIMES, bytes, TIMES * bytes));
}

#[test]
fn a_site_that_is_open_around_the_captured_scope_counts_once_also_by_a_way_that_led_back() {
    let _alone = alone();
    let [back, captured, between] = ["led back to", "captured further down", "on another way down"].map(site);
    let around = [back, captured].map(Scope::enter);
    let worker = Worker::under(&Context::current());
    worker.run(move |_| {
        for _ in 0..TIMES {
            let _scopes = [back, between, captured].map(Scope::enter);
            arena_block();
        }
    });
    worker.end();
    around.into_iter().rev().for_each(drop);
    let bytes = BYTES as u64;
    assert_eq!(columns(&rows_of("captured further down")), (1 + TIMES, bytes, TIMES * bytes));
    assert_eq!(columns(&rows_of("led back to")), (1 + TIMES, bytes, TIMES * bytes));
    assert_eq!(columns(&rows_of("on another way down")), (TIMES, bytes, TIMES * bytes));
}

#[test]
fn what_a_context_hides_is_open_again_when_it_is_left() {
    let _alone = alone();
    let captured = Scope::enter(site("gives two jobs"));
    let context = Context::current();
    let worker = Worker::under(&context);
    worker.run(move |_| {
        let stolen = site("stolen while it waits");
        for _ in 0..TIMES {
            let _waits = Scope::enter(stolen);
            {
                let _context = context.enter();
                let _beside = Scope::enter(stolen);
                block();
            }
            let _inside = Scope::enter(stolen);
            block();
        }
    });
    worker.end();
    drop(captured);
    // Of each turn: one under the context, which the outer one does not see; and one inside that.
    let bytes = BYTES as u64;
    assert_eq!(columns(&host_row("stolen while it waits")), (3 * TIMES, bytes, 2 * TIMES * bytes));
}

#[test]
fn a_scope_right_in_an_ambient_one_is_not_charged_for_what_was_freed_before_it() {
    let _alone = alone();
    let worker = Worker::start();
    let ambient = memprof::ambient("works for many");
    let [first, further] = ["right in the ambient one", "further in"].map(site);
    for _ in 0..TIMES {
        let kept = worker.run(move |_| {
            let _first = Scope::enter(first);
            block();
            let _further = Scope::enter(further);
            black_box(Vec::<u8>::with_capacity(BYTES))
        });
        drop(kept);
        let counters = worker.run(move |_| {
            let scope = Scope::enter(first);
            six(scope.counters(Space::HOST))
        });
        assert_eq!(counters, [0; 6]);
    }
    worker.end();
    drop(ambient);
    let bytes = BYTES as u64;
    let snapshot = memprof::snapshot();
    let [first, further] = ["right in the ambient one", "further in"].map(|name| row(&snapshot, Space::HOST, name));
    assert_eq!(columns(&further), (TIMES, bytes, TIMES * bytes));
    assert_eq!(columns(&first), (2 * TIMES, bytes, 2 * TIMES * bytes));
    assert_eq!([first.live, further.live], [0, 0]);
    assert!(path(&snapshot, Space::HOST, &["works for many", "right in the ambient one", "further in"]).is_some());
}

#[test]
fn the_first_event_of_a_scope_in_an_ambient_one_finds_what_was_freed_since_it_was_entered() {
    let _alone = alone();
    let given: Mutex<Option<Vec<u8>>> = Mutex::new(None);
    let turn = Barrier::new(2);
    let _ambient = memprof::ambient("hands over meanwhile");
    std::thread::scope(|threads| {
        let worker = threads.spawn(|| {
            let site = site("entered before it was freed");
            {
                let _home = Scope::enter(site);
                *given.lock().expect("no panic") = Some(black_box(Vec::with_capacity(BYTES)));
            }
            for _ in 0..TIMES {
                let _warm = Scope::enter(site);
                block();
            }
            let scope = Scope::enter(site);
            turn.wait();
            turn.wait();
            let _again = black_box(Vec::<u8>::with_capacity(BYTES));
            six(scope.counters(Space::HOST))
        });
        turn.wait();
        drop(given.lock().expect("no panic").take());
        turn.wait();
        assert_eq!(worker.join().expect("no panic"), [0, 0, 0, 0, 1000, 1]);
    });
}

#[test]
fn what_helpers_hold_one_after_the_other_in_small_blocks_is_no_sum() {
    const KIB: usize = 1 << 10;
    const BLOCKS: usize = 400;
    let _alone = alone();
    let scope = Scope::enter(site("helped in turn"));
    let context = Context::current();
    let helpers = [Worker::under(&context), Worker::under(&context)];
    for _ in 0..TIMES {
        for helper in &helpers {
            helper.run(|_| {
                let _turn = Scope::enter(site("turn"));
                let blocks: Vec<Vec<u8>> = (0..BLOCKS).map(|_| black_box(Vec::with_capacity(KIB))).collect();
                blocks.into_iter().for_each(drop);
            });
        }
    }
    let peak = scope.counters(Space::HOST).peak_bytes.cast_unsigned();
    let turn = host_row("turn").memory_peak;
    helpers.into_iter().for_each(Worker::end);
    drop(scope);
    assert!(turn >= (BLOCKS * KIB) as u64, "{turn}");
    assert!((turn - 2 * STEP..=turn + 3 * STEP).contains(&peak), "{peak} of {turn}");
}
