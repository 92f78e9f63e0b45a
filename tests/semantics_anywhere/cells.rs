//! The functions, the places, and one cell: when the call was made, the recorder must still count to the byte.
#![expect(unsafe_code, reason = "signals, forks, limits and stacks of the C library")]

use std::cell::Cell;
use std::future::Future as _;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Wakers, Waker};

use memprof::{Context, Scope, Site, Space, TrackExt as _};

use super::hooked::{FORK_HOOKS, IN_ALLOCATOR, PLACE, SIGNAL_IN_ALLOCATOR, function};

pub(super) const FUNCTIONS: &[(&str, fn())] = &[
    ("enable", memprof::enable),
    ("disable", || {
        memprof::disable();
        memprof::enable();
    }),
    ("is_enabled", || {
        memprof::is_enabled();
    }),
    ("reset", memprof::reset),
    ("snapshot", || drop(memprof::snapshot())),
    ("print_memory_report", memprof::print_memory_report),
    ("counters", || {
        memprof::counters(Space::HOST);
        memprof::counters(Space::PINNED);
    }),
    ("Space::device", || {
        Space::device(3).name();
    }),
    ("Space::named", || {
        new_space().name();
    }),
    ("Site::named", || {
        Site::named(name().as_str());
    }),
    ("Scope", || drop(Scope::enter(Site::named(name().as_str())))),
    ("Scope::counters", || {
        let scope = Scope::enter(memprof::site!("counters"));
        scope.counters(Space::HOST);
        scope.finish().counters(Space::PINNED);
    }),
    ("scope!", || {
        memprof::scope!("a block");
    }),
    ("track", tracked),
    ("Context", || {
        let _scope = Scope::enter(memprof::site!("captured"));
        let context = Context::current();
        drop(context.clone().enter());
        context.run(tracked);
    }),
    ("a future", || {
        let context = Context::current();
        let mut future = pin!(async { tracked() }.track(memprof::site!("a future")).in_context(context));
        assert!(future.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_ready());
    }),
    ("ambient", || drop(memprof::ambient("around"))),
    ("record_alloc", || {
        let address = name().number;
        for space in [Space::HOST, Space::PINNED, Space::named("arena")] {
            memprof::record_alloc(space, address, 10);
            memprof::record_free(space, address);
        }
    }),
    ("record_alloc, left", || {
        let address = name().number;
        for space in [Space::HOST, Space::PINNED, new_space()] {
            memprof::record_alloc(space, address, 10);
            memprof::record_alloc(space, address, 20);
        }
    }),
    ("record_free", || {
        for space in [Space::HOST, Space::PINNED, new_space()] {
            memprof::record_free(space, name().number);
        }
    }),
    ("record_alloc_failure", || {
        for space in [Space::HOST, Space::PINNED, new_space()] {
            memprof::record_alloc_failure(space, 10);
        }
    }),
];

#[memprof::track]
fn tracked() {}

/// `n` and a number, mostly unlike the ones before, without an allocation.
struct Name {
    bytes: [u8; 8],
    number: u64,
}

fn name() -> Name {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) % 5_000;
    let mut bytes = *b"n0000000";
    let mut rest = number;
    for byte in bytes.iter_mut().rev().take(7) {
        *byte = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
    Name { bytes, number: number as u64 }
}

impl Name {
    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes).expect("letters")
    }
}

/// One of a few, so that those of the checks find room beside them.
fn new_space() -> Space {
    Space::named(["one", "two", "three", "four"][usize::try_from(name().number % 4).expect("small")])
}

/// Makes a call in some place.
pub(super) type Place = fn(fn());

pub(super) const PLACES: &[(&str, Place)] = &[
    ("the program", |call| call()),
    ("the wrapped allocator, from the first allocation on", |_| {
        assert!(IN_ALLOCATOR.load(Ordering::Relaxed) > 0, "it was called before main");
        work();
        std::thread::spawn(work).join().expect("no panic");
    }),
    ("a device's allocator", |call| {
        static CALL: CallOnce = CallOnce::new();
        CALL.set(call);
        memprof_core::__allocator::on_snapshot(|| {
            CALL.take();
            Vec::new()
        });
        drop(memprof::snapshot());
        assert!(!CALL.is_set(), "it was asked");
    }),
    ("a destructor of a thread-local, before the thread's records are gone", |call| {
        std::thread::spawn(move || {
            tracked();
            in_a_destructor(call);
        })
        .join()
        .expect("no panic");
    }),
    ("a destructor of a thread-local, after the thread's records are gone", |call| {
        std::thread::spawn(move || {
            in_a_destructor(call);
            tracked();
        })
        .join()
        .expect("no panic");
    }),
    ("a signal handler", |call| {
        handle(libc::SIGUSR1, call);
        raise(libc::SIGUSR1);
        let _scope = Scope::enter(Site::named("interrupted"));
        raise(libc::SIGUSR1);
    }),
    ("a signal handler that interrupts the recorder", |call| {
        handle(libc::SIGUSR1, call);
        SIGNAL_IN_ALLOCATOR.store(true, Ordering::Relaxed);
        work();
        SIGNAL_IN_ALLOCATOR.store(false, Ordering::Relaxed);
        assert!(IN_ALLOCATOR.load(Ordering::Relaxed) > 0, "it was interrupted");
    }),
    ("a program that has used up its memory", use_up),
    ("a captured scope of a program that has used up its memory", |call| {
        // The thread has been in these spaces before, the captured scope has not.
        for space in [Space::PINNED, Space::named("arena")] {
            memprof::record_alloc(space, 0, 10);
            memprof::record_free(space, 0);
        }
        let _scope = Scope::enter(Site::named("captured"));
        let _context = Context::current();
        use_up(call);
    }),
    ("a stack of 16 KiB", |call| on_a_small_stack(call)),
    ("a fork's hooks", |call| {
        // `fork` calls the first ones registered last before it, and first after it.
        // SAFETY: the child only ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: it ends the process and nothing else.
            unsafe { libc::_exit(i32::from(FORK_HOOKS.load(Ordering::Relaxed) != 2)) }
        }
        let mut status = 0;
        // SAFETY: `status` is written; `child` is the process just forked.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!((status, FORK_HOOKS.load(Ordering::Relaxed)), (0, 2));
        let _ = call;
    }),
];

/// Makes the call when nothing more is to be had, not one byte.
fn use_up(call: fn()) {
    let limit = libc::rlimit { rlim_cur: 1 << 30, rlim_max: 1 << 30 };
    // SAFETY: reads one limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    let mut held: Vec<Vec<u8>> = Vec::with_capacity(100_000);
    for bytes in (0..30).rev().map(|power| 1_usize << power) {
        let mut more = Vec::new();
        while held.len() < held.capacity() && more.try_reserve_exact(bytes).is_ok() {
            held.push(std::mem::take(&mut more));
        }
    }
    let has_room = held.len() < held.capacity();
    call();
    drop(held);
    assert!(has_room, "the memory was used up, and not the room for what is held");
}

/// What the recorder does that makes it allocate: new paths, spaces, blocks, contexts, snapshots.
fn work() {
    for round in 0..40 {
        let _scope = Scope::enter(Site::named(&format!("site {round}")));
        let held = vec![1_u8; round];
        memprof::record_alloc(Space::named("work"), round as u64, 10);
        Context::current().run(tracked);
        drop(held);
    }
    drop(memprof::snapshot().to_string());
    (0..40).for_each(|round| memprof::record_free(Space::named("work"), round));
    let ambient = memprof::ambient("at work");
    tracked();
    drop(ambient);
}

/// A call that is made by whoever comes first.
struct CallOnce(std::sync::atomic::AtomicPtr<()>);

impl CallOnce {
    const fn new() -> Self {
        Self(std::sync::atomic::AtomicPtr::new(std::ptr::null_mut()))
    }

    fn set(&self, call: fn()) {
        self.0.store(call as *mut (), Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        !self.0.load(Ordering::Relaxed).is_null()
    }

    fn take(&self) {
        let call = self.0.swap(std::ptr::null_mut(), Ordering::Relaxed);
        if !call.is_null() {
            // SAFETY: `set` stored a function.
            (unsafe { std::mem::transmute::<*mut (), fn()>(call) })();
        }
    }
}

fn in_a_destructor(call: fn()) {
    struct Calls(fn());
    impl Drop for Calls {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    thread_local!(static CALLS: Cell<Option<Calls>> = const { Cell::new(None) });
    CALLS.set(Some(Calls(call)));
}

static HANDLED: std::sync::Mutex<fn()> = std::sync::Mutex::new(tracked);

fn handle(signal: i32, call: fn()) {
    extern "C" fn handler(_: i32) {
        if let Ok(call) = HANDLED.try_lock() {
            (*call)();
        }
    }
    *HANDLED.lock().expect("no panic") = call;
    // SAFETY: all zero bytes are a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    // SAFETY: an action that calls a function which is there.
    assert_eq!(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) }, 0);
}

pub(super) fn raise(signal: i32) {
    // SAFETY: it has a handler.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

fn on_a_small_stack(call: fn()) {
    extern "C" fn run(call: *mut libc::c_void) -> *mut libc::c_void {
        // SAFETY: a function was handed in.
        (unsafe { std::mem::transmute::<*mut libc::c_void, fn()>(call) })();
        std::ptr::null_mut()
    }
    // SAFETY: all zero bytes are a value.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY: room for the attributes.
    assert_eq!(unsafe { libc::pthread_attr_init(&raw mut attributes) }, 0);
    // SAFETY: attributes that were made.
    assert_eq!(unsafe { libc::pthread_attr_setstacksize(&raw mut attributes, 16 << 10) }, 0);
    let mut thread = 0;
    let call = call as *mut libc::c_void;
    // SAFETY: a function and what it is to be given.
    assert_eq!(unsafe { libc::pthread_create(&raw mut thread, &raw const attributes, run, call) }, 0);
    // SAFETY: the thread that was made.
    assert_eq!(unsafe { libc::pthread_join(thread, std::ptr::null_mut()) }, 0);
}

/// The recorder goes on as if nothing had been.
fn check() {
    memprof::enable();
    let arena = Space::named("checked");
    let scope = Scope::enter(Site::named("checked"));
    memprof::record_alloc(arena, 1, 10);
    let held = std::hint::black_box(vec![1_u8; 1000]);
    assert_eq!(counted(&scope, arena), [10, 1, 10, 1]);
    assert_eq!(counted(&scope, Space::HOST), [1000, 1, 1000, 1]);
    drop(held);
    memprof::record_free(arena, 1);
    drop(scope);
    let snapshot = memprof::snapshot();
    for (space, bytes) in [(arena, 10), (Space::HOST, 1000)] {
        let rows = snapshot.records(space);
        let row = rows.iter().find(|row| row.name == "checked").expect("a row");
        assert_eq!((row.ncalls, row.memory_peak, row.memory_total, row.live), (1, bytes, bytes, 0));
    }
}

fn counted(scope: &Scope, space: Space) -> [i64; 4] {
    let counters = scope.counters(space);
    [counters.current_bytes, counters.current_blocks, counters.total_bytes, counters.total_blocks]
}

/// The child: one cell, on the only thread, so that nobody else asks for memory when it is used up.
pub(super) fn cell(place: &str) {
    let function = function().expect("a function");
    // SAFETY: it kills the process if this takes long.
    unsafe { libc::alarm(100) };
    let (_, place) = PLACES.iter().find(|(known, _)| *known == place).expect("a place");
    memprof::enable();
    place(function);
    // Nothing more comes from the allocator.
    // SAFETY: one thread.
    unsafe { std::env::remove_var(PLACE) };
    check();
}
