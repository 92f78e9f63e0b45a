//! How a test loads the simulator, steers it, and reads its ledger.

pub(crate) mod control;
pub(crate) mod sim;

pub(crate) mod load;
