//! Virtual memory management: physical memory by handle, reserved addresses, and mappings of the one at the other.
//!
//! Bytes live at the address where they are mapped: one handle mapped twice is two memories, and an unmapped one forgets.
#![expect(unsafe_code, reason = "exports driver functions")]
use std::ffi::{c_int, c_uint};

use crate::base::abi::{AccessDescription, AllocationProperties, Code, In, Location, Out, ordinal};
use crate::driver::gate::{self, driver};
use crate::model::arena::{self, FREED, FRESH};
use crate::model::books::Space;
use crate::model::mapping::{GRANULARITY, Mapping, Physical, whole};

driver! {
    fn cuMemGetAllocationGranularity(place: Out<usize>, properties: In<AllocationProperties>, _option: c_uint) {
        gate::with(|state| {
            state.device(properties.get()?.location.id)?;
            place.set(GRANULARITY as usize)
        })
    }

    fn cuMemCreate(place: Out<u64>, bytes: usize, properties: In<AllocationProperties>, _flags: u64) [549] {
        gate::unless_captured(|state| {
            place.given()?;
            let location = properties.get()?.location;
            if location.kind != Location::DEVICE {
                return Err(Code::NOT_SUPPORTED);
            }
            let (bytes, device) = (bytes as u64, state.index(location.id)?);
            whole(bytes)?;
            state.fits(device, bytes)?;
            let handle = state.handle() as u64;
            state.virtuals.physical.insert(handle, Physical { bytes, device, references: 1, mappings: 0, of: None, imports: 0, exports: 0 });
            state.books.add(Space::Device(device), bytes);
            place.set(handle)
        })
    }

    fn cuMemRelease(handle: u64) [550] {
        gate::unless_captured(|state| state.release_physical(handle))
    }

    fn cuMemExportToShareableHandle(place: Out<c_int>, handle: u64, _kind: c_uint, _flags: u64) {
        gate::with(|state| {
            place.given()?;
            place.set(ordinal(state.export_physical(handle)?))
        })
    }

    fn cuMemImportFromShareableHandle(place: Out<u64>, descriptor: usize, _kind: c_uint) [555] {
        gate::with(|state| {
            place.given()?;
            place.set(state.import_physical(descriptor)?)
        })
    }

    fn cuMemRetainAllocationHandle(place: Out<u64>, address: u64) [565] {
        gate::with(|state| {
            place.given()?;
            let (&start, mapping) = state.virtuals.mapped.range(..=address).next_back().ok_or(Code::INVALID_VALUE)?;
            if address - start >= mapping.bytes {
                return Err(Code::INVALID_VALUE);
            }
            let handle = mapping.handle;
            state.virtuals.physical.get_mut(&handle).ok_or(Code::INVALID_VALUE)?.references += 1;
            place.set(handle)
        })
    }

    fn cuMemGetAllocationPropertiesFromHandle(place: Out<AllocationProperties>, handle: u64) {
        gate::with(|state| {
            let location = Location { kind: Location::DEVICE, id: ordinal(state.physical(handle)?.device) };
            place.set(AllocationProperties {
                kind: 1,
                handle_types: 0,
                location,
                win32: std::ptr::null_mut(),
                compression: 0,
                rdma: 0,
                usage: 0,
                reserved: [0; 4],
            })
        })
    }

    fn cuMemAddressReserve(place: Out<u64>, bytes: usize, alignment: usize, _wish: u64, _flags: u64) [547] {
        gate::unless_captured(|state| {
            place.given()?;
            let bytes = bytes as u64;
            whole(bytes)?;
            if alignment != 0 && !alignment.is_power_of_two() {
                return Err(Code::INVALID_VALUE);
            }
            let alignment = (alignment as u64).max(GRANULARITY);
            let address = state.virtuals.addresses.take_untouched(bytes, alignment).ok_or(Code::OUT_OF_MEMORY)?;
            state.virtuals.reserved.insert(address, bytes);
            place.set(address)
        })
    }

    fn cuMemAddressFree(address: u64, bytes: usize) [548] {
        gate::unless_captured(|state| {
            let bytes = bytes as u64;
            if state.virtuals.reserved.get(&address) != Some(&bytes) || state.virtuals.overlaps(address, bytes) {
                return Err(Code::INVALID_VALUE);
            }
            state.virtuals.reserved.remove(&address);
            state.virtuals.addresses.give(address, bytes);
            Ok(())
        })
    }

    fn cuMemMap(address: u64, bytes: usize, offset: usize, handle: u64, flags: u64) [551] {
        gate::unless_captured(|state| {
            let bytes = bytes as u64;
            whole(bytes)?;
            whole(address)?;
            let room = state.physical(handle)?.bytes;
            let fits = (offset as u64).checked_add(bytes).is_some_and(|needed| needed <= room);
            let virtuals = &mut state.virtuals;
            if flags != 0 || !fits || !virtuals.is_reserved(address, bytes) || virtuals.overlaps(address, bytes) {
                return Err(Code::INVALID_VALUE);
            }
            virtuals.mapped.insert(address, Mapping { bytes, handle, is_accessible: false });
            state.physical(handle)?.mappings += 1;
            arena::poison(address, bytes, FRESH);
            Ok(())
        })
    }

    fn cuMemUnmap(address: u64, bytes: usize) [552] {
        gate::unless_captured(|state| {
            for start in state.virtuals.filling(address, bytes as u64)? {
                let Some(mapping) = state.virtuals.mapped.remove(&start) else { continue };
                arena::poison(start, mapping.bytes, FREED);
                if let Some(physical) = state.virtuals.physical.get_mut(&mapping.handle) {
                    physical.mappings -= 1;
                }
                state.settle_physical(mapping.handle);
            }
            Ok(())
        })
    }

    fn cuMemSetAccess(address: u64, bytes: usize, access: In<AccessDescription>, count: usize) {
        gate::unless_captured(|state| {
            let starts = state.virtuals.filling(address, bytes as u64)?;
            let mut is_accessible = false;
            for index in 0..count {
                let access = access.at(index)?;
                state.device(access.location.id)?;
                is_accessible |= access.flags != 0;
            }
            for start in starts {
                if let Some(mapping) = state.virtuals.mapped.get_mut(&start) {
                    mapping.is_accessible = is_accessible;
                }
            }
            Ok(())
        })
    }
}
