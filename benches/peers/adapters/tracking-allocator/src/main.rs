//! tracking-allocator, with the least of trackers that says what a group holds: two counters each.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracking_allocator::{AllocationGroupId, AllocationGroupToken, AllocationRegistry, AllocationTracker, Allocator};
use workloads::{Peer, UPSTREAM, Upstream};

#[global_allocator]
static ALLOC: Allocator<Upstream> = Allocator::from_allocator(UPSTREAM);

const GROUPS: usize = 1024;
static BYTES: [AtomicUsize; GROUPS] = [const { AtomicUsize::new(0) }; GROUPS];
static BLOCKS: [AtomicUsize; GROUPS] = [const { AtomicUsize::new(0) }; GROUPS];

struct Sums;

impl AllocationTracker for Sums {
    fn allocated(&self, _address: usize, bytes: usize, _wrapped: usize, group: AllocationGroupId) {
        let group = group.as_usize().get() % GROUPS;
        BYTES[group].fetch_add(bytes, Ordering::Relaxed);
        BLOCKS[group].fetch_add(1, Ordering::Relaxed);
    }

    fn deallocated(
        &self,
        _address: usize,
        bytes: usize,
        _wrapped: usize,
        group: AllocationGroupId,
        _current: AllocationGroupId,
    ) {
        let group = group.as_usize().get() % GROUPS;
        BYTES[group].fetch_sub(bytes, Ordering::Relaxed);
        BLOCKS[group].fetch_sub(1, Ordering::Relaxed);
    }
}

thread_local! {
    static GROUP: RefCell<AllocationGroupToken> = RefCell::new(AllocationGroupToken::register().expect("a group"));
    /// One for each route of a server.
    static ROUTES: [RefCell<AllocationGroupToken>; workloads::ROUTES] =
        std::array::from_fn(|_| RefCell::new(AllocationGroupToken::register().expect("a group")));
}

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = true;
    const CAN_READ: bool = true;

    fn start() {
        AllocationRegistry::set_global_tracker(Sums).expect("the only tracker");
        AllocationRegistry::enable_tracking();
    }

    #[inline(never)]
    fn call(number: u64) -> u64 {
        GROUP.with_borrow_mut(|group| {
            let _guard = group.enter();
            workloads::plain(number)
        })
    }

    fn scope<R>(work: impl FnOnce() -> R) -> R {
        // A group of its own: a nested scope finds the thread's one in use.
        let mut group = AllocationGroupToken::register().expect("a group");
        let _guard = group.enter();
        work()
    }

    fn step<R>(route: usize, work: impl FnOnce() -> R) -> R {
        ROUTES.with(|routes| {
            let mut group = routes[route].borrow_mut();
            let _guard = group.enter();
            work()
        })
    }

    fn read() {
        for group in 0..GROUPS {
            std::hint::black_box((BYTES[group].load(Ordering::Relaxed), BLOCKS[group].load(Ordering::Relaxed)));
        }
    }
}

workloads::main!(Tool);
