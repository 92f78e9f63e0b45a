//! `#[track]` in a crate of edition 2021: the order of drops stays that of the edition (RFC 3606). A crate
//! of its own, because an edition is a crate's.

#![cfg(test)]
#![allow(clippy::pedantic, clippy::unwrap_used, reason = "what lints say is not the matter of this file")]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{pin, Pin};
use std::task::{Context, Poll, Waker};

use memprof::track;

thread_local!(static LOG: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) });

struct Noisy(&'static str, Cell<u8>);

impl Drop for Noisy {
    fn drop(&mut self) {
        LOG.with(|log| log.borrow_mut().push(self.0));
    }
}

fn noisy(name: &'static str) -> Noisy {
    Noisy(name, Cell::new(0))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

fn log_of(run: impl FnOnce(Noisy) -> u8) -> Vec<&'static str> {
    run(noisy("argument"));
    LOG.with(RefCell::take)
}

#[test]
fn temporaries_of_the_last_expression_outlive_the_locals() {
    fn plain(_argument: Noisy) -> u8 {
        let _local = noisy("local");
        noisy("temporary").1.get()
    }
    #[track]
    fn tracked(_argument: Noisy) -> u8 {
        let _local = noisy("local");
        noisy("temporary").1.get()
    }
    assert_eq!(log_of(plain), ["local", "temporary", "argument"]);
    assert_eq!(log_of(tracked), log_of(plain));
}

#[test]
fn temporaries_of_an_async_function_outlive_the_locals() {
    async fn plain(_argument: Noisy) -> u8 {
        let _local = noisy("local");
        noisy("temporary").1.get()
    }
    #[track]
    async fn tracked(_argument: Noisy) -> u8 {
        let _local = noisy("local");
        noisy("temporary").1.get()
    }
    assert_eq!(log_of(|argument| block_on(plain(argument))), ["local", "temporary", "argument"]);
    assert_eq!(log_of(|argument| block_on(tracked(argument))), ["local", "temporary", "argument"]);
}

#[test]
fn temporaries_of_a_returned_future_outlive_the_locals() {
    fn plain(argument: Noisy) -> Pin<Box<dyn Future<Output = u8>>> {
        Box::pin(async move {
            let _argument = argument;
            let _local = noisy("local");
            noisy("temporary").1.get()
        })
    }
    #[track]
    fn tracked(argument: Noisy) -> Pin<Box<dyn Future<Output = u8>>> {
        Box::pin(async move {
            let _argument = argument;
            let _local = noisy("local");
            noisy("temporary").1.get()
        })
    }
    assert_eq!(log_of(|argument| block_on(tracked(argument))), log_of(|argument| block_on(plain(argument))));
}

/// Cases 16 and 17: `!` and coercions rest on rules of inference that differ between editions.
#[test]
fn functions_that_never_return_and_coercions_compile() {
    #[track]
    fn never() -> ! {
        panic!("by intent")
    }
    #[track]
    async fn never_async() -> ! {
        panic!("by intent")
    }
    #[track]
    async fn never_by_a_loop() -> ! {
        loop {
            std::future::pending::<()>().await;
        }
    }
    #[track]
    async fn coerced() -> Result<Box<dyn Fn() -> u8>, ()> {
        Ok(Box::new(|| 1))
    }
    #[track]
    async fn captured(first: &str, _second: &str) -> impl Fn() -> usize {
        let length = first.len();
        move || length
    }
    assert!(std::panic::catch_unwind(|| never()).is_err());
    assert!(std::panic::catch_unwind(|| block_on(never_async())).is_err());
    drop(never_by_a_loop());
    assert_eq!((block_on(coerced()).unwrap()(), block_on(captured("ab", "c"))()), (1, 2));
}

/// The attribute on a block and names that only this edition allows.
#[test]
fn words_that_became_keywords_stay_names() {
    struct Words(u8);
    #[track]
    impl Words {
        fn gen(&self) -> u8 {
            self.0
        }
        async fn asynchronous(&self, gen: u8) -> u8 {
            gen + self.gen()
        }
    }
    assert_eq!(block_on(Words(1).asynchronous(2)), 3);
}
