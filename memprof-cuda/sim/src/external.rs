//! Memory of others: IPC handles and imported memory.
//!
//! An opened handle, or a mapped import, is memory of its own here: it begins as a copy (IPC) or poisoned (imports), and shares nothing.
//! As CUDA has it, a handle that is open in a context already gives the same address once more, which is there until it is closed as often.
//! Unlike CUDA, a process may open its own handle, so that one test can do both.
#![expect(unsafe_code, reason = "exports driver functions")]

use std::collections::BTreeMap;
use std::ffi::c_uint;

use crate::abi::{Code, Done, ExternalBuffer, ExternalHandle, In, IpcHandle, Out};
use crate::arena;
use crate::gate::{self, driver};
use crate::memory::Kind;
use crate::state::State;

/// What an IPC handle of ours begins with.
const MARK: u64 = u64::from_ne_bytes(*b"cuda sim");

/// What is known of memory of others.
#[derive(Default)]
pub(crate) struct External {
    /// Imported memory by handle: its bytes.
    imported: BTreeMap<usize, u64>,
    /// Opened memory by address.
    opened: BTreeMap<u64, Opened>,
}

/// An IPC handle that is open.
struct Opened {
    context: usize,
    exported: u64,
    /// Opened and not closed.
    times: u64,
}

impl External {
    /// Memory that was opened is gone, however often it was opened.
    pub(crate) fn forget(&mut self, address: u64) {
        self.opened.remove(&address);
    }
}

impl State {
    fn open_handle(&mut self, place: Out<u64>, handle: IpcHandle) -> Done {
        place.given()?;
        let (context, device) = self.current()?;
        let [MARK, exported, bytes, ..] = handle.0 else { return Err(Code::INVALID_HANDLE) };
        let mut opened = self.external.opened.iter_mut();
        let known = opened.find(|(_, opened)| (opened.context, opened.exported) == (context, exported));
        if let Some((&address, opened)) = known {
            opened.times += 1;
            return place.set(address);
        }
        self.reachable(exported, bytes as usize).map_err(|_| Code::INVALID_HANDLE)?;
        let address = self.allocate_in(Kind::Ipc, bytes, context, device)?;
        arena::copy(address, exported, bytes as usize);
        self.external.opened.insert(address, Opened { context, exported, times: 1 });
        place.set(address)
    }

    fn close_handle(&mut self, address: u64) -> Done {
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

driver! {
    fn cuIpcGetMemHandle(place: Out<IpcHandle>, address: u64) {
        gate::with(|state| {
            state.current()?;
            let (start, block) = state.block_at(address).ok_or(Code::INVALID_VALUE)?;
            if block.kind != Kind::Device {
                return Err(Code::INVALID_VALUE);
            }
            place.set(IpcHandle([MARK, start, block.bytes, 0, 0, 0, 0, 0]))
        })
    }

    fn cuIpcOpenMemHandle_v2(place: Out<u64>, handle: IpcHandle, _flags: c_uint) [567] {
        gate::with(|state| state.open_handle(place, handle))
    }

    fn cuIpcCloseMemHandle(address: u64) [330] {
        gate::with(|state| state.close_handle(address))
    }

    fn cuImportExternalMemory(place: Out<usize>, description: In<ExternalHandle>) {
        gate::with(|state| {
            place.given()?;
            state.current()?;
            let bytes = description.get()?.bytes;
            if bytes == 0 {
                return Err(Code::INVALID_VALUE);
            }
            let handle = state.handle();
            state.external.imported.insert(handle, bytes);
            place.set(handle)
        })
    }

    fn cuExternalMemoryGetMappedBuffer(place: Out<u64>, memory: usize, description: In<ExternalBuffer>) [486] {
        gate::with(|state| {
            place.given()?;
            let (context, device) = state.current()?;
            let ExternalBuffer { offset, bytes, .. } = description.get()?;
            let room = *state.external.imported.get(&memory).ok_or(Code::INVALID_HANDLE)?;
            if offset.checked_add(bytes).is_none_or(|needed| needed > room) {
                return Err(Code::INVALID_VALUE);
            }
            let address = state.allocate_in(Kind::Imported, bytes, context, device)?;
            place.set(address)
        })
    }

    fn cuDestroyExternalMemory(memory: usize) {
        gate::with(|state| state.external.imported.remove(&memory).map(|_| ()).ok_or(Code::INVALID_HANDLE))
    }
}
