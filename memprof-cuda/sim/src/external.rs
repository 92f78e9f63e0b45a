//! Memory of others: IPC handles and imported memory.
//!
//! An opened handle, or a mapped import, is memory of its own here: it begins as a copy (IPC) or poisoned (imports), and shares nothing.
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

/// Imported memory by handle: its bytes.
#[derive(Default)]
pub(crate) struct External(BTreeMap<usize, u64>);

impl State {
    fn open_handle(&mut self, place: Out<u64>, handle: IpcHandle) -> Done {
        place.given()?;
        let (context, device) = self.current()?;
        let [MARK, address, bytes, ..] = handle.0 else { return Err(Code::INVALID_HANDLE) };
        self.reachable(address, bytes as usize).map_err(|_| Code::INVALID_HANDLE)?;
        let opened = self.allocate_in(Kind::Ipc, bytes, context, device)?;
        arena::copy(opened, address, bytes as usize);
        place.set(opened)
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
        gate::with(|state| {
            state.current()?;
            state.free(address, |kind| kind == Kind::Ipc)
        })
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
            state.external.0.insert(handle, bytes);
            place.set(handle)
        })
    }

    fn cuExternalMemoryGetMappedBuffer(place: Out<u64>, memory: usize, description: In<ExternalBuffer>) [486] {
        gate::with(|state| {
            place.given()?;
            let (context, device) = state.current()?;
            let ExternalBuffer { offset, bytes, .. } = description.get()?;
            let room = *state.external.0.get(&memory).ok_or(Code::INVALID_HANDLE)?;
            if offset.checked_add(bytes).is_none_or(|needed| needed > room) {
                return Err(Code::INVALID_VALUE);
            }
            let address = state.allocate_in(Kind::Imported, bytes, context, device)?;
            place.set(address)
        })
    }

    fn cuDestroyExternalMemory(memory: usize) {
        gate::with(|state| state.external.0.remove(&memory).map(|_| ()).ok_or(Code::INVALID_HANDLE))
    }
}
