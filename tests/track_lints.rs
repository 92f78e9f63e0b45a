//! `#[track]` causes no warning and hides none. That this file compiles is the test;
//! `cargo clippy` on it is the other half. Each function is written as people write it, and the lint is one that once hit it elsewhere.

#![forbid(warnings, unused, let_underscore, nonstandard_style, rust_2021_compatibility, rust_2024_compatibility)]
#![forbid(
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::items_after_statements,
    clippy::ignored_unit_patterns
)]
#![forbid(
    unsafe_code,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    unused_lifetimes,
    single_use_lifetimes
)]
// One by one: only for a lint forbidden by its own name, not by its group's, is an `#[allow]` an error today.
#![forbid(
    dead_code,
    unused_braces,
    unused_mut,
    unused_must_use,
    unused_variables,
    unreachable_code,
    unreachable_patterns
)]
#![forbid(
    clippy::let_unit_value,
    clippy::needless_return,
    clippy::redundant_closure_call,
    clippy::suspicious_else_formatting
)]

use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use memprof::track;

fn block_on<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match Box::pin(future).as_mut().poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

/// Case 36; tracing #1831, #2830, hotpath #414, profiling #75, #76, celery #379. The lint looks at bodies of one line only.
#[rustfmt::skip]
#[track]
fn one_line() -> u8 { 1 }

#[rustfmt::skip]
#[track]
async fn one_line_async() -> u8 { std::future::ready(()).await; 2 }

#[rustfmt::skip]
#[track]
async fn one_expression() -> u8 { one_line_async().await }

#[rustfmt::skip]
#[track]
fn one_line_future() -> impl Future<Output = u8> { async { 3 } }

#[rustfmt::skip]
#[track]
fn one_line_boxed<'a>(n: &'a u8) -> Pin<Box<dyn Future<Output = u8> + Send + 'a>> { Box::pin(async move { *n }) }

#[track]
fn empty() {}

/// Case 18; fastrace #137, tracing #2356, #2422, #2609, #2626, #2709.
#[track]
async fn infallible() -> Result<u8, Infallible> {
    std::future::ready(()).await;
    Ok(5)
}

#[track]
async fn uninhabited(loops: bool) -> Option<Infallible> {
    std::future::ready(()).await;
    if loops {
        return None;
    }
    None
}

#[track]
async fn nothing() {
    std::future::ready(()).await;
}

#[track]
fn diverges() -> ! {
    panic!("by intent")
}

#[track]
async fn diverges_async() -> ! {
    std::future::ready(()).await;
    panic!("by intent")
}

#[track]
async fn diverges_into_a_type() -> u8 {
    std::future::ready(()).await;
    panic!("by intent")
}

/// Case 21, case 37; tracing #3485, #1613 to #1617, #2049.
#[track]
fn starts_with_items(n: u8) -> u8 {
    const ONE: u8 = 1;
    const fn add(a: u8, b: u8) -> u8 {
        a + b
    }
    let sum = add(n, ONE);
    if sum > 1 { sum } else { 0 }
}

#[track]
async fn starts_with_items_async(n: u8) -> u8 {
    use std::cmp::max;
    std::future::ready(()).await;
    max(n, 1)
}

/// Arguments that only live as long as the call, beside others: `used_underscore_binding`, `unused_variables`.
#[track]
async fn arguments_kept_for_their_drop(_guard: Vec<u8>, mut items: Vec<u8>, text: String, _: u8) -> usize {
    std::future::ready(()).await;
    items.push(1);
    format!("{text}{}", items.len()).len()
}

struct Frame {
    items: Vec<u8>,
}

#[track]
impl Frame {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn push(&mut self, item: u8) -> &mut Self {
        self.items.push(item);
        self
    }

    async fn shown<T: Display + Sync>(&self, item: &T) -> String {
        std::future::ready(()).await;
        format!("{}{item}", self.items.len())
    }

    #[track(skip)]
    const fn capacity(&self) -> usize {
        self.items.capacity()
    }
}

impl Display for Frame {
    #[track]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.len())
    }
}

/// A block given to a macro is not superfluous where the macro puts it: `unused_braces` heeds blocks that end a body, or stand in it.
macro_rules! around_a_block {
    ($value:block, $unit:block) => {
        #[track]
        fn block_returned(n: u8) -> u8 {
            if n == 0 {
                return $value;
            }
            $value
        }
        #[track]
        fn block_after_a_statement(n: u8) -> u8 {
            let m = n;
            $unit
            if m == 0 { m } else $value
        }
        #[track]
        fn block_after_an_attribute() -> u8 {
            #![doc = "The value."]
            $value
        }
        #[track]
        async fn block_of_an_async_function() -> u8 {
            std::future::ready(()).await;
            $value
        }
        #[track]
        fn block_before_a_future() -> impl Future<Output = u8> {
            $unit
            async { $value }
        }
        struct Blocks;
        #[track]
        impl Blocks {
            fn block_of_a_method(&self) -> u8 {
                $value
            }
            #[track(skip)]
            const fn block_of_a_method_left_out(&self) -> u8 {
                $value
            }
        }
    };
}
around_a_block!({ 3 }, { empty() });

#[test]
fn no_lint_fires_under_forbid() {
    memprof::enable();
    assert_eq!((block_returned(1), block_after_a_statement(1), block_after_an_attribute()), (3, 3, 3));
    assert_eq!((block_on(block_of_an_async_function()), block_on(block_before_a_future())), (3, 3));
    assert_eq!((Blocks.block_of_a_method(), Blocks.block_of_a_method_left_out()), (3, 3));
    empty();
    block_on(nothing());
    assert_eq!(
        (one_line(), block_on(one_expression()), block_on(one_line_future()), block_on(one_line_boxed(&4))),
        (1, 2, 3, 4)
    );
    assert_eq!((block_on(infallible()), block_on(uninhabited(true)).is_none()), (Ok(5), true));
    assert_eq!((starts_with_items(1), block_on(starts_with_items_async(0))), (2, 1));
    assert_eq!(block_on(arguments_kept_for_their_drop(Vec::new(), Vec::new(), String::new(), 1)), 1);
    let mut frame = Frame { items: Vec::new() };
    assert_eq!(
        (frame.push(1).push(2).len(), block_on(frame.shown(&3)), frame.to_string()),
        (2, "23".into(), "2".into())
    );
    assert!(frame.capacity() >= 2);
    assert!(std::panic::catch_unwind(|| diverges()).is_err());
    assert!(std::panic::catch_unwind(|| block_on(diverges_async())).is_err());
    assert!(std::panic::catch_unwind(|| block_on(diverges_into_a_type())).is_err());
}
