//! What streams and events are.

use std::time::Instant;

/// The handles that mean a stream without making one: the legacy default stream, and the thread's.
pub(crate) const DEFAULT_STREAMS: [usize; 3] = [0, 1, 2];

/// A stream.
pub(crate) struct Stream {
    pub(crate) context: usize,
    /// The capture that it is in.
    pub(crate) capture: Option<usize>,
    pub(crate) flags: u32,
    pub(crate) priority: i32,
}

/// An event, and when it was recorded.
pub(crate) struct Event {
    pub(crate) context: usize,
    /// The capture that it was recorded in last.
    pub(crate) capture: Option<usize>,
    pub(crate) recorded: Option<Instant>,
}
