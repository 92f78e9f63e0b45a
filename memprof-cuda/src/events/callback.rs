//! Whether this thread is in a callback of interception.
//!
//! Interception sets it around each of its callbacks, and [`asking`](crate::asking) goes by it. It is per thread, since
//! CUPTI calls on the thread that called the driver.

use std::cell::Cell;

thread_local! {
    /// Whether this thread is in a callback of interception. Without a destructor: callbacks come late.
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is in a callback of interception, where no function of the driver may be called.
pub(crate) fn is_in_callback() -> bool {
    IN_CALLBACK.get()
}

/// Runs `work` as a callback of interception.
pub(crate) fn in_callback<R>(work: impl FnOnce() -> R) -> R {
    // One may be within another, as where the driver destroys the streams of a context.
    let around = IN_CALLBACK.replace(true);
    let result = work();
    IN_CALLBACK.set(around);
    result
}

#[cfg(test)]
mod tests {
    use super::{in_callback, is_in_callback};

    #[test]
    fn the_end_of_a_callback_within_another_is_not_that_of_the_other() {
        in_callback(|| {
            in_callback(|| {});
            assert!(is_in_callback());
        });
        assert!(!is_in_callback());
    }
}
