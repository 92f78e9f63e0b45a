//! Blocks come and go, and what an address belongs to.
//!
//! Every block comes by [`State::insert`] and goes by [`State::release`], so the books, the arena and the pool hear of
//! each. A failure leaves no block. What a call may free is said by the call.

use super::arena::Arena;
use super::block::{Block, Kind};
use super::books::Space;
use super::state::State;
use crate::base::abi::{Code, Done};

impl State {
    /// Allocates `bytes` in the current context.
    pub(crate) fn allocate(&mut self, kind: Kind, bytes: u64) -> Result<u64, Code> {
        let (context, device) = self.current()?;
        self.allocate_in(kind, bytes, context, device)
    }

    /// Allocates `bytes` for a context and a device.
    pub(crate) fn allocate_in(&mut self, kind: Kind, bytes: u64, context: usize, device: usize) -> Result<u64, Code> {
        if bytes == 0 {
            return Err(Code::INVALID_VALUE);
        }
        let space = match kind {
            Kind::Device | Kind::Array => Space::Device(device),
            Kind::Pooled(pool) => self.pools.get(&pool).ok_or(Code::INVALID_VALUE)?.place.space(),
            Kind::Graph => Space::Graph,
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

    /// A block of no pinned bytes, at an address of its own.
    pub(crate) fn pinned_nothing(&mut self) -> Result<u64, Code> {
        let (context, device) = self.current()?;
        let address = self.host.take(1).ok_or(Code::OUT_OF_MEMORY)?;
        self.insert(address, Block { bytes: 0, kind: Kind::Pinned, space: Space::Pinned, context, device });
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
            // Its address stays the graph's, and its memory is kept for the next launch.
            Kind::Graph => self.devices[block.device].graphs_used -= block.bytes,
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

    fn arena(&mut self, space: Space, device: usize) -> &mut Arena {
        match space {
            Space::Device(_) | Space::Foreign | Space::Graph => &mut self.devices[device].arena,
            Space::Pinned | Space::Managed | Space::Registered => &mut self.host,
        }
    }

    /// Allocates in the order of a stream: from this pool, or from the current one of the stream's device.
    pub(crate) fn allocate_async(&mut self, bytes: u64, pool: Option<usize>, stream: usize) -> Result<u64, Code> {
        let (_context, device) = self.stream_context(stream)?;
        if !self.pools_supported {
            return Err(Code::NOT_SUPPORTED);
        }
        if bytes == 0 {
            return Ok(0);
        }
        // "During stream capture, this function results in the creation of an allocation node. In this case, the allocation is owned by
        // the graph instead of the memory pool" (cuda.h 13.5, cuMemAllocAsync).
        if let Some(graph) = self.capturing(stream)? {
            return self.add_allocation(graph, bytes, device);
        }
        let handle = pool.unwrap_or(self.devices[device].current_pool);
        let device = self.pool(handle)?.place.device();
        // "Not associated with any CUDA context" (cuda.h 13.5:6763).
        self.allocate_in(Kind::Pooled(handle), bytes, 0, device)
    }
}
