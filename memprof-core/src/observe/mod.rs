//! Reading all threads while they go on.

pub(crate) mod devices;
pub(crate) mod sums;
pub(crate) mod open_rows;
pub(crate) mod rows;
pub(crate) mod snapshot;
