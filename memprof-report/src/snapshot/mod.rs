//! [`Snapshot`]: everything measured up to one moment, as a plain value.
//!
//! A snapshot is apart from the recorder: it can be kept, compared, written to a file and read in another
//! process. This module promises that its order is fixed and that reading one back gives an equal one. How
//! it is taken is the recorder's business, how it looks on paper is that of the formats.

mod parts;
mod value;
#[cfg(feature = "formats")]
mod schema;

#[cfg(all(test, feature = "formats"))]
pub(crate) mod fixtures;
#[cfg(all(test, feature = "formats"))]
mod tests;

pub use self::parts::{HostState, SnapshotParts, SpaceData};
pub use self::value::Snapshot;
