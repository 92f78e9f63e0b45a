//! What a context is.

/// A context's limits at first: a thread's stack, the buffer of prints, the heap, in bytes.
const LIMITS: [usize; 16] = [1 << 10, 1 << 20, 8 << 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A context of a device.
pub(crate) struct Context {
    pub(crate) device: usize,
    pub(crate) is_primary: bool,
    /// Times retained and not released; 1 for a created one, 0 for a primary one that is not active.
    pub(crate) retained: u64,
    /// A primary one that was reset, and not retained since.
    pub(crate) is_reset: bool,
    pub(crate) flags: u32,
    pub(crate) limits: [usize; 16],
    pub(crate) cache: u32,
}

impl Context {
    pub(crate) fn primary(device: usize) -> Self {
        Self { device, is_primary: true, retained: 0, is_reset: false, flags: 0, limits: LIMITS, cache: 0 }
    }

    pub(crate) fn created(device: usize, flags: u32) -> Self {
        Self { is_primary: false, retained: 1, flags, ..Self::primary(device) }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.retained > 0 && !self.is_reset
    }
}
