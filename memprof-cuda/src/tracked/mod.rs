//! Tracked allocations: cudarc's own types, and the books beside them.
//!
//! [`TrackedExt::tracked`] makes a [`TrackedStream`] of a stream, whose allocating methods shadow cudarc's, with the
//! same names and arguments, and give a [`TrackedSlice`]. That derefs to cudarc's slice and is accepted wherever cudarc
//! takes one. Their [`Error`](crate::Error) says who holds the memory where it does not suffice, and becomes cudarc's in a `?`. An allocation is recorded after the driver made it, a free before the driver takes it
//! back, under the address that the inner slice then has; a free that the driver refuses is taken back.
//!
//! What cudarc does with a slice, that it waits for readers and writers before the free and keeps errors of a drop in
//! the context, happens here as there.

mod allocate;
mod free;

#[macro_use]
mod forward;

mod slice;

mod managed;
mod mapping;
mod pinned;

mod stream;

mod context;

mod ext;

pub use self::context::TrackedContext;
pub use self::ext::TrackedExt;
pub use self::managed::TrackedUnifiedSlice;
pub use self::mapping::TrackedMapping;
pub use self::pinned::TrackedPinnedSlice;
pub use self::slice::TrackedSlice;
pub use self::stream::TrackedStream;
