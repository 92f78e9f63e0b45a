//! Calls that make a future themselves, and scopes that are held over an await.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use memprof::{PathRecord, Space, record_alloc, record_free, track};

/// Is pending once, then ready.
async fn yield_once() {
    let mut polled = false;
    std::future::poll_fn(move |_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = poll_once(future.as_mut()) {
            return output;
        }
    }
}

/// Calls, peak and total of the one site of this name in a space.
fn numbers(space: Space, function: &str) -> (u64, u64, u64) {
    let snapshot = memprof::snapshot();
    let record = snapshot.records(space).iter().find(|record| record.function == function);
    record.map_or((0, 0, 0), |record| (record.ncalls, record.memory_peak, record.memory_total))
}

/// The functions of the path that this one stands at, outermost first.
fn path_of(space: Space, function: &str) -> Vec<String> {
    let snapshot = memprof::snapshot();
    let tree: &[PathRecord] = snapshot.tree(space);
    let places: Vec<usize> = (0..tree.len()).filter(|at| tree[*at].function == function).collect();
    assert_eq!(places.len(), 1, "{function} stands at one path");
    let mut path: Vec<String> = std::iter::successors(places.first().copied(), |at| tree[*at].parent)
        .map(|at| tree[at].function.clone())
        .collect();
    path.reverse();
    path
}

fn space(name: &str) -> Space {
    memprof::enable();
    Space::named(name)
}

/// Issue 9: this said 200.
#[test]
fn a_call_with_statements_before_its_future_is_one_activation() {
    #[track(name = "hundred")]
    fn hundred(space: Space, n: u64) -> impl Future<Output = u64> {
        let n = n + 1;
        record_alloc(space, n, 10);
        async move {
            record_alloc(space, 1000 + n, 5);
            yield_once().await;
            record_free(space, n);
            record_free(space, 1000 + n);
            n
        }
    }
    let space = space("hundred calls");
    for n in 0..100 {
        assert_eq!(block_on(hundred(space, n)), n + 1);
    }
    assert_eq!(numbers(space, "hundred"), (100, 15, 1500));
}

#[test]
fn a_future_that_is_never_polled_was_called() {
    #[track(name = "only called")]
    fn only_called(space: Space) -> Pin<Box<dyn Future<Output = ()>>> {
        record_alloc(space, 1, 7);
        Box::pin(async move { record_alloc(space, 2, 7) })
    }
    let space = space("never polled");
    drop(only_called(space));
    assert_eq!(numbers(space, "only called"), (1, 7, 7));
}

#[test]
fn statements_that_return_early_or_panic_are_one_activation_that_has_ended() {
    #[track(name = "early")]
    fn early(space: Space, n: u64) -> Pin<Box<dyn Future<Output = u64>>> {
        record_alloc(space, n, 3);
        assert_ne!(n, 3, "by intent");
        if n == 2 {
            return Box::pin(std::future::ready(n));
        }
        Box::pin(async move {
            record_alloc(space, 10 + n, 100);
            n
        })
    }
    let space = space("early returns");
    let around = memprof::Scope::enter(memprof::site!("around early"));
    assert_eq!(block_on(early(space, 1)), 1);
    assert_eq!(block_on(early(space, 2)), 2);
    assert!(std::panic::catch_unwind(|| early(space, 3)).is_err());
    assert_eq!(around.counters(space).total_bytes, 3 + 100 + 3 + 3);
    drop(around);
    assert_eq!(numbers(space, "early"), (3, 103, 109));
}

/// No attribute makes such a call, but a panic in what is made of its future would.
#[test]
fn a_call_that_drops_its_own_future_ends_with_it() {
    let space = space("dropped inside");
    let around = memprof::Scope::enter(memprof::site!("around one dropped inside"));
    let call = memprof::__private::Call::begin(memprof::Site::named("dropped inside"));
    record_alloc(space, 1, 100);
    drop(call.future(async {}));
    record_alloc(space, 2, 10);
    // What the call had is this one's now.
    let mut next = pin!(track_next(space));
    assert!(poll_once(next.as_mut()).is_pending());
    drop(call);
    record_alloc(space, 3, 1);
    assert!(poll_once(next.as_mut()).is_ready());
    drop(around);
    assert_eq!(numbers(space, "dropped inside"), (1, 100, 100));
    assert_eq!(numbers(space, "the next one"), (1, 2000, 2000));
    assert_eq!(numbers(space, "around one dropped inside"), (1, 2111, 2111));
}

#[track(name = "the next one")]
async fn track_next(space: Space) {
    record_alloc(space, 4, 1000);
    yield_once().await;
    record_alloc(space, 5, 1000);
}

#[test]
fn the_path_of_such_a_future_is_that_of_its_call() {
    #[track(name = "made here")]
    fn made_here(space: Space) -> impl Future<Output = ()> {
        let address = 1;
        async move { record_alloc(space, address, 10) }
    }
    let space = space("path of a call");
    let future = memprof::scope!("where it is called", { made_here(space) });
    memprof::scope!("where it is polled", { block_on(future) });
    assert_eq!(path_of(space, "made here"), ["where it is called", "made here"]);
    // Its bytes are where it was polled.
    assert_eq!(numbers(space, "where it is called"), (1, 0, 0));
    assert_eq!(numbers(space, "where it is polled"), (1, 10, 10));
}

/// What the statements allocate is at home on the task's lane: a poll on another thread that frees it is no hand-over.
#[test]
fn what_the_statements_allocate_is_the_tasks_own_on_any_thread() {
    #[track(name = "on two threads")]
    fn on_two_threads(space: Space) -> impl Future<Output = ()> + Send {
        record_alloc(space, 1, 1000);
        async move {
            record_free(space, 1);
            record_alloc(space, 2, 900);
            yield_once().await;
            record_free(space, 2);
        }
    }
    let space = space("a task on two threads");
    let mut future = Box::pin(on_two_threads(space));
    let mut future = std::thread::spawn(move || {
        let around = memprof::Scope::enter(memprof::site!("around a poll elsewhere"));
        assert!(poll_once(future.as_mut()).is_pending());
        assert_eq!(around.counters(space).current_bytes, -100);
        drop(around);
        future
    })
    .join()
    .expect("no panic");
    assert!(poll_once(future.as_mut()).is_ready());
    drop(future);
    assert_eq!(numbers(space, "on two threads"), (1, 1000, 1900));
}

#[test]
fn a_call_inside_a_tracked_future_is_inside_it() {
    #[track(name = "inner call")]
    fn inner(space: Space) -> impl Future<Output = ()> {
        record_alloc(space, 1, 10);
        async move {
            yield_once().await;
            record_free(space, 1);
        }
    }
    #[track(name = "outer future")]
    async fn outer(space: Space) {
        let inner = inner(space);
        yield_once().await;
        inner.await;
    }
    let space = space("a call in a future");
    block_on(outer(space));
    assert_eq!(path_of(space, "inner call"), ["outer future", "inner call"]);
    assert_eq!(numbers(space, "inner call"), (1, 10, 10));
    assert_eq!(numbers(space, "outer future"), (1, 10, 10));
}

#[test]
fn scopes_that_polls_ended_are_named_with_their_number() {
    #[track(name = "holds a scope")]
    async fn holds(space: Space, polls: u32) {
        memprof::scope!("rest \"of\" it");
        record_alloc(space, 1, 10);
        for _ in 0..polls {
            yield_once().await;
        }
        // Charged to the future: the scope has ended with the first poll.
        record_free(space, 1);
    }
    fn lines() -> Vec<String> {
        let text = memprof::snapshot().to_string();
        text.lines().filter(|line| line.contains("rest \\\"of\\\"")).map(str::to_owned).collect()
    }
    let line = line!() - 12;
    let space = space("held over an await");
    block_on(holds(space, 0));
    assert_eq!(lines(), [""; 0], "it ended by itself");
    block_on(holds(space, 1));
    let place = format!("inside the scope \"rest \\\"of\\\" it\" ({}:{line})", file!());
    let expected = |times: &str| [format!("{times} a poll ended {place}: give scope! an async block instead")];
    assert_eq!(lines(), expected("1 time"));
    (0..1203).for_each(|_| block_on(holds(space, 3)));
    assert_eq!(lines(), expected("1,204 times"));
    assert_eq!(numbers(space, "rest \"of\" it"), (1205, 10, 12050));
}
