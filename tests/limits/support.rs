//! What the tests of limits share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The text of the panic that `work` ends with.
///
/// It runs in a task, which has a lane of its own. The standard library keeps the threads that run in a tree: a thread that begins
/// allocates a node of it, 544 bytes, which another frees as it ends. That comes off what this thread's innermost scope holds.
pub(crate) fn panics<T>(work: impl FnOnce() -> T) -> String {
    let task = || {
        let task = pin!(memprof::scope!("task", async { work() }));
        let Poll::Ready(done) = task.poll(&mut Context::from_waker(Waker::noop())) else {
            unreachable!("nothing waits")
        };
        done
    };
    let payload = catch_unwind(AssertUnwindSafe(task)).map(drop).expect_err("it exceeds its limit");
    payload.downcast::<String>().map_or_else(|_| "no text".to_owned(), |text| *text)
}

/// A vector of so many bytes and no more.
pub(crate) fn bytes(count: usize) -> Vec<u8> {
    std::hint::black_box(Vec::with_capacity(count))
}
