//! How a device's memory adds up: what its driver says at a snapshot, beside what memprof attributes.
//!
//! A device is watched from the first context or tracked stream on it, and all are while interception is on. No context
//! is kept alive for that. Where the driver cannot be [asked](self::ask), the numbers are those of the last time, and say so
//! and why.
//!
//! So that a report at exit knows more than the start, a device is also asked when its last tracked stream ends, when
//! what is tracked in a context ends and holds it last, when interception ends, and [now and then](due) after a tracked
//! allocation or free. Callbacks of interception cannot ask.
//!
//! No lock is held while the driver is called but that of [`pools`](crate::pools), for reading, while pools are asked; and
//! the thread's current context is as before afterwards.

mod silence;

mod current;

mod ask;
mod due;

mod watched;

pub(crate) use self::watched::{Watch, allocated, freed, interception_ends, watch, watch_all};
