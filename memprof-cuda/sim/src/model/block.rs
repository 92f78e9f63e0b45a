//! What a block of memory is.
//!
//! The numbers of kinds cross the C border, to the copy of this crate in a test (`handle/sim`): they are never given a
//! second meaning.

use super::books::Space;

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
    /// Of a graph that was launched.
    Graph,
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
            Self::Graph => 9,
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
    /// The context that it ends with; 0 for a pool's.
    pub(crate) context: usize,
    pub(crate) device: usize,
}
