//! What the tests of limits share.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The text of the panic that `work` ends with.
pub(crate) fn panics<T>(work: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).map(drop).expect_err("it exceeds its limit");
    payload.downcast::<String>().map_or_else(|_| "no text".to_owned(), |text| *text)
}

/// A vector of so many bytes and no more.
pub(crate) fn bytes(count: usize) -> Vec<u8> {
    std::hint::black_box(Vec::with_capacity(count))
}
