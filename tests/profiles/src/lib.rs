//! Profiles that few programs make, for the tests of whoever reads them: large ones and hostile ones.

pub mod hostile;
pub mod large;
pub mod law;
