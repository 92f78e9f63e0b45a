//! `#[track]` leaves what a body means alone.

#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used,
    reason = "functions of every kind, some odd by intent; what lints say about tracked code is the matter of track_lints.rs"
)]

use std::cell::{Cell, RefCell};
use std::fmt::{Debug, Display};
use std::future::Future;

use memprof::track;

use crate::track_support::{block_on, calls};

#[path = "track/mod.rs"]
mod track_support;

/// Case 9; tracing #2294, #2307.
#[test]
#[deny(unused_variables)]
fn inner_attributes_stay_first_in_the_body() {
    #[track]
    fn sync() -> u8 {
        #![allow(unused_variables)]
        //! Documented from inside.
        let unused = 1;
        2
    }
    #[track]
    async fn asynchronous() -> u8 {
        #![allow(unused_variables)]
        let unused = 1;
        2
    }
    #[track]
    fn future() -> impl Future<Output = u8> {
        #![allow(unused_variables)]
        let unused = 1;
        async { 2 }
    }
    assert_eq!((sync(), block_on(asynchronous()), block_on(future())), (2, 2, 2));
}

/// Case 14; tracing #1167, #2796, #2857, #2847.
#[test]
fn control_flow_and_reborrows_are_untouched() {
    #[track]
    fn question(text: &str) -> Result<u8, std::num::ParseIntError> {
        let n: u8 = text.parse()?;
        if n == 1 {
            return Ok(10);
        }
        Ok(n)
    }
    #[track]
    async fn asynchronous_question(text: &str) -> Result<u8, std::num::ParseIntError> {
        let n: u8 = text.parse()?;
        if n == 1 {
            return Ok(10);
        }
        Ok(n)
    }
    #[track]
    fn option(text: &str) -> Option<char> {
        let first = text.chars().next()?;
        Some(first)
    }
    #[track]
    fn labels() -> u8 {
        let found = 'block: {
            for n in 0.. {
                if n == 3 {
                    break 'block n;
                }
            }
            0
        };
        'outer: loop {
            loop {
                break 'outer;
            }
        }
        found
    }
    #[track]
    fn reborrow(items: &mut Vec<u8>) -> &mut u8 {
        if items.is_empty() {
            items.push(1);
            return &mut items[0];
        }
        let last = items.len() - 1;
        &mut items[last]
    }
    #[track]
    async fn asynchronous_reborrow<'a>(items: &'a mut Vec<u8>, _: &u8) -> &'a mut u8 {
        if items.is_empty() {
            items.push(1);
            return &mut items[0];
        }
        items.push(2);
        items.last_mut().unwrap()
    }
    assert_eq!((question("1"), question("2")), (Ok(10), Ok(2)));
    assert!(question("x").is_err() && block_on(asynchronous_question("x")).is_err());
    assert_eq!((block_on(asynchronous_question("1")), option("ab"), labels()), (Ok(10), Some('a'), 3));
    let mut items = Vec::new();
    *reborrow(&mut items) += 1;
    *reborrow(&mut items) += 1;
    *block_on(asynchronous_reborrow(&mut items, &0)) += 1;
    assert_eq!(items, [3, 3]);
}

/// Case 15; tracing #1227, #1236, #1615, #1616.
#[test]
fn opaque_return_types_are_kept() {
    #[track]
    fn closure(n: u8) -> impl Fn(u8) -> u8 + Copy {
        move |m| n + m
    }
    #[track]
    fn borrowing<'a, T>(items: &'a [u8], _: T) -> impl Iterator<Item = &'a u8> + use<'a, T> {
        items.iter().filter(|n| **n > 1)
    }
    #[track]
    async fn asynchronous(n: u8) -> impl Fn(u8) -> u8 {
        move |m| n + m
    }
    #[track]
    async fn partly(fail: bool) -> Result<impl Display, Box<dyn Debug>> {
        if fail {
            return Err(Box::new(1u8));
        }
        Ok("display")
    }
    assert_eq!((closure(1)(2), borrowing(&[1, 2], 0).count(), block_on(asynchronous(1))(2)), (3, 1, 3));
    assert_eq!(block_on(partly(false)).unwrap().to_string(), "display");
    assert!(block_on(partly(true)).is_err());
}

/// Case 16. No call comes back, so the calls are counted while the functions unwind.
#[test]
fn functions_that_never_return_compile_and_are_left_by_unwinding() {
    #[track]
    fn sync() -> ! {
        panic!("sync")
    }
    #[track]
    async fn asynchronous() -> ! {
        panic!("asynchronous")
    }
    #[track]
    async fn endless() -> ! {
        loop {
            track_support::yield_once().await;
        }
    }
    memprof::enable();
    assert!(std::panic::catch_unwind(|| sync()).is_err());
    assert!(std::panic::catch_unwind(|| block_on(asynchronous())).is_err());
    drop(endless());
    let test = "functions_that_never_return_compile_and_are_left_by_unwinding";
    assert_eq!((calls(&format!("{test}::sync")), calls(&format!("{test}::asynchronous"))), (1, 1));
}

/// Case 17; tracing #1053, #2270, fastrace #130.
#[test]
fn values_of_async_functions_are_coerced_to_the_declared_type() {
    type Callback = Box<dyn Fn() -> u8>;
    #[track]
    async fn in_ok() -> Result<Callback, ()> {
        Ok(Box::new(|| 1))
    }
    #[track]
    async fn early(flag: bool) -> Box<dyn Debug> {
        if flag {
            return Box::new(1u8);
        }
        Box::new("text")
    }
    #[track]
    async fn slice() -> &'static [u8] {
        &[1, 2]
    }
    #[track]
    async fn unit() {
        if true {
            return;
        }
        unreachable!()
    }
    #[track]
    async fn collected() -> Vec<u8> {
        (0..3).collect()
    }
    assert_eq!(block_on(in_ok()).unwrap()(), 1);
    assert_eq!(
        (format!("{:?}", block_on(early(true))), format!("{:?}", block_on(early(false)))),
        ("1".into(), "\"text\"".into())
    );
    assert_eq!((block_on(slice()), block_on(collected())), (&[1, 2][..], vec![0, 1, 2]));
    block_on(unit());
}

/// Case 19, edition 2024; RFC 3606. The temporary that borrows the local must be dropped before it.
#[test]
fn a_borrow_in_the_last_expression_ends_before_its_owner() {
    #[track]
    fn sync() -> usize {
        let cell = RefCell::new(vec![1, 2]);
        cell.borrow().len()
    }
    #[track]
    async fn asynchronous() -> usize {
        let cell = RefCell::new(vec![1, 2]);
        cell.borrow().len()
    }
    #[track]
    fn future() -> impl Future<Output = usize> {
        async {
            let cell = RefCell::new(vec![1, 2]);
            cell.borrow().len()
        }
    }
    assert_eq!((sync(), block_on(asynchronous()), block_on(future())), (2, 2, 2));
}

/// Case 20; tracing #3306, #3311.
#[test]
fn names_that_the_body_redefines_do_not_reach_ours() {
    #[derive(Debug, PartialEq)]
    #[expect(dead_code, reason = "they are there to shadow")]
    enum Shadow {
        Ok,
        Err,
        Some,
        None,
    }
    #[track]
    async fn asynchronous() -> u8 {
        #[allow(unused_imports, reason = "they are there to shadow")]
        use Shadow::*;
        let _ = None;
        1
    }
    #[track]
    fn sync() -> Shadow {
        #[allow(unused_imports, reason = "they are there to shadow")]
        use Shadow::*;
        Some
    }
    #[track]
    fn future() -> impl Future<Output = u8> {
        #[allow(unused_imports, reason = "they are there to shadow")]
        use Shadow::*;
        let _ = None;
        async { 1 }
    }
    assert_eq!((block_on(asynchronous()), sync(), block_on(future())), (1, Shadow::Some, 1));
}

/// Case 21, case 30; fastrace and hotpath fail on such names.
#[test]
fn items_and_variables_of_the_body_never_clash_with_ours() {
    #[track]
    fn sync(__site: u8, __scope: u8, __ret: u8, guard: u8, _guard: u8) -> u8 {
        const SITE: u8 = 1;
        static STATIC: u8 = 1;
        fn __here() -> u8 {
            1
        }
        use std::mem::size_of_val;
        __site + __scope + __ret + guard + _guard + SITE + STATIC + __here() + u8::try_from(size_of_val(&0u8)).unwrap()
    }
    #[track]
    async fn asynchronous(__site: u8, __scope: u8, __ret: u8) -> u8 {
        const SITE: u8 = 1;
        fn __here() -> u8 {
            1
        }
        __site + __scope + __ret + SITE + __here()
    }
    #[track]
    fn future(__site: u8, __ret: u8) -> impl Future<Output = u8> {
        let __scope = 1;
        async move { __site + __ret + __scope }
    }
    assert_eq!((sync(1, 1, 1, 1, 1), block_on(asynchronous(1, 1, 1)), block_on(future(1, 1))), (9, 5, 3));
}

/// Case 14: what is dropped, and when, is what is dropped without the attribute.
#[test]
fn locals_and_arguments_are_dropped_in_their_own_order() {
    thread_local!(static LOG: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) });
    struct Noisy(&'static str, Cell<u8>);
    impl Drop for Noisy {
        fn drop(&mut self) {
            LOG.with_borrow_mut(|log| log.push(self.0));
        }
    }
    fn noisy(name: &'static str) -> Noisy {
        Noisy(name, Cell::new(0))
    }
    fn plain(_first: Noisy, _: Noisy) -> u8 {
        let _local = noisy("local");
        noisy("temporary").1.get()
    }
    #[track]
    fn tracked(_first: Noisy, _: Noisy) -> u8 {
        let _local = noisy("local");
        noisy("temporary").1.get()
    }
    async fn asynchronous_plain(_first: Noisy, _: Noisy) -> u8 {
        let _local = noisy("local");
        noisy("temporary").1.get()
    }
    #[track]
    async fn asynchronous_tracked(_first: Noisy, _: Noisy) -> u8 {
        let _local = noisy("local");
        noisy("temporary").1.get()
    }
    async fn used_plain(first: Noisy, (second, third): (Noisy, Noisy)) -> u8 {
        let _local = noisy("local");
        first.1.get() + third.1.get() + second.1.get()
    }
    #[track]
    async fn used_tracked(first: Noisy, (second, third): (Noisy, Noisy)) -> u8 {
        let _local = noisy("local");
        first.1.get() + third.1.get() + second.1.get()
    }
    impl Noisy {
        async fn method_plain(self, mut other: Noisy, _: &u8) -> String {
            other.1 = Cell::new(1);
            format!("{}{}", self.0, other.0)
        }
        #[track]
        async fn method_tracked(self, mut other: Noisy, _: &u8) -> String {
            other.1 = Cell::new(1);
            format!("{}{}", self.0, other.0)
        }
    }
    let log_of = |run: &dyn Fn(Noisy, Noisy) -> u8| {
        run(noisy("first"), noisy("second"));
        LOG.take()
    };
    assert_eq!(log_of(&plain), ["temporary", "local", "second", "first"]);
    assert_eq!(log_of(&tracked), log_of(&plain));
    assert_eq!(
        log_of(&|a, b| block_on(asynchronous_tracked(a, b))),
        log_of(&|a, b| block_on(asynchronous_plain(a, b)))
    );
    let plain = log_of(&|a, b| block_on(used_plain(a, (b, noisy("third")))));
    assert_eq!(plain, ["local", "third", "second", "first"]);
    assert_eq!(log_of(&|a, b| block_on(used_tracked(a, (b, noisy("third"))))), plain);
    let plain = log_of(&|a, b| u8::from(block_on(a.method_plain(b, &0)).is_empty()));
    assert_eq!(log_of(&|a, b| u8::from(block_on(a.method_tracked(b, &0)).is_empty())), plain);
}
