//! Limits of futures: one activation over all polls.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use super::support::{bytes, panics};

/// Is pending once, then ready. tokio's own allocates.
async fn yield_once() {
    let mut polled = false;
    std::future::poll_fn(move |context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = poll(future.as_mut()) {
            return output;
        }
    }
}

#[memprof::limit(peak = 300, total = 300, kept = 100)]
async fn over_three_polls() -> Vec<u8> {
    let one = bytes(100);
    yield_once().await;
    let two = bytes(100);
    yield_once().await;
    drop((one, two, bytes(100)));
    bytes(0);
    bytes(100).split_off(0)
}

#[memprof::limit(peak = 299)]
async fn one_byte_less() {
    let one = bytes(100);
    yield_once().await;
    let two = bytes(200);
    yield_once().await;
    drop((one, two));
}

#[test]
fn a_future_is_judged_over_all_its_polls() {
    assert!(
        panics(|| drop(block_on(over_three_polls())))
            .contains("total of host: limit 300 bytes, measured 400, 100 over")
    );
    assert!(panics(|| block_on(one_byte_less())).contains("peak of host: limit 299 bytes, measured 300, 1 over"));
}

#[test]
fn what_another_does_between_polls_does_not_count() {
    let mut future = pin!(one_byte_less());
    assert!(poll(future.as_mut()).is_pending());
    drop(bytes(10_000));
    assert!(poll(future.as_mut()).is_pending());
    assert!(panics(|| assert!(poll(future).is_ready())).contains("measured 300, 1 over"));
}

#[test]
fn a_future_that_is_dropped_unfinished_is_not_judged() {
    let mut future = Box::pin(one_byte_less());
    for _ in 0..2 {
        assert!(poll(future.as_mut()).is_pending());
    }
    drop(future);
}

#[memprof::limit(peak = 100)]
fn ends_in_a_future(size: usize) -> impl Future<Output = usize> {
    let before = bytes(size);
    async move {
        yield_once().await;
        before.capacity()
    }
}

#[memprof::limit(peak = 100)]
fn is_a_future(size: usize) -> Pin<Box<dyn Future<Output = usize>>> {
    Box::pin(async move { bytes(size).capacity() })
}

#[test]
fn a_function_that_ends_in_a_future_is_judged_with_it() {
    assert_eq!(block_on(ends_in_a_future(100)), 100);
    assert!(panics(|| block_on(ends_in_a_future(101))).contains("measured 101, 1 over"));
    assert_eq!(block_on(is_a_future(100)), 100);
    assert!(panics(|| block_on(is_a_future(101))).contains("measured 101, 1 over"));
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn a_future_stays_send() {
    let finished = std::thread::spawn(|| panics(|| block_on(is_send(one_byte_less())))).join();
    assert!(finished.expect("no other panic").contains("measured 300, 1 over"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spawned_future_is_judged_wherever_it_is_polled() {
    #[memprof::limit(peak = 20_000, total = 120_000, kept = 10_000)]
    async fn hops(size: usize) -> Vec<u8> {
        let mut held = bytes(size);
        for _ in 0..11 {
            yield_once().await;
            held = bytes(size);
        }
        held
    }
    assert_eq!(tokio::spawn(hops(10_000)).await.expect("within its limits").capacity(), 10_000);
    let over = tokio::spawn(hops(10_001)).await.expect_err("over its limits").into_panic();
    let text = over.downcast::<String>().expect("a text");
    for line in [
        "peak of host: limit 20,000 bytes, measured 20,002, 2 over",
        "measured 120,012, 12 over",
        "measured 10,001, 1 over",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

/// Above the test's own attribute, the future alone is judged.
#[memprof::limit(peak = 100, kept = 0)]
#[tokio::test]
async fn a_tokio_test_with_a_limit() -> Result<(), std::num::ParseIntError> {
    let held = bytes(100);
    yield_once().await;
    drop(held);
    "1".parse::<u8>().map(drop)
}

#[memprof::limit(peak = 10)]
#[tokio::test]
#[should_panic(expected = "peak of host: limit 10 bytes, measured 11, 1 over")]
async fn a_tokio_test_that_is_over() {
    drop(bytes(11));
}

struct Service;

impl Service {
    #[memprof::limit(peak = 100)]
    async fn answer(&self, size: usize) -> usize {
        bytes(size).capacity()
    }
}

#[test]
fn an_async_method_has_limits() {
    assert_eq!(block_on(Service.answer(100)), 100);
    assert!(panics(|| block_on(Service.answer(200))).contains("measured 200, 100 over"));
}
