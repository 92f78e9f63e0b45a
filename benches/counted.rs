//! One operation, as often as asked: what `scripts/instructions` runs under callgrind, twice, to count the instructions
//! of one. Not a benchmark by itself, so `cargo bench` leaves it out. The cases `task`, `inner-future` and `poll-under-ambient` have no bound there: they
//! swing by a tenth with what the compiler inlines; they are for comparing by hand, as are `pictures` and `snapshots`, of which a hundred are many.
//!
//! ```text
//! counted call 100000
//! ```

#![expect(unsafe_code, reason = "blocks are taken from an allocator directly, to compare it with its upstream")]

mod measured;

use std::alloc::{GlobalAlloc, Layout, System};
use std::env;
use std::hint::black_box;
use std::pin::pin;
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};

use measured::{TAGGED, plain, tagged_pair, tracked, tracked_with_pair, untagged_pair, upstream_pair};
use memprof::{Scope, Site, TrackExt as _};

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let case = arguments.next().unwrap_or_default();
    let Some(turns) = arguments.next().and_then(|turns| turns.parse().ok()) else { return usage() };
    if !case.starts_with("off-") {
        memprof::enable();
    }
    match case.as_str() {
        "plain-call" => repeat(turns, || _ = plain(black_box(1))),
        "call" | "off-call" => repeat(turns, || _ = tracked(black_box(1))),
        "upstream-pair" => repeat(turns, upstream_pair),
        "off-pair" => repeat(turns, untagged_pair),
        "pair" => {
            memprof::scope!("pairs");
            repeat(turns, tagged_pair);
        }
        "environment-pair" => {
            memprof::scope!("pairs");
            repeat(turns, untagged_pair);
        }
        "upstream-growth" => repeat(turns, upstream_growth),
        "growth" => {
            memprof::scope!("growth");
            repeat(turns, tagged_growth);
        }
        "upstream-growth-with-frees" => repeat(turns, || grow_with_frees(&System)),
        "growth-with-frees" => {
            memprof::scope!("growth");
            repeat(turns, || grow_with_frees(&TAGGED));
        }
        "upstream-reallocation" => repeat(turns, upstream_reallocation),
        "reallocation" => {
            memprof::scope!("reallocations");
            repeat(turns, tagged_reallocation);
        }
        "call-with-pair" => repeat(turns, tracked_with_pair),
        "call-that-keeps" => repeat(turns, tracked_growth),
        "call-that-frees" => {
            memprof::scope!("blocks");
            repeat(turns, pair_with_tracked_free);
        }
        "call-that-reallocates" => {
            memprof::scope!("blocks");
            repeat(turns, pair_with_tracked_reallocation);
        }
        "call-under-context" => under_context(turns, || _ = tracked(black_box(1))),
        "call-under-context-with-pair" => under_context(turns, tracked_with_pair),
        "call-under-ambient-with-pair" => {
            let _ambient = memprof::ambient("ambient");
            repeat(turns, tracked_with_pair);
        }
        "context-with-call" => {
            memprof::scope!("captured");
            let context = memprof::Context::current();
            repeat(turns, || context.run(tracked_with_pair));
        }
        "sites" => sites(turns, || ()),
        "sites-with-pair" => sites(turns, tagged_pair),
        "pictures" => pictures(turns),
        "snapshots" => snapshots(turns),
        "recursion" => recursion(1, turns),
        "deep-recursion" => recursion(1_000, turns),
        "poll" => poll(turns, || ()),
        "poll-with-pair" => poll(turns, tagged_pair),
        "poll-under-ambient" => {
            let _ambient = memprof::ambient("ambient");
            poll(turns, tagged_pair);
        }
        "task" => repeat(turns, task),
        "inner-future" => {
            memprof::scope!("outer");
            let mut outer =
                pin!(std::future::poll_fn(|_| Poll::Ready(repeat(turns, task))).track(memprof::site!("outer")));
            let _: Poll<()> = outer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "a wrong call")]
fn usage() -> ExitCode {
    eprintln!("counted: expected a case of scripts/instructions and a number of turns");
    ExitCode::FAILURE
}

/// Scopes of 10,000 sites in turn, in each of which `work` is done.
fn sites(turns: u64, work: impl Fn()) {
    in_turn(&numbered_sites(10_000), turns, work);
}

fn numbered_sites(count: usize) -> Vec<&'static Site> {
    (0..count).map(|number| Site::named(&format!("site {number}"))).collect()
}

/// Scopes of these sites in turn, in each of which `work` is done.
fn in_turn(sites: &[&'static Site], turns: u64, work: impl Fn()) {
    let mut next = sites.iter().cycle();
    repeat(turns, || {
        let site = next.next().expect("there are some");
        let scope = Scope::enter(site);
        work();
        drop(scope);
    });
}

/// A program of 1,000 paths that holds 64 KiB more each turn, so that who owns what is looked at each time.
fn pictures(turns: u64) {
    let _kept = a_thousand_paths();
    let layout = Layout::new::<[u64; 8 << 10]>();
    repeat(turns, || {
        // SAFETY: the layout is not empty.
        let block = black_box(unsafe { TAGGED.alloc(layout) });
        assert!(!block.is_null(), "64 KiB could not be allocated");
    });
}

/// Snapshots of a program of 1,000 paths.
fn snapshots(turns: u64) {
    let _kept = a_thousand_paths();
    repeat(turns, || _ = black_box(memprof::snapshot()));
}

/// A thousand scopes inside one another, each of which keeps a block.
fn a_thousand_paths() -> Vec<*mut u8> {
    fn descend(sites: &[&'static Site], kept: &mut Vec<*mut u8>) {
        let Some((first, rest)) = sites.split_first() else { return };
        let _scope = Scope::enter(first);
        // SAFETY: the layout is not empty.
        kept.push(unsafe { TAGGED.alloc(Layout::new::<u64>()) });
        descend(rest, kept);
    }
    let sites = numbered_sites(1_000);
    let mut kept = Vec::new();
    descend(&sites, &mut kept);
    kept
}

/// With so many sites open inside one another, scopes of each of them in turn, with a pair in each: calls that lead back to
/// a function further out.
fn recursion(depth: usize, turns: u64) {
    let sites = numbered_sites(depth);
    let mut open: Vec<_> = sites.iter().map(|site| Scope::enter(site)).collect();
    in_turn(&sites, turns, tagged_pair);
    while open.pop().is_some() {}
}

/// Polls of one future, each of which does `work`.
fn poll(turns: u64, work: impl Fn()) {
    let mut context = Context::from_waker(Waker::noop());
    let future = std::future::poll_fn(|_| {
        work();
        Poll::<()>::Pending
    });
    let mut pending = pin!(future.track(memprof::site!("pending")));
    repeat(turns, || _ = pending.as_mut().poll(&mut context));
}

/// A future that is made, polled once and dropped: a task, unless that happens in another tracked future.
fn task() {
    let mut future = pin!(std::future::ready(()).track(memprof::site!("task")));
    let _: Poll<()> = black_box(future.as_mut().poll(&mut Context::from_waker(Waker::noop())));
}

fn repeat(turns: u64, mut turn: impl FnMut()) {
    for _ in 0..turns {
        turn();
    }
}

#[inline(never)]
fn upstream_growth() {
    grow(&System);
}

/// An allocation of a thread that holds more than ever.
#[inline(never)]
fn tagged_growth() {
    grow(&TAGGED);
}

#[inline(always)]
fn grow(allocator: &impl GlobalAlloc) {
    let block = block_of(allocator, black_box(Layout::new::<[u64; 8]>()));
    assert!(!block.is_null(), "64 bytes could not be allocated");
}

/// The layout has a size.
#[inline(always)]
fn block_of(allocator: &impl GlobalAlloc, layout: Layout) -> *mut u8 {
    // SAFETY: as said.
    black_box(unsafe { allocator.alloc(layout) })
}

/// Three allocations, of which one is freed.
#[inline(always)]
fn grow_with_frees(allocator: &impl GlobalAlloc) {
    let layout = black_box(Layout::new::<[u64; 8]>());
    // One by one: what the compiler makes of a `map` over an array differs by 40 instructions from build to build.
    let _first = block_of(allocator, layout);
    let second = block_of(allocator, layout);
    let _third = block_of(allocator, layout);
    assert!(!second.is_null(), "64 bytes could not be allocated");
    // SAFETY: the block comes from this allocator, with this layout.
    unsafe { allocator.dealloc(second, layout) };
}

/// A call that keeps what it allocates, above all peaks.
#[memprof::track]
#[inline(never)]
fn tracked_growth() {
    grow(&TAGGED);
}

/// A call that frees what its caller allocated.
#[memprof::track]
#[inline(never)]
fn tracked_free(block: *mut u8, layout: Layout) {
    // SAFETY: the block comes from this allocator, with this layout.
    unsafe { TAGGED.dealloc(block, layout) };
}

fn pair_with_tracked_free() {
    let layout = black_box(Layout::new::<[u64; 8]>());
    // SAFETY: the layout is not empty.
    let block = black_box(unsafe { TAGGED.alloc(layout) });
    assert!(!block.is_null(), "64 bytes could not be allocated");
    tracked_free(block, layout);
}

/// Calls in a context that was entered.
fn under_context(turns: u64, call: impl Fn()) {
    memprof::scope!("captured");
    let context = memprof::Context::current();
    let _entered = context.enter();
    repeat(turns, call);
}

/// A reallocation by way of such functions as those of a pair.
macro_rules! realloc {
    ($realloc:ident, $allocator:expr) => {
        #[inline(never)]
        fn $realloc(block: *mut u8, size: usize, align: usize, new_size: usize) -> *mut u8 {
            // SAFETY: of a layout.
            let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
            // SAFETY: the block comes from this allocator, with this layout; the new size is not zero.
            unsafe { $allocator.realloc(block, layout, new_size) }
        }
    };
}

realloc!(upstream_realloc, System);
realloc!(tagged_realloc, TAGGED);

#[inline(never)]
fn upstream_reallocation() {
    reallocate(&System, upstream_realloc);
}

/// A pair with a reallocation in it.
#[inline(never)]
fn tagged_reallocation() {
    reallocate(&TAGGED, tagged_realloc);
}

/// A pair with a call in it that reallocates.
fn pair_with_tracked_reallocation() {
    #[memprof::track]
    #[inline(never)]
    fn tracked_reallocation(block: *mut u8, size: usize, align: usize, new_size: usize) -> *mut u8 {
        tagged_realloc(block, size, align, new_size)
    }
    reallocate(&TAGGED, tracked_reallocation);
}

#[inline(always)]
fn reallocate(allocator: &impl GlobalAlloc, realloc: impl Fn(*mut u8, usize, usize, usize) -> *mut u8) {
    // With a tag and without, glibc has room for both in the chunk of the first.
    let (small, large) = black_box((Layout::new::<[u16; 25]>(), Layout::new::<[u16; 26]>()));
    // SAFETY: the layout is not empty.
    let block = black_box(unsafe { allocator.alloc(small) });
    assert!(!block.is_null(), "50 bytes could not be allocated");
    let block = black_box(realloc(block, small.size(), small.align(), large.size()));
    assert!(!block.is_null(), "52 bytes could not be allocated");
    // SAFETY: the block comes from this allocator, with this layout.
    unsafe { allocator.dealloc(block, large) };
}
