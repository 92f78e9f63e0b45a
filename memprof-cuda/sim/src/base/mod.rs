//! What everything stands on: settings, the types of the C border, what is said on stderr.

pub(crate) mod settings;

pub(crate) mod abi;
pub(crate) mod error;
pub(crate) mod log;
