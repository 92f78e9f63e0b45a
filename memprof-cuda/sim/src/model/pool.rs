//! What a memory pool is, and what it keeps in reserve.

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

/// A memory pool of a device.
pub(crate) struct Pool {
    pub(crate) device: usize,
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
    pub(crate) fn new(device: usize, maximum: u64) -> Self {
        let gauge = Gauge::default();
        Self { device, reserved: gauge, used: gauge, maximum, threshold: 0, reuse: [1; 3], is_destroyed: false }
    }

    /// Lets go what is reserved above `keep`, in whole chunks that no block needs.
    pub(crate) fn trim(&mut self, keep: u64) {
        let needed = self.used.now.next_multiple_of(CHUNK).max(keep);
        self.reserved.now = self.reserved.now.min(needed);
    }
}
