//! What a memory pool is, and what it keeps in reserve.
//!
//! What is used is never more than what is reserved; both remember how high they stood. When a pool grows and lets go
//! is left to [`pools`](super::pools).

use super::books::Space;

/// What a pool's reserve grows by.
pub(crate) const CHUNK: u64 = 2 << 20;

/// A number of bytes, and the most it has been.
#[derive(Clone, Copy, Default)]
pub(crate) struct Gauge {
    pub(crate) now: u64,
    pub(crate) high: u64,
}

impl Gauge {
    pub(crate) fn set(&mut self, bytes: u64) {
        self.now = bytes;
        self.high = self.high.max(bytes);
    }
}

/// Where a pool's memory is: "a device location", "host", or managed (cuda.h 13.5, `CUmemLocationType` and `CUmemAllocationType`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Device(usize),
    Host,
    Managed,
}

impl Place {
    /// The device of it; the first one for the others.
    pub(crate) fn device(self) -> usize {
        if let Self::Device(device) = self { device } else { 0 }
    }

    /// The space of its memory.
    pub(crate) fn space(self) -> Space {
        match self {
            Self::Device(device) => Space::Device(device),
            Self::Host => Space::Pinned,
            Self::Managed => Space::Managed,
        }
    }
}

/// A memory pool.
pub(crate) struct Pool {
    pub(crate) place: Place,
    pub(crate) reserved: Gauge,
    pub(crate) used: Gauge,
    /// Bytes that it may hold at most; 0 for as many as the device has.
    pub(crate) maximum: u64,
    pub(crate) threshold: u64,
    /// The three attributes that steer reuse.
    pub(crate) reuse: [i32; 3],
    pub(crate) is_destroyed: bool,
}

impl Pool {
    pub(crate) fn new(place: Place, maximum: u64) -> Self {
        let gauge = Gauge::default();
        Self { place, reserved: gauge, used: gauge, maximum, threshold: 0, reuse: [1; 3], is_destroyed: false }
    }

    /// Lets go what is reserved above `keep`, in whole chunks that no block needs.
    pub(crate) fn trim(&mut self, keep: u64) {
        let needed = self.used.now.next_multiple_of(CHUNK).max(keep);
        self.reserved.now = self.reserved.now.min(needed);
    }
}
