//! The environment, start, forks and exit.

pub(crate) mod output;
pub(crate) mod settings;
pub(crate) mod exit;
pub(crate) mod fork;
pub(crate) mod start;
pub(crate) mod ready;
