//! Contexts whose threads free: a captured scope's peak is that of the sum over its own lane and all of them.

use std::hint::black_box;
use std::sync::mpsc::sync_channel;

use crate::common::{Worker, alone, arena, columns_of, free, path, row, site, six};
use memprof::{Context, Scope, Space};

const BYTES: u64 = 1000;
/// The contract's bound on a peak of the host.
const STEP: u64 = 64 << 10;

fn alloc(address: u64) {
    memprof::record_alloc(arena(), address, BYTES);
}

#[test]
fn a_producers_peak_on_the_host_is_the_block_in_flight_and_the_next_one() {
    const BLOCKS: usize = 20;
    const BLOCK: usize = 1_000_000;
    let _alone = alone();
    let producer = Scope::enter(site("host producer"));
    let context = Context::current();
    let (send, receiver) = sync_channel::<Vec<u8>>(0);
    let consumer = std::thread::spawn(move || context.run(|| receiver.into_iter().for_each(drop)));
    for _ in 0..BLOCKS {
        send.send(Vec::with_capacity(BLOCK)).expect("the consumer lives");
    }
    drop(send);
    consumer.join().expect("no panic");
    drop(producer);
    let row = row(&memprof::snapshot(), Space::HOST, "host producer");
    assert!(row.memory_total >= (BLOCKS * BLOCK) as u64, "{row:?}");
    // Two threads; what the channel and the thread themselves hold is far below a step.
    let (least, most) = (BLOCK as u64 - 2 * STEP, 2 * BLOCK as u64 + 3 * STEP);
    assert!((least..=most).contains(&row.memory_peak), "{row:?}");
}

#[test]
fn on_the_host_a_peak_is_to_the_byte_while_the_others_free_nothing_of_the_scopes() {
    let _alone = alone();
    let scope = Scope::enter(site("host alone"));
    let context = Context::current();
    drop(Vec::<u8>::with_capacity(12_345));
    context.run(|| ());
    assert_eq!(scope.counters(Space::HOST).peak_bytes % 12_345, 0);
    drop(scope);
}

#[test]
fn what_a_context_frees_lowers_the_peak_in_blocks_and_bytes() {
    let _alone = alone();
    let scope = Scope::enter(site("freed elsewhere"));
    let helper = Worker::under(&Context::current());
    for address in 0..20 {
        alloc(address);
        helper.run(move |_| free(address));
    }
    assert_eq!(scope.counters(arena()).peak_bytes, 1000, "while the context is entered");
    assert_eq!(memprof::counters(arena()).peak_blocks, 1);
    assert_eq!(row(&memprof::snapshot(), arena(), "freed elsewhere").memory_peak, 1000, "in a snapshot");
    helper.end();
    assert_eq!(six(scope.counters(arena())), [0, 0, 1000, 1, 20_000, 20]);
    assert_eq!(columns_of("freed elsewhere"), (1, 1000, 20_000));
    assert_eq!(six(scope.finish().counters(arena())), [0, 0, 1000, 1, 20_000, 20]);
    assert_eq!(columns_of("freed elsewhere"), (1, 1000, 20_000));
}

#[test]
fn what_a_scope_held_before_it_was_captured_is_in_its_peak() {
    let _alone = alone();
    let scope = Scope::enter(site("held before"));
    [1, 2, 3].into_iter().for_each(alloc);
    [1, 2].into_iter().for_each(free);
    let helper = Worker::under(&Context::current());
    helper.run(|_| free(3));
    helper.end();
    alloc(4);
    free(4);
    assert_eq!(six(scope.finish().counters(arena())), [0, 0, 3000, 3, 4000, 4]);
}

#[test]
fn a_scope_inside_the_captured_one_counts_with_what_was_freed_elsewhere() {
    let _alone = alone();
    let scope = Scope::enter(site("around inside"));
    let helper = Worker::under(&Context::current());
    for address in 0..5 {
        let inside = Scope::enter(site("inside"));
        alloc(address);
        assert_eq!(six(inside.finish().counters(arena())), [1000, 1, 1000, 1, 1000, 1]);
        helper.run(move |_| free(address));
    }
    helper.end();
    assert_eq!(six(scope.finish().counters(arena())), [0, 0, 1000, 1, 5000, 5]);
    assert_eq!(columns_of("inside"), (5, 1000, 5000));
}

#[test]
fn nested_captures_each_have_the_peak_of_their_own_sum() {
    let _alone = alone();
    let outer = Scope::enter(site("outer capture"));
    let outer_context = Context::current();
    alloc(100);
    let inner = Scope::enter(site("inner capture"));
    let helper = Worker::under(&Context::current());
    let outer_helper = Worker::under(&outer_context);
    for address in 0..5 {
        alloc(address);
        helper.run(move |_| free(address));
    }
    helper.run(|_| alloc(50));
    outer_helper.run(|_| free(100));
    assert_eq!(six(outer.counters(arena()))[2..4], [2000, 2]);
    assert_eq!(columns_of("outer capture").1, 2000);
    helper.end();
    assert_eq!(six(inner.finish().counters(arena())), [1000, 1, 1000, 1, 6000, 6]);
    for address in 10..15 {
        alloc(address);
        outer_helper.run(move |_| free(address));
    }
    outer_helper.end();
    assert_eq!(six(outer.finish().counters(arena())), [1000, 1, 2000, 2, 12_000, 12]);
    assert_eq!(columns_of("outer capture"), (1, 2000, 12_000));
    assert_eq!(columns_of("inner capture"), (1, 1000, 6000));
    free(50);
}

#[test]
fn what_an_inner_capture_added_counts_once_in_the_outer_ones_level_on_the_host() {
    const BLOCK: usize = 1 << 20;
    let _alone = alone();
    let outer = Scope::enter(site("host outer capture"));
    let outer_context = Context::current();
    let inner = Scope::enter(site("host inner capture"));
    let context = Context::current();
    let made = std::thread::spawn(move || context.run(|| Vec::<u8>::with_capacity(BLOCK))).join();
    drop(inner);
    drop(black_box(Vec::<u8>::with_capacity(BLOCK)));
    outer_context.run(|| ());
    let (peak, most) = (outer.counters(Space::HOST).peak_bytes.cast_unsigned(), 2 * BLOCK as u64 + 2 * STEP);
    assert!((2 * BLOCK as u64..=most).contains(&peak), "{peak}, at most {most}");
    drop(made);
    drop(outer);
}

#[test]
fn a_context_entered_under_a_context_frees_for_the_captured_scope_once() {
    let _alone = alone();
    let scope = Scope::enter(site("twice removed"));
    let context = Context::current();
    let worker = Worker::start();
    let (inner, started) = sync_channel(0);
    let (end, ended) = sync_channel::<()>(0);
    let thread = std::thread::spawn(move || {
        context.run(|| {
            let scope = Scope::enter(site("once removed"));
            alloc(1);
            inner.send(Context::current()).expect("somebody waits");
            ended.recv().expect("told to end");
            drop(scope);
            alloc(2);
        });
    });
    let helper = Worker::under(&started.recv().expect("it captures"));
    helper.run(|_| free(1));
    alloc(3);
    helper.run(|_| free(3));
    helper.end();
    end.send(()).expect("it waits");
    thread.join().expect("no panic");
    worker.end();
    assert_eq!(six(scope.finish().counters(arena())), [1000, 1, 1000, 1, 3000, 3]);
    assert_eq!(columns_of("twice removed"), (1, 1000, 3000));
    assert_eq!(columns_of("once removed"), (1, 1000, 1000));
    free(2);
}

#[test]
fn an_ambient_scope_that_frees_lowers_the_peak_of_the_scope_it_was_opened_in() {
    let _alone = alone();
    let scope = Scope::enter(site("around an ambient one"));
    let worker = Worker::start();
    let ambient = memprof::ambient("frees for its opener");
    for address in 0..20 {
        alloc(address);
        worker.run(move |_| free(address));
    }
    assert_eq!(six(scope.counters(arena()))[2..4], [1000, 1], "while it is open");
    drop(ambient);
    assert_eq!(six(scope.finish().counters(arena())), [0, 0, 1000, 1, 20_000, 20]);
    assert_eq!(columns_of("around an ambient one"), (1, 1000, 20_000));
    assert_eq!(columns_of("frees for its opener"), (1, 0, 0));
}

#[test]
fn a_producer_under_a_context_is_not_charged_for_what_a_stranger_freed_while_its_captor_slept() {
    let _alone = alone();
    let scope = Scope::enter(site("sleeping captor"));
    let helper = Worker::under(&Context::current());
    let stranger = Worker::start();
    for address in 0..20 {
        helper.run(move |_| alloc(address));
        stranger.run(move |_| free(address));
    }
    helper.end();
    assert_eq!(six(scope.finish().counters(arena())), [0, 0, 1000, 1, 20_000, 20]);
}

#[test]
fn of_several_hand_overs_the_first_to_be_charged_raises_no_peak() {
    let _alone = alone();
    let scope = Scope::enter(site("several hand-overs"));
    let helper = Worker::under(&Context::current());
    let stranger = Worker::start();
    memprof::record_alloc(arena(), 1, 0);
    alloc(2);
    stranger.run(|_| [1, 2].into_iter().for_each(free));
    helper.run(|_| alloc(3));
    helper.end();
    assert_eq!(six(scope.finish().counters(arena())), [1000, 1, 1000, 2, 2000, 3]);
    free(3);
}

#[test]
fn what_is_still_held_under_a_context_when_its_scope_ends_is_off_the_scope_around() {
    let _alone = alone();
    let outer = Scope::enter(site("around the abandoned"));
    let _context = Context::current();
    let inner = Scope::enter(site("abandoned"));
    let helper = Worker::under(&Context::current());
    helper.run(|_| alloc(1));
    drop(inner);
    helper.run(|_| alloc(2));
    [3, 4].into_iter().for_each(alloc);
    helper.end();
    alloc(5);
    assert_eq!(six(outer.finish().counters(arena())), [3000, 3, 3000, 3, 3000, 3]);
    (1..=5).for_each(free);
}

#[test]
fn a_node_that_is_open_twice_under_a_context_counts_once_also_where_its_site_is_open_in_the_captured_chain() {
    let _alone = alone();
    let names = ["back to the top", "beside", "open everywhere"];
    let [top, beside, again] = names.map(site);
    let outer = Scope::enter(top);
    let captured = Scope::enter(again);
    let worker = Worker::under(&Context::current());
    worker.run(move |_| {
        let _scopes = [top, beside, again, again].map(Scope::enter);
        alloc(1);
    });
    worker.end();
    drop(captured);
    drop(outer);
    let node = path(&memprof::snapshot(), arena(), &names).expect("one path");
    assert_eq!((node.ncalls, node.memory_peak, node.memory_total), (2, BYTES, BYTES));
    assert_eq!(columns_of("open everywhere"), (3, BYTES, BYTES));
    free(1);
}
