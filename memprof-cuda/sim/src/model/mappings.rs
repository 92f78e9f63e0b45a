//! What ends physical memory.

use super::books::Space;
use super::mapping::Physical;
use super::state::State;
use crate::base::abi::Code;

impl State {
    /// Takes physical memory out of the books once nobody has a handle or a mapping of it.
    pub(crate) fn settle_physical(&mut self, handle: u64) {
        let Some(&Physical { bytes, device, references: 0, mappings: 0 }) = self.virtuals.physical.get(&handle) else {
            return;
        };
        self.virtuals.physical.remove(&handle);
        self.books.remove(Space::Device(device), bytes);
    }

    pub(crate) fn physical(&mut self, handle: u64) -> Result<&mut Physical, Code> {
        self.virtuals.physical.get_mut(&handle).filter(|physical| physical.references > 0).ok_or(Code::INVALID_VALUE)
    }
}
