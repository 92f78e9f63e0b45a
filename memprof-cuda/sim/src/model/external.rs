//! What is known of memory of others.

use std::collections::BTreeMap;

/// What is known of memory of others.
#[derive(Default)]
pub(crate) struct External {
    /// Imported memory by handle: its bytes.
    pub(crate) imported: BTreeMap<usize, u64>,
    /// Opened memory by address.
    pub(crate) opened: BTreeMap<u64, Opened>,
}

/// An IPC handle that is open.
pub(crate) struct Opened {
    pub(crate) context: usize,
    pub(crate) exported: u64,
    /// Opened and not closed.
    pub(crate) times: u64,
}

impl External {
    /// Memory that was opened is gone, however often it was opened.
    pub(crate) fn forget(&mut self, address: u64) {
        self.opened.remove(&address);
    }
}
