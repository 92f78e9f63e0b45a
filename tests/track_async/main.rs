//! `#[track]` on futures.

#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used,
    reason = "functions of every kind, some odd by intent; what lints say about tracked code is the matter of track_lints.rs"
)]

use std::future::Future;
use std::mem::size_of_val;
use std::pin::Pin;
use std::rc::Rc;

use async_trait::async_trait;
use memprof::track;

use crate::track_support::{block_on, calls, is_recorded, record, yield_once};

#[path = "../track/mod.rs"]
mod track_support;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();

fn is_send<T: Send>(future: T) -> T {
    future
}

/// Allocates and frees one block of `bytes` bytes.
fn allocate(bytes: usize) {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(bytes)));
}

/// Allocates 1000 bytes while it is dropped.
struct AllocatesOnDrop;

impl Drop for AllocatesOnDrop {
    fn drop(&mut self) {
        allocate(1000);
    }
}

/// Case 22; tracy-client #2, nearcore #10663.
#[test]
fn a_future_stays_send_and_is_entered_only_while_it_is_polled() {
    #[track(name = "polled")]
    async fn tracked(items: Vec<u8>) -> usize {
        allocate(10);
        yield_once().await;
        allocate(100);
        items.len()
    }
    #[track(name = "around the poll")]
    fn between() {
        allocate(5000);
    }
    memprof::enable();
    let mut future = Box::pin(is_send(tracked(Vec::new())));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    between();
    assert!(future.as_mut().poll(&mut context).is_ready());
    drop(future);
    assert_eq!((record("polled").ncalls, record("polled").memory_total), (1, 110));
    assert_eq!((record("around the poll").ncalls, record("around the poll").memory_total), (1, 5000));
}

/// Case 23; tracing #711, #1219, #1228, async-trait #45, #156, minitrace #64.
mod with_async_trait {
    use super::*;

    #[async_trait]
    trait Service {
        /// The attribute in a trait declaration: with a body measured.
        #[track]
        async fn provided(&self, n: usize) -> Result<Box<dyn Fn() -> usize + Send>, String> {
            yield_once().await;
            if n == 0 {
                return Err("nothing".into());
            }
            allocate(n);
            Ok(Box::new(move || n))
        }
        async fn required<'a>(&mut self, text: &'a str) -> &'a str;
        async fn unit(&self);
    }

    struct Inside(usize);
    #[async_trait]
    impl Service for Inside {
        #[track]
        async fn required<'a>(&mut self, text: &'a str) -> &'a str {
            self.0 += 1;
            yield_once().await;
            allocate(20);
            text
        }
        #[track(name = "inside unit")]
        async fn unit(&self) {
            allocate(self.0);
        }
    }

    struct Above(usize);
    #[track]
    #[async_trait]
    impl Service for Above {
        async fn required<'a>(&mut self, text: &'a str) -> &'a str {
            self.0 += 1;
            yield_once().await;
            allocate(30);
            text
        }
        async fn unit(&self) {
            allocate(self.0);
        }
    }

    struct Below(usize);
    #[async_trait(?Send)]
    trait Local {
        async fn local(&self, rc: Rc<u8>) -> u8;
    }
    #[async_trait(?Send)]
    #[track]
    impl Local for Below {
        async fn local(&self, rc: Rc<u8>) -> u8 {
            yield_once().await;
            allocate(self.0);
            *rc
        }
    }

    #[test]
    fn every_order_of_the_attributes_measures_the_body_once() {
        memprof::enable();
        let (mut inside, mut above, below) = (Inside(1), Above(2), Below(40));
        assert_eq!(block_on(is_send(inside.provided(50))).unwrap()(), 50);
        assert!(block_on(above.provided(0)).is_err());
        assert_eq!(block_on(inside.required("a")), "a");
        assert_eq!(block_on(is_send(above.required("b"))), "b");
        block_on(inside.unit());
        block_on(above.unit());
        assert_eq!(block_on(below.local(Rc::new(7))), 7);

        assert_eq!(calls("Service::provided"), 2);
        for (function, total) in
            [("<Inside as Service>::required", 20), ("inside unit", 2), ("<Below as Local>::local", 40)]
        {
            let record = record(function);
            assert_eq!((record.ncalls, record.memory_total), (1, total), "{function}");
        }
        // Above async-trait, the function that async-trait makes is not ours, and it boxes outside of the scope.
        assert_eq!((calls("<Above as Service>::required"), calls("<Above as Service>::unit")), (1, 1));
        assert_eq!(
            (record("<Above as Service>::required").memory_total, record("<Above as Service>::unit").memory_total),
            (30, 3)
        );
    }
}

/// Case 24; tracing #1296, #1297. fastrace drops the statements today.
#[test]
fn statements_before_a_boxed_future_run_and_are_measured() {
    #[track(name = "boxed with prefix")]
    fn boxed(text: &str) -> Pin<Box<dyn Future<Output = usize> + Send + '_>> {
        let length = text.len();
        allocate(length);
        Box::pin(async move {
            yield_once().await;
            allocate(100);
            length
        })
    }
    #[track(name = "boxed at once")]
    fn at_once() -> Pin<Box<dyn Future<Output = u8>>> {
        const ONE: u8 = 1;
        <Box<_>>::pin(async { ONE })
    }
    #[track]
    fn inferred(text: &str) -> Pin<Box<dyn Future<Output = Result<u8, Box<dyn std::error::Error>>> + '_>> {
        Box::pin(async move {
            if text.is_empty() {
                return Err("empty".into());
            }
            Ok(text.parse()?)
        })
    }
    memprof::enable();
    assert_eq!(block_on(inferred("7")).unwrap(), 7);
    assert!(block_on(inferred("")).is_err() && block_on(inferred("x")).is_err());
    let future = boxed("four");
    let boxed_bytes = u64::try_from(size_of_val(&*future)).unwrap();
    assert_eq!(block_on(future), 4);
    assert_eq!(record("boxed with prefix").ncalls, 1);
    assert_eq!(record("boxed with prefix").memory_total, 4 + boxed_bytes + 100);
    assert_eq!((block_on(at_once()), calls("boxed at once")), (1, 1));
}

/// Case 25; tracing #1863, #1866.
#[test]
fn an_async_block_at_the_end_stays_move_or_not_as_it_was() {
    #[track(name = "not move")]
    fn not_move<'a>(items: &'a [u8]) -> impl Future<Output = usize> + 'a {
        let length = Rc::new(items.len());
        let shared = Rc::clone(&length);
        drop(length);
        async move { *shared }
    }
    struct Counter(u8);
    impl Counter {
        #[track(name = "borrows self")]
        fn count(&mut self) -> impl Future<Output = u8> {
            async {
                self.0 += 1;
                yield_once().await;
                self.0
            }
        }
    }
    #[track(name = "ready")]
    fn ready() -> impl Future<Output = u8> {
        // Not followed: only the making of it is measured.
        std::future::ready(1)
    }
    #[track(name = "closure of futures")]
    fn closure() -> impl Fn() -> Pin<Box<dyn Future<Output = u8>>> {
        || Box::pin(async { 1 })
    }
    memprof::enable();
    assert_eq!(block_on(not_move(&[1, 2])), 2);
    let mut counter = Counter(0);
    assert_eq!((block_on(counter.count()), block_on(counter.count()), counter.0), (1, 2, 2));
    assert_eq!((block_on(ready()), block_on(closure()()), block_on(closure()())), (1, 1, 1));
    assert_eq!((calls("borrows self"), calls("ready"), calls("closure of futures")), (2, 1, 2));
}

/// Case 26; tracing #2541, #2562.
#[test]
fn a_future_dropped_midway_is_dropped_in_its_scope_and_one_never_polled_is_no_activation() {
    #[track(name = "cancelled")]
    async fn cancelled() {
        let _held = AllocatesOnDrop;
        yield_once().await;
        unreachable!("it is dropped before");
    }
    #[track(name = "never polled")]
    async fn never_polled() {
        allocate(1);
    }
    memprof::enable();
    let mut future = Box::pin(cancelled());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    drop(future);
    assert_eq!((record("cancelled").ncalls, record("cancelled").memory_total), (1, 1000));
    drop(never_polled());
    assert!(!is_recorded("never polled") || calls("never polled") == 0);
}

/// Case 27; tracing #616, #3197, #3209, lance #8416.
#[test]
fn a_future_grows_by_at_most_32_bytes() {
    async fn plain(argument: [u8; 1024]) -> usize {
        yield_once().await;
        let local = [argument[0]; 64];
        yield_once().await;
        local.len() + argument.len()
    }
    #[track]
    async fn tracked(argument: [u8; 1024]) -> usize {
        yield_once().await;
        let local = [argument[0]; 64];
        yield_once().await;
        local.len() + argument.len()
    }
    fn plain_block(argument: [u8; 1024]) -> impl Future<Output = usize> {
        async move {
            yield_once().await;
            argument.len()
        }
    }
    #[track]
    fn tracked_block(argument: [u8; 1024]) -> impl Future<Output = usize> {
        async move {
            yield_once().await;
            argument.len()
        }
    }
    async fn plain_unit() {}
    #[track]
    async fn tracked_unit() {}
    for (plain, tracked) in [
        (size_of_val(&plain([0; 1024])), size_of_val(&tracked([0; 1024]))),
        (size_of_val(&plain_block([0; 1024])), size_of_val(&tracked_block([0; 1024]))),
        (size_of_val(&plain_unit()), size_of_val(&tracked_unit())),
    ] {
        assert!(tracked <= plain + 32, "{tracked} bytes instead of {plain}");
    }
}

/// Case 27: a chain of calls stays below the compiler's depth limit for types and adds up, not multiplies.
#[test]
fn nested_futures_grow_by_their_number_only() {
    async fn plain_leaf() -> [u8; 8] {
        yield_once().await;
        [0; 8]
    }
    async fn plain_middle() -> [u8; 8] {
        plain_leaf().await
    }
    async fn plain_root() -> [u8; 8] {
        plain_middle().await
    }
    #[track]
    async fn leaf() -> [u8; 8] {
        yield_once().await;
        [0; 8]
    }
    #[track]
    async fn middle() -> [u8; 8] {
        leaf().await
    }
    #[track]
    async fn root() -> [u8; 8] {
        middle().await
    }
    let (plain, tracked) = (size_of_val(&plain_root()), size_of_val(&root()));
    assert!(tracked <= plain + 3 * 32, "{tracked} bytes instead of {plain}");
}

/// Case 28.
mod native_async_traits;

/// Issue 9: 12 overflowed. Without the attribute 38 is the most.
mod chain_of_calls {
    use super::*;

    macro_rules! chain {
        ($first:ident) => {
            #[track]
            async fn $first() -> u8 {
                yield_once().await;
                1
            }
        };
        ($last:ident $next:ident $($rest:ident)*) => {
            #[track]
            async fn $last() -> u8 {
                $next().await + 1
            }
            chain!($next $($rest)*);
        };
    }
    chain!(f26 f25 f24 f23 f22 f21 f20 f19 f18 f17 f16 f15 f14 f13 f12 f11 f10 f9 f8 f7 f6 f5 f4 f3 f2 f1);

    #[test]
    fn twenty_six_tracked_functions_await_each_other_under_the_default_recursion_limit() {
        let boxed: Pin<Box<dyn Future<Output = u8> + Send>> = Box::pin(f26());
        assert_eq!(block_on(boxed), 26);
    }
}
