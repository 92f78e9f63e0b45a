//! Memory of others is opened and closed.
//!
//! An opened handle is memory of its own here and shares nothing with what it was made of: it begins as a copy. It
//! counts in no device's books.

use super::arena;
use super::block::Kind;
use super::external::Opened;
use super::state::State;
use crate::base::abi::{Code, Done};

/// What an IPC handle of ours begins with.
pub(crate) const MARK: u64 = u64::from_ne_bytes(*b"cuda sim");

impl State {
    /// Opens another's memory: what an IPC handle holds. Gives its address, the same for as long as it is open.
    pub(crate) fn open_handle(&mut self, handle: [u64; 8]) -> Result<u64, Code> {
        let (context, device) = self.current()?;
        let [MARK, exported, bytes, ..] = handle else { return Err(Code::INVALID_HANDLE) };
        let mut opened = self.external.opened.iter_mut();
        let known = opened.find(|(_, opened)| (opened.context, opened.exported) == (context, exported));
        if let Some((&address, opened)) = known {
            opened.times += 1;
            return Ok(address);
        }
        self.reachable(exported, bytes as usize).map_err(|_| Code::INVALID_HANDLE)?;
        let address = self.allocate_in(Kind::Ipc, bytes, context, device)?;
        arena::copy(address, exported, bytes as usize);
        self.external.opened.insert(address, Opened { context, exported, times: 1 });
        Ok(address)
    }

    /// Closes it once.
    pub(crate) fn close_handle(&mut self, address: u64) -> Done {
        self.current()?;
        match self.external.opened.get_mut(&address) {
            Some(opened) if opened.times > 1 => {
                opened.times -= 1;
                Ok(())
            }
            _ => self.free(address, |kind| kind == Kind::Ipc),
        }
    }
}
