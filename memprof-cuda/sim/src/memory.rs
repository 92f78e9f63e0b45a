//! Blocks of memory: a device's, pinned, managed. Allocation, the frees, and what an address belongs to.
#![expect(unsafe_code, reason = "exports driver functions")]

use std::ffi::c_uint;

use crate::abi::{Code, Done, In, Out};
use crate::books::Space;
use crate::gate::{self, driver};
use crate::state::{State, ordinal};

/// What the rows of a pitched allocation are rounded to.
const PITCH: usize = 512;

/// How a block came to be, which says how it may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// `cuMemAlloc`, `cuMemAllocPitch`
    Device,
    /// From the pool of this handle.
    Pooled(usize),
    /// `cuMemAllocManaged`
    Managed,
    /// `cuMemHostAlloc`, `cuMemAllocHost`
    Pinned,
    /// `cuMemHostRegister`
    Registered,
    /// `cuArrayCreate`
    Array,
    /// `cuIpcOpenMemHandle`: another's memory.
    Ipc,
    /// `cuExternalMemoryGetMappedBuffer`: imported memory.
    Imported,
}

impl Kind {
    /// The number that crosses the C border.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Device => 0,
            Self::Pooled(_) => 1,
            Self::Managed => 2,
            Self::Pinned => 3,
            Self::Registered => 4,
            Self::Array => 5,
            Self::Ipc => 6,
            Self::Imported => 7,
        }
    }
}

/// A live block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Bytes, as requested.
    pub(crate) bytes: u64,
    pub(crate) kind: Kind,
    pub(crate) space: Space,
    pub(crate) context: usize,
    pub(crate) device: usize,
}

impl State {
    /// Allocates `bytes` in the current context.
    fn allocate(&mut self, kind: Kind, bytes: u64) -> Result<u64, Code> {
        let (context, device) = self.current()?;
        self.allocate_in(kind, bytes, context, device)
    }

    /// Allocates `bytes` for a context and a device.
    pub(crate) fn allocate_in(&mut self, kind: Kind, bytes: u64, context: usize, device: usize) -> Result<u64, Code> {
        if bytes == 0 {
            return Err(Code::INVALID_VALUE);
        }
        let space = match kind {
            Kind::Device | Kind::Array | Kind::Pooled(_) => Space::Device(device),
            Kind::Managed => Space::Managed,
            Kind::Pinned => Space::Pinned,
            Kind::Registered => Space::Registered,
            Kind::Ipc | Kind::Imported => Space::Foreign,
        };
        match kind {
            Kind::Device | Kind::Array => self.fits(device, bytes)?,
            Kind::Pooled(pool) => self.grow_pool(pool, bytes)?,
            _ => {}
        }
        let arena = self.arena(space, device);
        let Some(address) = arena.take(bytes) else {
            if let Kind::Pooled(pool) = kind {
                self.shrink_pool(pool, bytes);
            }
            return Err(Code::OUT_OF_MEMORY);
        };
        self.insert(address, Block { bytes, kind, space, context, device });
        Ok(address)
    }

    /// Enters a block into the books.
    pub(crate) fn insert(&mut self, address: u64, block: Block) {
        self.books.add(block.space, block.bytes);
        self.blocks.insert(address, block);
    }

    /// Takes a block out of the books and its memory back. Whether it was there.
    pub(crate) fn release(&mut self, address: u64) -> bool {
        let Some(block) = self.blocks.remove(&address) else { return false };
        self.books.remove(block.space, block.bytes);
        match block.kind {
            // Its memory is the program's.
            Kind::Registered => {}
            Kind::Pooled(pool) => {
                self.arena(block.space, block.device).give(address, block.bytes);
                self.shrink_pool(pool, block.bytes);
            }
            Kind::Ipc => {
                self.arena(block.space, block.device).give(address, block.bytes);
                self.external.forget(address);
            }
            _ => self.arena(block.space, block.device).give(address, block.bytes),
        }
        true
    }

    /// Frees a block that this call may free.
    pub(crate) fn free(&mut self, address: u64, may: impl Fn(Kind) -> bool) -> Done {
        let block = self.blocks.get(&address).ok_or(Code::INVALID_VALUE)?;
        if !may(block.kind) {
            return Err(Code::INVALID_VALUE);
        }
        self.release(address);
        Ok(())
    }

    /// The block that an address lies in, and where that begins.
    pub(crate) fn block_at(&self, address: u64) -> Option<(u64, Block)> {
        let (&start, &block) = self.blocks.range(..=address).next_back()?;
        (address - start < block.bytes).then_some((start, block))
    }

    /// That the driver may reach these bytes: they lie in one live block, or in mapped memory.
    pub(crate) fn reachable(&self, address: u64, bytes: usize) -> Done {
        if bytes == 0 {
            return Ok(());
        }
        let inside = self
            .block_at(address)
            .is_some_and(|(start, block)| block.kind != Kind::Array && bytes as u64 <= start + block.bytes - address);
        if inside || self.virtuals.reachable(address, bytes as u64) { Ok(()) } else { Err(Code::INVALID_VALUE) }
    }

    fn arena(&mut self, space: Space, device: usize) -> &mut crate::arena::Arena {
        match space {
            Space::Device(_) | Space::Foreign => &mut self.devices[device].arena,
            Space::Pinned | Space::Managed | Space::Registered => &mut self.host,
        }
    }

    fn allocate_to(&mut self, place: Out<u64>, kind: Kind, bytes: usize) -> Done {
        place.given()?;
        let address = self.allocate(kind, bytes as u64)?;
        place.set(address)
    }
}

driver! {
    fn cuMemAlloc_v2(place: Out<u64>, bytes: usize) [243] {
        gate::with(|state| state.allocate_to(place, Kind::Device, bytes))
    }

    fn cuMemAllocPitch_v2(place: Out<u64>, pitch: Out<usize>, width: usize, height: usize, element: c_uint) [244] {
        gate::with(|state| {
            pitch.given()?;
            if !matches!(element, 4 | 8 | 16) {
                return Err(Code::INVALID_VALUE);
            }
            let row = width.checked_next_multiple_of(PITCH).ok_or(Code::INVALID_VALUE)?;
            state.allocate_to(place, Kind::Device, row.checked_mul(height).ok_or(Code::INVALID_VALUE)?)?;
            pitch.set(row)
        })
    }

    fn cuMemFree_v2(address: u64) [245] {
        gate::with(|state| {
            state.current()?;
            if address == 0 {
                return Ok(());
            }
            state.free(address, |kind| matches!(kind, Kind::Device | Kind::Pooled(_) | Kind::Managed | Kind::Imported))
        })
    }

    fn cuMemAllocManaged(place: Out<u64>, bytes: usize, flags: c_uint) [371] {
        if !matches!(flags, 1 | 2) {
            return Err(Code::INVALID_VALUE);
        }
        gate::with(|state| state.allocate_to(place, Kind::Managed, bytes))
    }

    fn cuMemHostAlloc(place: Out<u64>, bytes: usize, _flags: c_uint) [39] {
        gate::with(|state| state.allocate_to(place, Kind::Pinned, bytes))
    }

    fn cuMemAllocHost_v2(place: Out<u64>, bytes: usize) [294] {
        gate::with(|state| state.allocate_to(place, Kind::Pinned, bytes))
    }

    fn cuMemFreeHost(address: u64) [38] {
        gate::with(|state| {
            state.current()?;
            state.free(address, |kind| kind == Kind::Pinned)
        })
    }

    fn cuMemHostRegister_v2(address: u64, bytes: usize, _flags: c_uint) [379] {
        gate::with(|state| {
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
        gate::with(|state| {
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
        gate::with(|state| state.pointer_attribute(place, attribute, address))
    }

    fn cuPointerGetAttributes(count: c_uint, attributes: In<c_uint>, places: In<Out<u8>>, address: u64) {
        gate::with(|state| {
            for index in 0..count as usize {
                state.pointer_attribute(places.at(index)?, attributes.at(index)?, address)?;
            }
            Ok(())
        })
    }
}

impl State {
    fn pointer_attribute(&self, place: Out<u8>, attribute: c_uint, address: u64) -> Done {
        let (start, block) = self.block_at(address).ok_or(Code::INVALID_VALUE)?;
        let on_host = matches!(block.space, Space::Pinned | Space::Registered);
        match attribute {
            1 => place.cast().set(block.context),
            2 => place.cast::<c_uint>().set(if on_host { 1 } else { 2 }),
            3 => place.cast().set(address),
            4 if block.space != Space::Device(block.device) => place.cast().set(address),
            8 => place.cast::<c_uint>().set(c_uint::from(block.kind == Kind::Managed)),
            9 => place.cast().set(ordinal(block.device)),
            7 | 11 => place.cast().set(start),
            12 => place.cast().set(block.bytes),
            13 => place.cast::<c_uint>().set(1),
            _ => Err(Code::NOT_SUPPORTED),
        }
    }
}
