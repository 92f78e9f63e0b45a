//! What tracked allocations report, unless interception sees the driver's calls itself.
//!
//! Interception records the driver's memory, in the spaces of devices, `managed` and `pinned`. Which of the two records a
//! call there that a wrapper makes, is decided once, when the wrapper's [`WrapperCall`] begins. Wrapper and callback are
//! on the same thread and both ask [`is_intercepted`], so they agree also where interception begins or ends in the midst
//! of the call: it is recorded once. What a resource reports in any other space, it records itself either way.
//!
//! A block is taken off the books by who put it there. A wrapper knows what it recorded itself; what interception recorded
//! goes when the driver frees it, which interception sees, or after its end who makes that call: [`released_unseen`](crate::intercept::released_unseen).

mod interception;

mod call;

mod books;
mod callback;

pub(crate) use self::books::{
    allocated, attempt, block_seen, failure_seen, failures_seen, freeing_known, frees_known, has_to_tell_of_free,
    is_left_to_interception, null_allocated, null_released, released, retried, tells_of_free,
};
pub(crate) use self::call::{Reporting, WrapperCall, is_intercepted, unrecorded};
pub(crate) use self::callback::{in_callback, is_in_callback};
pub(crate) use self::interception::{ends_with, is_counted_on, set_intercepted};
