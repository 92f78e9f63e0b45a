//! Reading all threads while they go on.

pub(crate) mod notes;
pub(crate) mod sums;
pub(crate) mod open_rows;
pub(crate) mod baseline;
pub(crate) mod rows;
pub(crate) mod futures;
pub(crate) mod devices;
pub(crate) mod records;
pub(crate) mod snapshot;
pub(crate) mod reset;
