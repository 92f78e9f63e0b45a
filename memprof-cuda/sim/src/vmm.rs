//! Virtual memory management: physical memory by handle, reserved addresses, and mappings of the one at the other.
//!
//! Bytes live at the address where they are mapped: one handle mapped twice is two memories, and an unmapped one forgets.
#![expect(unsafe_code, reason = "exports driver functions")]

use std::collections::BTreeMap;
use std::ffi::c_uint;

use crate::abi::{AccessDescription, AllocationProperties, Code, Done, In, Location, Out};
use crate::arena::{self, Arena, FREED, FRESH};
use crate::books::Space;
use crate::gate::{self, driver};
use crate::state::{State, ordinal};

/// What sizes and addresses are multiples of.
const GRANULARITY: u64 = 2 << 20;

/// Physical memory of a device.
#[derive(Clone, Copy)]
pub(crate) struct Physical {
    pub(crate) bytes: u64,
    pub(crate) device: usize,
    /// Times created or retained and not released.
    references: u64,
    /// Mappings that show it.
    mappings: u64,
}

/// A mapping, at the address that is its key.
struct Mapping {
    bytes: u64,
    handle: u64,
    is_accessible: bool,
}

/// Reserved addresses, physical memory and mappings.
pub(crate) struct Virtual {
    addresses: Arena,
    /// Bytes reserved at an address.
    reserved: BTreeMap<u64, u64>,
    pub(crate) physical: BTreeMap<u64, Physical>,
    mapped: BTreeMap<u64, Mapping>,
}

impl Virtual {
    pub(crate) fn new() -> Self {
        Self { addresses: Arena::new(), reserved: BTreeMap::new(), physical: BTreeMap::new(), mapped: BTreeMap::new() }
    }

    /// Whether every one of these bytes is mapped and accessible.
    pub(crate) fn reachable(&self, address: u64, bytes: u64) -> bool {
        let Some(end) = address.checked_add(bytes) else { return false };
        let mut next = address;
        while next < end {
            let Some((&start, mapping)) = self.mapped.range(..=next).next_back() else { return false };
            if next - start >= mapping.bytes || !mapping.is_accessible {
                return false;
            }
            next = start + mapping.bytes;
        }
        true
    }

    /// The addresses of the mappings that lie wholly in a range, if they fill it.
    fn filling(&self, address: u64, bytes: u64) -> Result<Vec<u64>, Code> {
        let end = address.checked_add(bytes).ok_or(Code::INVALID_VALUE)?;
        let mut next = address;
        let mut found = Vec::new();
        while next < end {
            let mapping = self.mapped.get(&next).ok_or(Code::INVALID_VALUE)?;
            found.push(next);
            next += mapping.bytes;
        }
        if next == end && !found.is_empty() { Ok(found) } else { Err(Code::INVALID_VALUE) }
    }

    /// Whether a range lies in one reservation.
    fn is_reserved(&self, address: u64, bytes: u64) -> bool {
        let reservation = self.reserved.range(..=address).next_back();
        reservation
            .is_some_and(|(&start, &room)| (address - start).checked_add(bytes).is_some_and(|needed| needed <= room))
    }

    fn overlaps(&self, address: u64, bytes: u64) -> bool {
        let before = self.mapped.range(..address + bytes).next_back();
        before.is_some_and(|(&start, mapping)| start + mapping.bytes > address)
    }
}

impl State {
    /// Takes physical memory out of the books once nobody has a handle or a mapping of it.
    fn settle_physical(&mut self, handle: u64) {
        let Some(&Physical { bytes, device, references: 0, mappings: 0 }) = self.virtuals.physical.get(&handle) else {
            return;
        };
        self.virtuals.physical.remove(&handle);
        self.books.remove(Space::Device(device), bytes);
    }

    fn physical(&mut self, handle: u64) -> Result<&mut Physical, Code> {
        self.virtuals.physical.get_mut(&handle).filter(|physical| physical.references > 0).ok_or(Code::INVALID_VALUE)
    }
}

/// That a number of bytes, or an address, is a multiple of the granularity and not 0.
fn whole(number: u64) -> Done {
    if number > 0 && number.is_multiple_of(GRANULARITY) { Ok(()) } else { Err(Code::INVALID_VALUE) }
}

driver! {
    fn cuMemGetAllocationGranularity(place: Out<usize>, properties: In<AllocationProperties>, _option: c_uint) {
        gate::with(|state| {
            state.device(properties.get()?.location.id)?;
            place.set(GRANULARITY as usize)
        })
    }

    fn cuMemCreate(place: Out<u64>, bytes: usize, properties: In<AllocationProperties>, _flags: u64) [549] {
        gate::with(|state| {
            place.given()?;
            let location = properties.get()?.location;
            if location.kind != Location::DEVICE {
                return Err(Code::NOT_SUPPORTED);
            }
            let (bytes, device) = (bytes as u64, state.index(location.id)?);
            whole(bytes)?;
            state.fits(device, bytes)?;
            let handle = state.handle() as u64;
            state.virtuals.physical.insert(handle, Physical { bytes, device, references: 1, mappings: 0 });
            state.books.add(Space::Device(device), bytes);
            place.set(handle)
        })
    }

    fn cuMemRelease(handle: u64) [550] {
        gate::with(|state| {
            state.physical(handle)?.references -= 1;
            state.settle_physical(handle);
            Ok(())
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
        gate::with(|state| {
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
        gate::with(|state| {
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
        gate::with(|state| {
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
        gate::with(|state| {
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
        gate::with(|state| {
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
