//! Frees that an allocator may refuse: they are recorded before it is asked, and taken back if it does.
//!
//! A free must be recorded before the allocator has the block, since another thread may get the address right
//! after. An allocator that can fail to free, as a driver's can, would leave a block that is live and in no number.
//! So the free is made in two steps:
//!
//! ```text
//! release ──► the allocator is asked ──► it took the block:  drop      the free stands
//!                                    └─► it refused:         restore   the block is live, as if nothing had happened
//! ```
//!
//! Between the two the block's home is held: it stays that lane, even if this was its last block. What the other
//! threads see meanwhile is a freed block.

use crate::api::target::target;
use crate::base::blind;
use crate::base::state;
use crate::events::blocks::{self, Block};
use crate::lanes::tag::Tag;
use crate::space::mark;
use crate::space::spaces::Space;

/// A block whose free was recorded before the allocator took it back; see [`release`].
#[must_use = "dropped, the free stands; `restore` it if the allocator refuses"]
pub struct Released {
    space: Space,
    address: u64,
    /// Until this is dropped; its home is held meanwhile, so that it stays the home.
    block: Option<Block>,
    /// Whether memprof measured then.
    on: bool,
    temporary: bool,
}

impl core::fmt::Debug for Released {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Released").field("space", &self.space).field("address", &self.address).finish_non_exhaustive()
    }
}

/// Records the free of a block if it is known, and gives what takes that back; changes nothing for an unknown one.
///
/// Costs what [`record_free`](crate::record_free) costs. `None` also where nothing was ever recorded in any space
/// but the host, without a look at a table.
pub fn release(space: Space, address: u64) -> Option<Released> {
    if !blocks::is_used() {
        return None;
    }
    let on = state::is_on();
    let counted_in = if on { target(space) } else { None };
    let _blind = blind::enter();
    let block = blocks::remove(space, address).filter(|block| block.tag != Tag::UNKNOWN)?;
    if let Some(home) = block.tag.lane() {
        home.hold();
    }
    let temporary = if let Some(target) = counted_in {
        target.freed(space, address, &block)
    } else {
        blocks::freed_while_off(space, &block);
        false
    };
    Some(Released { space, address, block: Some(block), on: counted_in.is_some(), temporary })
}

impl Released {
    /// The bytes of the block, as they were recorded when it was allocated.
    pub fn bytes(&self) -> u64 {
        self.block.as_ref().map_or(0, |block| block.bytes)
    }

    /// The allocator refused: the block is live as if nothing had happened. Call it on the thread that released, in
    /// the scope in which it did.
    ///
    /// What the space, the owner and the scope hold is as before, and so is the number of temporary blocks. If
    /// somebody recorded an allocation at the same address meanwhile, the allocator did free the block, and the
    /// free stands.
    pub fn restore(mut self) {
        let counted_in = if self.on { target(self.space) } else { None };
        let _blind = blind::enter();
        if !blocks::is_free(self.space, self.address) {
            // The address was given to somebody meanwhile, so it was free after all.
            return;
        }
        let Some(block) = self.block.take() else { return };
        if let Some(target) = counted_in {
            target.restored(self.space, self.address, &block, self.temporary);
        } else {
            mark::of(self.space).restored(block.tag.path(), block.bytes);
            if let Some(home) = block.tag.lane() {
                home.add_outstanding(1);
            }
        }
        let home = block.tag.lane();
        blocks::insert(self.space, self.address, block);
        if let Some(home) = home {
            home.release();
        }
    }
}

impl Drop for Released {
    fn drop(&mut self) {
        if let Some(home) = self.block.take().and_then(|block| block.tag.lane()) {
            home.release();
        }
    }
}
