//! `alloc_tracker`: a span on the calling thread, of an operation made once.

use std::sync::LazyLock;

use alloc_tracker::{Allocator, Operation, Session};
use workloads::{Peer, UPSTREAM, Upstream};

#[global_allocator]
static ALLOC: Allocator<Upstream> = Allocator::new(UPSTREAM);

static SESSION: LazyLock<Session> = LazyLock::new(|| Session::new().no_stdout().no_file());
static OPERATION: LazyLock<Operation> = LazyLock::new(|| SESSION.operation("workload"));

/// One for each route of a server.
static ROUTES: LazyLock<Vec<Operation>> =
    LazyLock::new(|| (0..workloads::ROUTES).map(|route| SESSION.operation(format!("route {route}"))).collect());

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = true;
    const CAN_READ: bool = true;

    fn start() {
        LazyLock::force(&OPERATION);
    }

    #[inline(never)]
    fn call(number: u64) -> u64 {
        let _span = OPERATION.measure_thread().iterations(1);
        workloads::plain(number)
    }

    fn scope<R>(work: impl FnOnce() -> R) -> R {
        let _span = OPERATION.measure_thread().iterations(1);
        work()
    }

    fn step<R>(route: usize, work: impl FnOnce() -> R) -> R {
        let _span = ROUTES[route].measure_thread().iterations(1);
        work()
    }

    fn read() {
        std::hint::black_box(SESSION.to_report());
    }
}

workloads::main!(Tool);
