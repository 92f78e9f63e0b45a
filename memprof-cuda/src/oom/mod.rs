//! When device memory runs out: who holds it, and a chance to do something about it.
//!
//! Whoever allocates through memprof wraps the driver's call in [`retrying`]. A failure for want of memory is counted,
//! the program's callback is asked, and where it gives up the error says who holds the memory. The same text goes to
//! stderr once per burst: see [`on_out_of_memory`].

mod burst;

mod facts;
mod text;

mod retry;

pub use self::facts::{OutOfMemory, Owner};
pub use self::retry::{Action, on_out_of_memory};
pub(crate) use self::retry::{retrying, seen_by_interception, succeeded};
