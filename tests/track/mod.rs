//! What the tests of `#[track]` share.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The one record with this function label (or name) in this test binary.
pub(crate) fn record(function: &str) -> memprof::Record {
    let mut records = memprof::snapshot().records("host").to_vec();
    records.retain(|record| record.function == function);
    assert_eq!(records.len(), 1, "records named {function}: {records:?}");
    records.remove(0)
}

/// How often the function with this label ran.
pub(crate) fn calls(function: &str) -> u64 {
    record(function).ncalls
}

/// Whether a record has this label.
pub(crate) fn is_recorded(function: &str) -> bool {
    memprof::snapshot().records("host").iter().any(|record| record.function == function)
}

/// Polls a future on this thread until it is ready.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Is pending once, then ready.
pub(crate) async fn yield_once() {
    let mut polled = false;
    std::future::poll_fn(move |_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}
