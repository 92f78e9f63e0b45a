//! Memory of others: IPC handles and imported memory.
//!
//! An opened handle, or a mapped import, is memory of its own here: it begins as a copy (IPC) or poisoned (imports), and shares nothing.
//! As CUDA has it, a handle that is open in a context already gives the same address once more, which is there until it is closed as often.
//! Unlike CUDA, a process may open its own handle, so that one test can do both.
#![expect(unsafe_code, reason = "exports driver functions")]
use std::ffi::c_uint;

use crate::base::abi::{Code, ExternalBuffer, ExternalHandle, In, IpcHandle, Out};
use crate::driver::gate::{self, driver};
use crate::model::block::Kind;
use crate::model::shared::MARK;

driver! {
    fn cuIpcGetMemHandle(place: Out<IpcHandle>, address: u64) {
        gate::unless_captured(|state| {
            state.current()?;
            let (start, block) = state.block_at(address).ok_or(Code::INVALID_VALUE)?;
            if block.kind != Kind::Device {
                return Err(Code::INVALID_VALUE);
            }
            place.set(IpcHandle([MARK, start, block.bytes, 0, 0, 0, 0, 0]))
        })
    }

    fn cuIpcOpenMemHandle_v2(place: Out<u64>, handle: IpcHandle, _flags: c_uint) [567] {
        gate::unless_captured(|state| {
            place.given()?;
            place.set(state.open_handle(handle.0)?)
        })
    }

    fn cuIpcCloseMemHandle(address: u64) [330] {
        gate::unless_captured(|state| state.close_handle(address))
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
