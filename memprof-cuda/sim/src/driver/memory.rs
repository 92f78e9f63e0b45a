//! Blocks of memory: a device's, pinned, managed. Allocation, the frees, and what an address belongs to.
//!
//! All that allocates or frees is refused while a capture prohibits it; questions are not. How much fits, and where a
//! block lies, is left to [`model/memory`](crate::model::memory).
#![expect(unsafe_code, reason = "exports driver functions")]
use std::ffi::c_uint;

use crate::base::abi::{Code, Done, In, Out, ordinal};
use crate::driver::gate::{self, driver};
use crate::model::block::{Block, Kind};
use crate::model::books::Space;
use crate::model::state::{NoPinnedBytes, State};

/// What the rows of a pitched allocation are rounded to.
const PITCH: usize = 512;

fn allocate(state: &mut State, place: Out<u64>, kind: Kind, bytes: usize) -> Done {
    place.given()?;
    let address = state.allocate(kind, bytes as u64)?;
    place.set(address)
}

fn pointer_attribute(state: &State, place: Out<u8>, attribute: c_uint, address: u64) -> Done {
    let (start, block) = state.block_at(address).ok_or(Code::INVALID_VALUE)?;
    let on_host = matches!(block.space, Space::Pinned | Space::Registered);
    match attribute {
        1 => place.cast().set(block.context),
        2 => place.cast::<c_uint>().set(if on_host { 1 } else { 2 }),
        3 => place.cast().set(address),
        4 if block.space != Space::Device(block.device) => place.cast().set(address),
        8 => place.cast::<c_uint>().set(c_uint::from(block.space == Space::Managed)),
        9 => place.cast().set(ordinal(block.device)),
        7 | 11 => place.cast().set(start),
        12 => place.cast().set(block.bytes),
        // "The handle to the mempool that the allocation was obtained from" (cuda.h 13.5, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE).
        17 => place.cast().set(if let Kind::Pooled(pool) = block.kind { pool } else { 0 }),
        13 => place.cast::<c_uint>().set(1),
        _ => Err(Code::NOT_SUPPORTED),
    }
}

driver! {
    fn cuMemAlloc_v2(place: Out<u64>, bytes: usize) [243] {
        gate::unless_captured(|state| allocate(state, place, Kind::Device, bytes))
    }

    fn cuMemAllocPitch_v2(place: Out<u64>, pitch: Out<usize>, width: usize, height: usize, element: c_uint) [244] {
        gate::unless_captured(|state| {
            pitch.given()?;
            if !matches!(element, 4 | 8 | 16) {
                return Err(Code::INVALID_VALUE);
            }
            let row = width.checked_next_multiple_of(PITCH).ok_or(Code::INVALID_VALUE)?;
            allocate(state, place, Kind::Device, row.checked_mul(height).ok_or(Code::INVALID_VALUE)?)?;
            pitch.set(row)
        })
    }

    fn cuMemFree_v2(address: u64) [245] {
        gate::unless_captured(|state| {
            state.current()?;
            if address == 0 {
                return Ok(());
            }
            state.free(address, |kind| matches!(kind, Kind::Device | Kind::Pooled(_) | Kind::Managed | Kind::Imported | Kind::Graph))
        })
    }

    fn cuMemAllocManaged(place: Out<u64>, bytes: usize, flags: c_uint) [371] {
        if !matches!(flags, 1 | 2) {
            return Err(Code::INVALID_VALUE);
        }
        gate::unless_captured(|state| allocate(state, place, Kind::Managed, bytes))
    }

    fn cuMemHostAlloc(place: Out<u64>, bytes: usize, _flags: c_uint) [39] {
        gate::unless_captured(|state| {
            match state.choices.no_pinned_bytes {
                NoPinnedBytes::Null if bytes == 0 => place.set(0),
                NoPinnedBytes::Block if bytes == 0 => place.set(state.pinned_nothing()?),
                _ => allocate(state, place, Kind::Pinned, bytes),
            }
        })
    }

    fn cuMemAllocHost_v2(place: Out<u64>, bytes: usize) [294] {
        gate::unless_captured(|state| allocate(state, place, Kind::Pinned, bytes))
    }

    fn cuMemFreeHost(address: u64) [38] {
        gate::unless_captured(|state| {
            state.current()?;
            state.free(address, |kind| kind == Kind::Pinned)
        })
    }

    fn cuMemHostRegister_v2(address: u64, bytes: usize, _flags: c_uint) [379] {
        gate::unless_captured(|state| {
            let (context, device) = state.current()?;
            if address == 0 || bytes == 0 {
                return Err(Code::INVALID_VALUE);
            }
            let last = address.checked_add(bytes as u64 - 1).ok_or(Code::INVALID_VALUE)?;
            if state.block_at(address).is_some() || state.block_at(last).is_some() {
                return Err(Code::HOST_MEMORY_ALREADY_REGISTERED);
            }
            let bytes = bytes as u64;
            state.insert(address, Block { bytes, kind: Kind::Registered, space: Space::Registered, context, device });
            Ok(())
        })
    }

    fn cuMemHostUnregister(address: u64) [302] {
        gate::unless_captured(|state| {
            state.current()?;
            let freed = state.free(address, |kind| kind == Kind::Registered);
            freed.map_err(|_| Code::HOST_MEMORY_NOT_REGISTERED)
        })
    }

    fn cuMemHostGetDevicePointer_v2(place: Out<u64>, address: u64, _flags: c_uint) {
        gate::with(|state| {
            state.current()?;
            state.reachable(address, 1)?;
            place.set(address)
        })
    }

    fn cuMemHostGetFlags(place: Out<c_uint>, address: u64) {
        gate::with(|state| {
            state.reachable(address, 1)?;
            place.set(0)
        })
    }

    fn cuMemGetAddressRange_v2(base: Out<u64>, bytes: Out<usize>, address: u64) {
        gate::with(|state| {
            state.current()?;
            let (start, block) = state.block_at(address).ok_or(Code::NOT_FOUND)?;
            base.set_if_given(start);
            bytes.set_if_given(block.bytes as usize);
            Ok(())
        })
    }

    fn cuPointerGetAttribute(place: Out<u8>, attribute: c_uint, address: u64) {
        gate::with(|state| pointer_attribute(state, place, attribute, address))
    }

    fn cuPointerGetAttributes(count: c_uint, attributes: In<c_uint>, places: In<Out<u8>>, address: u64) {
        gate::with(|state| {
            for index in 0..count as usize {
                pointer_attribute(state, places.at(index)?, attributes.at(index)?, address)?;
            }
            Ok(())
        })
    }
}
