//! Why the driver says nothing.
//!
//! Its text stands in reports, before "last known values". Why it is not even asked are the reasons of
//! [`asking`](crate::asking); the others are what came of asking.

use std::fmt;

use cudarc::driver::{DriverError, sys};

use crate::asking::Refusal;

/// Why the driver cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// There is none any more.
    Gone,
    /// Nobody has a context on the device.
    NoContext,
    /// It may not be asked here and now.
    Unasked(Refusal),
    /// It gave this error.
    Said(sys::CUresult),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the driver is gone"),
            Self::NoContext => f.write_str("no context is left on the device"),
            Self::Unasked(Refusal::InItsCall) => f.write_str("the driver could not be asked within its own call"),
            Self::Unasked(Refusal::Ending) => f.write_str("asked as the process began to end"),
            Self::Unasked(Refusal::Forked) => f.write_str("the driver cannot be asked in a process that was forked"),
            Self::Unasked(Refusal::Capturing) => {
                f.write_str("the driver is not asked on a thread that captures a stream into a graph")
            }
            Self::Said(code) => write!(f, "the driver said {code:?}"),
        }
    }
}

impl From<Refusal> for Silence {
    fn from(refusal: Refusal) -> Self {
        Self::Unasked(refusal)
    }
}

impl From<DriverError> for Silence {
    fn from(error: DriverError) -> Self {
        match error.0 {
            sys::CUresult::CUDA_ERROR_DEINITIALIZED => Self::Gone,
            sys::CUresult::CUDA_ERROR_INVALID_CONTEXT | sys::CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED => {
                Self::NoContext
            }
            code => Self::Said(code),
        }
    }
}
