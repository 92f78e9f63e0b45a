//! What reserved addresses, physical memory and mappings are.
//!
//! Plain values, and questions about ranges: whether all of one is mapped, reserved or free. How long physical memory
//! lives is left to [`mappings`](super::mappings).

use std::collections::BTreeMap;

use super::arena::Arena;
use crate::base::abi::{Code, Done};

/// What sizes and addresses are multiples of.
pub(crate) const GRANULARITY: u64 = 2 << 20;

/// Physical memory of a device.
#[derive(Clone, Copy)]
pub(crate) struct Physical {
    pub(crate) bytes: u64,
    pub(crate) device: usize,
    /// Times created or retained and not released.
    pub(crate) references: u64,
    /// Mappings that show it.
    pub(crate) mappings: u64,
    /// The handle that this one was imported from, whose memory it is.
    pub(crate) of: Option<u64>,
    /// Handles that were imported from this one, and are still there.
    pub(crate) imports: u64,
    /// Shareable handles of it that nobody has closed.
    pub(crate) exports: u64,
}

/// A mapping, at the address that is its key.
pub(crate) struct Mapping {
    pub(crate) bytes: u64,
    pub(crate) handle: u64,
    pub(crate) is_accessible: bool,
}

/// Reserved addresses, physical memory and mappings.
pub(crate) struct Virtual {
    pub(crate) addresses: Arena,
    /// Bytes reserved at an address.
    pub(crate) reserved: BTreeMap<u64, u64>,
    pub(crate) physical: BTreeMap<u64, Physical>,
    pub(crate) mapped: BTreeMap<u64, Mapping>,
    /// Which handle a file descriptor leads to, of those that were exported; `None` for one that is closed.
    pub(crate) exported: Vec<Option<u64>>,
}

impl Virtual {
    pub(crate) fn new() -> Self {
        Self {
            addresses: Arena::new(),
            reserved: BTreeMap::new(),
            physical: BTreeMap::new(),
            mapped: BTreeMap::new(),
            exported: Vec::new(),
        }
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
    pub(crate) fn filling(&self, address: u64, bytes: u64) -> Result<Vec<u64>, Code> {
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
    pub(crate) fn is_reserved(&self, address: u64, bytes: u64) -> bool {
        let reservation = self.reserved.range(..=address).next_back();
        reservation
            .is_some_and(|(&start, &room)| (address - start).checked_add(bytes).is_some_and(|needed| needed <= room))
    }

    pub(crate) fn overlaps(&self, address: u64, bytes: u64) -> bool {
        let before = self.mapped.range(..address + bytes).next_back();
        before.is_some_and(|(&start, mapping)| start + mapping.bytes > address)
    }
}

/// That a number of bytes, or an address, is a multiple of the granularity and not 0.
pub(crate) fn whole(number: u64) -> Done {
    if number > 0 && number.is_multiple_of(GRANULARITY) { Ok(()) } else { Err(Code::INVALID_VALUE) }
}
