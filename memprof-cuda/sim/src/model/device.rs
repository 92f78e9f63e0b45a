//! What a device is.

use super::arena::Arena;

/// A simulated device.
pub(crate) struct Device {
    /// Its memory, in bytes; may change while it runs.
    pub(crate) bytes: u64,
    /// What each context on it takes; 0 until a test says otherwise.
    pub(crate) context_bytes: u64,
    /// What graphs have taken, whether a launched one holds it or it is cached for the next launch; and of that, what is held.
    pub(crate) graphs_reserved: u64,
    pub(crate) graphs_used: u64,
    pub(crate) primary: usize,
    pub(crate) default_pool: usize,
    pub(crate) current_pool: usize,
    pub(crate) arena: Arena,
}

impl Device {
    pub(crate) fn new(bytes: u64, primary: usize, pool: usize) -> Self {
        Self {
            bytes,
            context_bytes: 0,
            graphs_reserved: 0,
            graphs_used: 0,
            primary,
            default_pool: pool,
            current_pool: pool,
            arena: Arena::new(),
        }
    }
}
