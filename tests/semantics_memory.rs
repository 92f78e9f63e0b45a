//! The recorder's own memory: it grows with paths and with threads alive at once, never with events.
//!
//! One test, so that nothing else runs in this process while it measures. Two exact readings: the bytes that
//! the C library's malloc has handed out (the recorder takes its memory from there), and the size of the
//! address space (for what it maps itself). Some short rounds of each kind of event warm tables and caches up;
//! the long one after them must not move either number by one byte.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![expect(unsafe_code, reason = "the C library is asked what it has handed out")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context as Wakers, Poll, Waker};

use memprof::{Context, Scope, Site, Space, TrackExt as _};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();

/// 100 million where the compiler optimises. A byte for each of 100,000 calls would show as well as one for each of more.
const CALLS: u64 = if cfg!(debug_assertions) { 100_000 } else { 100_000_000 };
/// Pairs of an allocation and a free on the host, likewise.
const PAIRS: u64 = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
/// What takes a lock or a pool's entry each time.
const SLOWER: u64 = if cfg!(debug_assertions) { 20_000 } else { 100_000 };

const WARM_ROUNDS: u64 = 16;

/// Bytes handed out by malloc, and pages of the address space.
fn memory() -> (usize, u64) {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm.split(' ').next().expect("a field").parse().expect("a number");
    drop(statm);
    // SAFETY: it only reads the C library's own counters.
    let handed_out = unsafe { libc::mallinfo2() };
    (handed_out.uordblks + handed_out.hblkhd, pages)
}

fn hold(what: &str, mut events: impl FnMut(u64)) {
    // Blocks that are zeroed on allocation do not come from malloc's per-thread cache, but go there when they
    // are freed, seven of each size; so it takes some short rounds until nothing moves any more.
    for _ in 0..WARM_ROUNDS {
        events(100);
        memory();
    }
    let before = memory();
    events(1);
    assert_eq!(memory(), before, "{what}: bytes handed out, pages");
}

/// For what allocates and frees blocks of many sizes and on many threads: how malloc cuts and keeps chunks then
/// moves its own number by some bytes. Its smallest chunk is 16 bytes and more, so one kept for each repetition
/// would show.
fn hold_but_for_caches(what: &str, mut repeat: impl FnMut(usize)) {
    repeat(100);
    let before = memory();
    repeat(1000);
    let after = memory();
    assert!(after.0 < before.0 + 16 * 1000, "{what}: {before:?}, then {after:?}");
}

#[test]
fn events_leave_the_recorders_memory_where_it_was() {
    memprof::enable();
    let sites = ["memory a", "memory b", "memory c"].map(Site::named);
    let space = Space::named("arena");

    hold("scope calls", |part| {
        for _ in 0..CALLS / 3 / part {
            let _a = Scope::enter(sites[0]);
            let _b = Scope::enter(sites[1]);
            let _c = Scope::enter(sites[2]);
        }
    });
    let snapshot = memprof::snapshot();
    let rows = snapshot.records(space);
    let calls = rows.iter().find(|row| row.name == "memory a").expect("a row").ncalls;
    assert_eq!(calls, CALLS / 3 + WARM_ROUNDS * (CALLS / 3 / 100));
    drop(snapshot);

    hold("blocks of a named space", |part| {
        for address in 0..SLOWER / part {
            let _scope = Scope::enter(sites[0]);
            memprof::record_alloc(space, address % 64, 10);
            memprof::record_free(space, address % 64);
        }
    });

    hold("host blocks", |part| {
        for _ in 0..PAIRS / part {
            let _scope = Scope::enter(sites[1]);
            drop(std::hint::black_box(Box::new([0u8; 100])));
        }
    });

    hold("contexts", |part| {
        for _ in 0..SLOWER / part {
            let _scope = Scope::enter(sites[0]);
            Context::current().run(|| drop(Scope::enter(sites[1])));
        }
    });

    hold("tasks", |part| {
        for _ in 0..SLOWER / part {
            let mut polls = 0;
            let body = poll_fn(move |_| {
                polls += 1;
                if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
            });
            let mut task = pin!(body.track(sites[2]));
            while task.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_pending() {}
        }
    });

    hold_but_for_caches("threads one after another", |count| {
        for _ in 0..count {
            std::thread::spawn(move || {
                let _scope = Scope::enter(sites[0]);
                memprof::record_alloc(space, 1, 10);
                memprof::record_free(space, 1);
            })
            .join()
            .expect("no panic");
        }
    });

    hold_but_for_caches("snapshots", |count| {
        for _ in 0..count {
            drop(memprof::snapshot());
        }
    });

    hold_but_for_caches("resets and switches", |count| {
        for _ in 0..count {
            let _scope = Scope::enter(sites[0]);
            memprof::reset();
            memprof::disable();
            memprof::enable();
        }
    });
}
