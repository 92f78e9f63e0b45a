//! What is interrupted, and what a handler does: each with the events that it makes.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use memprof::TrackExt as _;

use crate::expected::Event::{self, Alloc, Free, Realloc};
use crate::memory::Block;

/// Something that is done once, and is over when it returns.
#[derive(Clone, Copy)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) run: fn(),
    pub(crate) events: &'static [Event],
    /// The sites that it enters, each as often as it does.
    pub(crate) sites: &'static [&'static str],
    /// How much of the events is inside the first of them.
    pub(crate) inside: u64,
    /// Whether it polls a task.
    pub(crate) is_task: bool,
    /// Whether each run of it is a first one, of thousands of instructions.
    pub(crate) is_cold: bool,
}

thread_local! {
    /// A block that was there before.
    static EARLIER: Cell<Option<Block>> = const { Cell::new(None) };
    /// Another one, which only what is interrupted uses.
    static OWN: Cell<Option<Block>> = const { Cell::new(None) };
    /// What handlers keep, and what is interrupted keeps.
    static KEPT: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
    static OWN_KEPT: Cell<Option<Block>> = const { Cell::new(None) };
    static POLLED: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>> = const { RefCell::new(None) };
}

const EARLIER_BYTES: usize = 1000;
const OWN_BYTES: usize = 500;

/// The events of [`prepare`]: these two.
pub(crate) const PREPARED: [Event; 2] = [Alloc(1000), Alloc(500)];

/// Makes the blocks that actions find, and the task; `without_tasks` not that, as the thread's lane may grow as long as it ran no other.
pub(crate) fn prepare(without_tasks: bool) {
    // What handlers keep has room beforehand, so that none of them allocates from the global allocator.
    KEPT.with_borrow_mut(|kept| kept.reserve(20_000));
    EARLIER.set(Some(Block::new(EARLIER_BYTES)));
    OWN.set(Some(Block::new(OWN_BYTES)));
    if !without_tasks {
        POLLED.with_borrow_mut(|polled| {
            polled.get_or_insert_with(|| {
                Box::pin(std::future::poll_fn(|_| Poll::Pending).track(memprof::site!("polled")))
            });
        });
    }
}

/// Frees whatever is left.
pub(crate) fn clean() {
    let kept = KEPT.with_borrow_mut(std::mem::take);
    kept.into_iter().chain(EARLIER.take()).chain(OWN.take()).chain(OWN_KEPT.take()).for_each(Block::free);
    // What was allocated in the task was handed over to it, which sees that when it is polled.
    poll();
}

fn poll() {
    POLLED.with_borrow_mut(|polled| {
        let Some(future) = polled else { return };
        let _pending = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    });
}

/// A future of which each poll does this.
fn polled_once(work: fn()) {
    let mut future = std::pin::pin!(
        std::future::poll_fn(move |_| {
            work();
            Poll::Ready(())
        })
        .track(memprof::site!("whole future"))
    );
    let _ready = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

fn pair() {
    Block::new(64).free();
}

fn keep() {
    OWN_KEPT.set(Some(Block::new(96)));
}

fn keep_in_handler() {
    let block = Block::new(32);
    KEPT.with_borrow_mut(|kept| kept.push(block));
}

#[memprof::track(name = "interrupted")]
#[inline(never)]
fn interrupted(work: fn()) {
    work();
}

#[memprof::track(name = "inner")]
#[inline(never)]
fn inner(work: fn()) {
    work();
}

#[memprof::track(name = "handler")]
#[inline(never)]
fn handler(work: fn()) {
    work();
}

fn nothing() {}

macro_rules! action {
    ($name:literal, $run:expr, [$($event:expr),*], [$($site:literal),*], $inside:expr) => {
        Action {
            name: $name,
            run: $run,
            events: &[$($event),*],
            sites: &[$($site),*],
            inside: $inside,
            is_task: false,
            is_cold: false,
        }
    };
}

pub(crate) const INTERRUPTED: &[Action] = &[
    action!("call", || interrupted(nothing), [], ["interrupted"], 0),
    action!("call with a pair", || interrupted(pair), [Alloc(64), Free(64)], ["interrupted"], 64),
    action!("call that keeps", || interrupted(keep), [Alloc(96)], ["interrupted"], 96),
    action!(
        "call that frees",
        || interrupted(|| OWN.take().expect("its block").free()),
        [Free(500)],
        ["interrupted"],
        0
    ),
    action!("call in a call", || interrupted(|| inner(pair)), [Alloc(64), Free(64)], ["interrupted", "inner"], 64),
    action!(
        "call in itself",
        || interrupted(|| interrupted(pair)),
        [Alloc(64), Free(64)],
        ["interrupted", "interrupted"],
        64
    ),
    action!("pair", pair, [Alloc(64), Free(64)], [], 0),
    action!("allocation", keep, [Alloc(96)], [], 0),
    action!("free", || OWN.take().expect("its block").free(), [Free(500)], [], 0),
    action!(
        "growth",
        || [1, 2, 3, 4].map(|_| Block::new(64)).map(Block::free).into_iter().collect(),
        [Alloc(64), Alloc(64), Alloc(64), Alloc(64), Free(64), Free(64), Free(64), Free(64)],
        [],
        0
    ),
    action!(
        "growth with frees",
        || {
            let kept = [1, 2, 3, 4].map(|_| Block::new(64));
            Block::new(48).free();
            kept.into_iter().for_each(Block::free);
        },
        [Alloc(64), Alloc(64), Alloc(64), Alloc(64), Alloc(48), Free(48), Free(64), Free(64), Free(64), Free(64)],
        [],
        0
    ),
    action!(
        "growth in calls",
        || {
            let kept = [1, 2, 3].map(|_| Block::new(64));
            interrupted(keep);
            interrupted(|| OWN.take().expect("its block").free());
            interrupted(|| OWN.set(OWN_KEPT.take().map(|block| block.resize(200))));
            kept.into_iter().for_each(Block::free);
        },
        [Alloc(64), Alloc(64), Alloc(64), Alloc(96), Free(500), Realloc(96, 200), Free(64), Free(64), Free(64)],
        ["interrupted", "interrupted", "interrupted"],
        200
    ),
    action!("longer", || OWN.set(Some(OWN.take().expect("its block").resize(700))), [Realloc(500, 700)], [], 0),
    action!("shorter", || OWN.set(Some(OWN.take().expect("its block").resize(300))), [Realloc(500, 300)], [], 0),
    action!(
        "longer in a call",
        || interrupted(|| OWN.set(Some(OWN.take().expect("its block").resize(700)))),
        [Realloc(500, 700)],
        ["interrupted"],
        200
    ),
    Action { is_task: true, ..action!("poll", poll, [], [], 0) },
    Action {
        is_task: true,
        is_cold: true,
        ..action!("future that keeps", || polled_once(keep), [Alloc(96)], ["whole future"], 96)
    },
];

pub(crate) const HANDLERS: &[Action] = &[
    action!("call", || handler(nothing), [], ["handler"], 0),
    action!("call with a pair", || handler(pair), [Alloc(64), Free(64)], ["handler"], 64),
    action!("pair", pair, [Alloc(64), Free(64)], [], 0),
    action!("call that keeps", || handler(keep_in_handler), [Alloc(32)], ["handler"], 32),
    action!(
        "call that frees",
        || handler(|| EARLIER.take().into_iter().for_each(Block::free)),
        [Free(1000)],
        ["handler"],
        0
    ),
    action!("free", || EARLIER.take().into_iter().for_each(Block::free), [Free(1000)], [], 0),
    action!(
        "longer",
        || handler(|| EARLIER.set(EARLIER.take().map(|block| block.resize(1600)))),
        [Realloc(1000, 1600)],
        ["handler"],
        600
    ),
    action!("same call", || interrupted(pair), [Alloc(64), Free(64)], ["interrupted"], 64),
    action!("call in a call", || handler(|| inner(pair)), [Alloc(64), Free(64)], ["handler", "inner"], 64),
    action!(
        "large pair",
        || handler(|| Block::new(1 << 20).free()),
        [Alloc(1 << 20), Free(1 << 20)],
        ["handler"],
        1 << 20
    ),
    Action { is_task: true, ..action!("future", || polled_once(pair), [Alloc(64), Free(64)], ["whole future"], 64) },
];
