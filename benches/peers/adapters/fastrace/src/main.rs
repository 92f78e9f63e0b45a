//! fastrace, with a reporter that drops what it gets, and a root span around each thousand calls. It measures no memory.

use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace::prelude::{Span, SpanContext};
use fastrace::trace;
use workloads::{Peer, UPSTREAM, Upstream};

#[global_allocator]
static ALLOC: Upstream = UPSTREAM;

struct Nowhere;

impl Reporter for Nowhere {
    fn report(&mut self, _spans: Vec<SpanRecord>) {}
}

const CALLS_IN_A_ROOT: usize = 1000;

struct Tool;

impl Peer for Tool {
    type Session = ();

    const HAS_SCOPES: bool = true;
    const CAN_READ: bool = false;

    fn start() {
        fastrace::set_reporter(Nowhere, Config::default());
    }

    fn calls(turns: usize, one: impl Fn(u64)) {
        for begin in (0..turns).step_by(CALLS_IN_A_ROOT) {
            let root = Span::root("calls", SpanContext::random());
            let _guard = root.set_local_parent();
            (begin..turns.min(begin + CALLS_IN_A_ROOT)).for_each(|number| one(number as u64));
        }
    }

    fn call(number: u64) -> u64 {
        call(number)
    }

    fn scope<R>(work: impl FnOnce() -> R) -> R {
        let root = Span::root("workload", SpanContext::random());
        let _guard = root.set_local_parent();
        work()
    }

    fn request(number: u64) -> impl Future<Output = u64> + Send + 'static {
        use fastrace::future::FutureExt as _;

        request(number).in_span(Span::root("request", SpanContext::random()))
    }
}

#[trace]
#[inline(never)]
fn call(number: u64) -> u64 {
    workloads::plain(number)
}

#[trace]
async fn request(number: u64) -> u64 {
    workloads::request(number).await
}

workloads::main!(Tool);
