//! Tags: who owns a block, in one word.
//!
//! ```text
//! bit 63     62 .. 20       19 .. 0
//! NONE       lane's index   path's number
//! ```
//!
//! The path says whose live bytes the block is, the lane whose scopes see it come and go. Neither is given to
//! anybody else while a block carries it: paths are never given back, and a lane counts its blocks. 0 is an unknown
//! block, as no lane has the index 0, so a tag that was never written (memory of the recorder's own, blocks of the
//! time while memprof was off) changes nothing when it is freed.
//!
//! The tag of a host block stands in front of it, that of any other block in a table. What it costs to keep one,
//! and when, is left to `api/alloc` and `events`.
//!
//! 20 bits are a million paths, hundreds of times what large programs have, and keep the tables with an entry a path
//! small: a directory of 16,384 pointers each. Of the 43 bits above them, lanes use 24. A tag of two words would
//! double what each block costs.

use crate::lanes::lane::Lane;
use crate::names::path::{MOST_PATHS, PathId};

/// Bits of a tag that hold the path; the lane's index stands above them.
const PATH_BITS: u32 = 20;
const PATH_MASK: u64 = (1 << PATH_BITS) - 1;
const _: () = assert!(PATH_MASK + 1 == MOST_PATHS as u64);

/// What is written in front of a block: the path that owns it and the lane that is its home. 0 is an unknown block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(pub(crate) u64);

impl Tag {
    /// The tag of a block that changes nothing when it is freed.
    pub(crate) const UNKNOWN: Self = Self(0);
    /// The tag of no block, and of no lane: all ones, so that it stays what it is whatever is added by bits.
    pub(crate) const NONE: Self = Self(u64::MAX);

    /// Of a path that is open on this lane, which is to count the block as out.
    pub(crate) fn new(lane: &Lane, path: PathId) -> Self {
        Self(u64::from(lane.index()) << PATH_BITS | u64::from(path.bits()))
    }

    /// Whether this is [`NONE`](Self::NONE): by the uppermost bit, which no other has.
    #[inline(always)]
    pub(crate) fn is_none(self) -> bool {
        self.0.cast_signed() < 0
    }

    #[inline(always)]
    pub(crate) fn path(self) -> PathId {
        PathId::from_bits((self.0 & PATH_MASK) as u32)
    }

    /// The same home, and another owner.
    #[inline(always)]
    pub(crate) fn with_path(self, path: PathId) -> Self {
        Self(self.0 & !PATH_MASK | u64::from(path.bits()))
    }

    /// Whether both blocks have the same home.
    #[inline(always)]
    pub(crate) fn same_lane(self, other: Self) -> bool {
        (self.0 ^ other.0) >> PATH_BITS == 0
    }

    /// The home. A look-up in a table, which the short paths avoid by comparing tags
    /// ([`same_lane`](Self::same_lane)).
    pub(crate) fn lane(self) -> Option<&'static Lane> {
        Lane::of_index((self.0 >> PATH_BITS) as u32)
    }
}
