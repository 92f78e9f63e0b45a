//! Whether this thread is in a callback of interception.

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
    IN_CALLBACK.set(true);
    let result = work();
    IN_CALLBACK.set(false);
    result
}
