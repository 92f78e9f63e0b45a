//! `#[track]` on an `async fn` changes nothing for its arguments: when and in which order they are dropped, and what room they take.
//!
//! Each function is written once and compiled twice, without the attribute and with it.

#![allow(
    dead_code,
    unused_variables,
    unused_assignments,
    unused_mut,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "functions of every kind, some odd by intent; what lints say about tracked code is the matter of track_lints.rs"
)]

use std::cell::RefCell;
use std::future::Future;
use std::mem::size_of_val;
use std::pin::pin;
use std::task::{Context, Waker};

use crate::track_support::{block_on, record, yield_once};

#[path = "../track/mod.rs"]
mod track_support;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();

thread_local!(static LOG: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) });

fn log(event: &'static str) {
    LOG.with_borrow_mut(|log| log.push(event));
}

/// Says when it is dropped.
#[derive(Clone)]
struct Noisy(&'static str);

impl Drop for Noisy {
    fn drop(&mut self) {
        log(self.0);
    }
}

/// Three fields that say when they are dropped, one that is copied, and much room.
struct Fields {
    first: Noisy,
    number: u64,
    second: Noisy,
    third: Noisy,
    room: [u8; 4096],
}

fn fields() -> Fields {
    Fields { first: Noisy("first"), number: 7, second: Noisy("second"), third: Noisy("third"), room: [1; 4096] }
}

/// Has a destructor, so that no part of it can be moved out.
struct Whole {
    number: u64,
    part: Noisy,
}

impl Drop for Whole {
    fn drop(&mut self) {
        log("whole");
    }
}

struct Marker;

impl Drop for Marker {
    fn drop(&mut self) {
        log("marker");
    }
}

/// How a future comes to its end.
#[derive(Clone, Copy, Debug)]
enum End {
    Finished,
    Cancelled,
    NeverPolled,
}

/// What was dropped until the end, in order, and the size of the future.
fn observe<F: Future>(end: End, make: impl FnOnce() -> F) -> (Vec<&'static str>, usize) {
    let future = make();
    log("made");
    let size = size_of_val(&future);
    {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        match end {
            End::NeverPolled => {}
            End::Cancelled => {
                let _ = future.as_mut().poll(&mut context);
                log("polled");
            }
            End::Finished => {
                while future.as_mut().poll(&mut context).is_pending() {
                    log("pending");
                }
                log("ready");
            }
        }
    }
    (LOG.take(), size)
}

/// A test for each function: it is called as the line before its body says, without the attribute and with it.
macro_rules! alike {
    ($most:expr; $($(#[$comment:meta])* $name:ident($($argument:expr),*): { $($function:tt)* })*) => {$(
        $(#[$comment])*
        #[test]
        fn $name() {
            mod plain {
                use super::*;
                $($function)*
            }
            mod tracked {
                use super::*;
                #[memprof::track]
                $($function)*
            }
            memprof::enable();
            for end in [End::Finished, End::Cancelled, End::NeverPolled] {
                let (plain, plain_size) = observe(end, || plain::f($($argument),*));
                let (tracked, size) = observe(end, || tracked::f($($argument),*));
                assert_eq!(tracked, plain, "{end:?}");
                assert!(size <= plain_size + $most, "{size} bytes instead of {plain_size}");
            }
        }
    )*};
}

alike! {
    32;
    /// Issue 9: the future grew by 4,112 bytes.
    one_argument_with_a_field_mentioned(fields()): {
        pub(super) async fn f(all: Fields) -> usize {
            yield_once().await;
            all.second.0.len()
        }
    }
    one_copied_field_mentioned(fields()): {
        pub(super) async fn f(all: Fields) -> u64 {
            yield_once().await;
            all.number
        }
    }
    one_field_moved_out(fields()): {
        pub(super) async fn f(all: Fields) {
            yield_once().await;
            drop(all.second);
            yield_once().await;
        }
    }
    fields_mentioned_in_another_order(fields()): {
        pub(super) async fn f(all: Fields) -> usize {
            yield_once().await;
            all.third.0.len() + all.first.0.len()
        }
    }
    an_argument_that_is_used_up_before_the_first_await(fields(), Noisy("after")): {
        pub(super) async fn f(all: Fields, after: Noisy) -> usize {
            drop(all);
            yield_once().await;
            after.0.len()
        }
    }
    several_mentioned_last_to_first(Noisy("a"), Noisy("b"), Noisy("c")): {
        pub(super) async fn f(a: Noisy, b: Noisy, c: Noisy) -> usize {
            yield_once().await;
            b.0.len() + a.0.len() + c.0.len()
        }
    }
    unmentioned_among_mentioned(Noisy("a"), Noisy("b"), Noisy("c"), Noisy("d")): {
        pub(super) async fn f(a: Noisy, _b: Noisy, c: Noisy, unused: Noisy) -> usize {
            yield_once().await;
            a.0.len() + c.0.len()
        }
    }
    without_a_name(Noisy("a"), Noisy("b"), Noisy("c")): {
        pub(super) async fn f(a: Noisy, _: Noisy, c: Noisy) -> usize {
            yield_once().await;
            a.0.len() + c.0.len()
        }
    }
    nothing_mentioned(fields(), Noisy("b")): {
        pub(super) async fn f(_all: Fields, _: Noisy) {
            yield_once().await;
        }
    }
    a_tuple_with_an_unmentioned_part(Noisy("x"), (Noisy("a"), Noisy("b")), Noisy("y")): {
        pub(super) async fn f(x: Noisy, (a, _b): (Noisy, Noisy), y: Noisy) -> usize {
            yield_once().await;
            x.0.len() + a.0.len() + y.0.len()
        }
    }
    a_tuple_with_a_part_without_a_name(Noisy("x"), (Noisy("a"), Noisy("b")), Noisy("y")): {
        pub(super) async fn f(x: Noisy, (_, b): (Noisy, Noisy), y: Noisy) -> usize {
            yield_once().await;
            x.0.len() + b.0.len() + y.0.len()
        }
    }
    a_struct_with_the_rest_left_out(Noisy("x"), fields(), Noisy("y")): {
        pub(super) async fn f(x: Noisy, Fields { second, number, .. }: Fields, y: Noisy) -> u64 {
            yield_once().await;
            number + second.0.len() as u64 + y.0.len() as u64 + x.0.len() as u64
        }
    }
    a_struct_of_which_nothing_is_taken(fields(), Noisy("y")): {
        pub(super) async fn f(Fields { .. }: Fields, y: Noisy) -> usize {
            yield_once().await;
            y.0.len()
        }
    }
    a_struct_of_which_a_copy_is_taken(Whole { number: 1, part: Noisy("part") }, Noisy("y")): {
        pub(super) async fn f(Whole { number, part: _ }: Whole, y: Noisy) -> u64 {
            yield_once().await;
            number + y.0.len() as u64
        }
    }
    a_pattern_that_borrows(fields(), (Noisy("a"), Noisy("b"))): {
        pub(super) async fn f(ref all: Fields, (ref a, ref mut b): (Noisy, Noisy)) -> usize {
            yield_once().await;
            b.0 = "b anew";
            all.first.0.len() + a.0.len()
        }
    }
    a_pattern_with_a_name_for_all(Some(7), Noisy("y")): {
        pub(super) async fn f(number @ (Some(_) | None): Option<u64>, y: Noisy) -> u64 {
            yield_once().await;
            number.map_or(0, |number| number + y.0.len() as u64)
        }
    }
    behind_references(Box::leak(Box::new((Noisy("a"), 7))), Box::leak(Box::new(Noisy("b")))): {
        pub(super) async fn f(&(ref a, number): &(Noisy, u64), b: &mut Noisy) -> u64 {
            yield_once().await;
            b.0 = "b anew";
            number + a.0.len() as u64
        }
    }
    a_unit_struct_as_a_pattern(Noisy("x"), Marker, Noisy("y")): {
        pub(super) async fn f(x: Noisy, Marker: Marker, y: Noisy) -> usize {
            yield_once().await;
            x.0.len() + y.0.len()
        }
    }
    an_argument_that_is_only_assigned(Noisy("before"), 1): {
        pub(super) async fn f(mut n: Noisy, mut count: u64) {
            count = 2;
            n = Noisy("assigned");
            yield_once().await;
        }
    }
    a_field_that_is_assigned(fields()): {
        pub(super) async fn f(mut all: Fields) {
            yield_once().await;
            all.second = Noisy("assigned");
        }
    }
    an_argument_shadowed_by_a_local(Noisy("a"), Noisy("b")): {
        pub(super) async fn f(a: Noisy, b: Noisy) -> usize {
            let a = Noisy("local");
            yield_once().await;
            a.0.len() + b.0.len()
        }
    }
    moved_into_another_future(fields(), Noisy("b")): {
        pub(super) async fn f(all: Fields, b: Noisy) -> u64 {
            async move { let all = all; yield_once().await; all.number }.await + b.0.len() as u64
        }
    }
    conditional_arguments(Noisy("a"), Noisy("b")): {
        pub(super) async fn f(#[cfg(all())] a: Noisy, #[cfg(any())] gone: Gone, #[allow(unused)] b: Noisy) {
            yield_once().await;
        }
    }
    room_without_a_destructor([0; 4096], [0; 1024], ([0; 512], 1)): {
        pub(super) async fn f(_: [u8; 4096], unused: [u8; 1024], (_, n): ([u8; 512], u64)) -> u64 {
            yield_once().await;
            n
        }
    }
    arguments_that_are_not_kept([0; 4096], vec![1], String::new()): {
        pub(super) async fn f(room: [u8; 4096], items: Vec<u8>, text: String) -> usize {
            let n = room.len() + items.len();
            drop(items);
            yield_once().await;
            n + text.len()
        }
    }
    a_generic_argument(fields(), "text"): {
        pub(super) async fn f<T: Into<String>>(all: Fields, text: T) -> usize {
            yield_once().await;
            text.into().len() + all.first.0.len()
        }
    }
    one_that_returns_an_opaque_type(fields(), Noisy("y")): {
        pub(super) async fn f(all: Fields, _: Noisy) -> impl Sized {
            yield_once().await;
            all.number
        }
    }
    arguments_that_a_macro_names(Noisy("a"), Noisy("b")): {
        pub(super) async fn f(a: Noisy, b: Noisy) -> String {
            yield_once().await;
            format!("{} {}", a.0, { let Noisy(ref name) = b; name })
        }
    }
}

/// `self` is an argument too.
mod receivers;

/// Where somebody else still has to see that a function is `async`, drops are the same; its arguments are held twice.
mod that_stay_async {
    use super::*;

    alike! {
        size_of::<(Fields, Noisy, Noisy)>() + 64;
        a_must_use_function(Noisy("x"), fields(), Noisy("y")): {
            #[must_use]
            pub(super) async fn f(x: Noisy, Fields { second, .. }: Fields, _y: Noisy) -> usize {
                yield_once().await;
                second.0.len() + x.0.len()
            }
        }
    }
}

/// Whatever is dropped with a call is dropped in its scope.
#[test]
fn arguments_are_dropped_in_the_scope() {
    struct AllocatesOnDrop(usize);
    impl Drop for AllocatesOnDrop {
        fn drop(&mut self) {
            drop(std::hint::black_box(Vec::<u8>::with_capacity(self.0)));
        }
    }
    struct Two {
        number: u8,
        _guard: AllocatesOnDrop,
    }
    #[memprof::track(name = "arguments dropped")]
    async fn f(two: Two, _: AllocatesOnDrop, _unmentioned: AllocatesOnDrop) -> u8 {
        yield_once().await;
        two.number
    }
    memprof::enable();
    let guard = AllocatesOnDrop;
    assert_eq!(block_on(f(Two { number: 3, _guard: guard(1) }, guard(20), guard(300))), 3);
    let record = record("arguments dropped");
    assert_eq!((record.ncalls, record.memory_total, record.memory_peak), (1, 321, 300));
}
