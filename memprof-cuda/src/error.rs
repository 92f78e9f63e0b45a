//! The one error of this crate.
//!
//! Its text is for people, and says what was attempted and with what; what a program can act on is asked
//! (`is_out_of_memory`, `is_no_driver`, `code`), and the kind behind that is private. An error for want of memory stays
//! one on the way to cudarc's and back, but for the text. Who holds the memory is gathered by [`oom`](crate::oom),
//! which adds it here.

use std::fmt;

use cudarc::driver::{DriverError, sys::CUresult};

/// What went wrong between memprof and the CUDA driver: what was attempted, with what, and what the driver said.
///
/// ```no_run
/// # fn retry() {}
/// # fn f(error: memprof_cuda::Error) {
/// if error.is_out_of_memory() {
///     retry();
/// }
/// # }
/// ```
///
/// Where memory did not suffice, its text says who holds it, for the first failure of a burst
/// ([`on_out_of_memory`](crate::on_out_of_memory)).
///
/// Its `Debug` is its `Display`: what a `main` that returns it, or an `unwrap`, prints is for people too. It becomes a
/// [`DriverError`] with its [`code`](Self::code), so that `?` goes on in functions that give cudarc's error; the text is
/// lost there.
pub struct Error(Box<Kind>);

/// What an [`Error`] is made of.
pub(crate) enum Kind {
    /// No CUDA driver can be loaded.
    NoDriver { problem: String },
    /// The driver is there, but not this function of it.
    MissingFunction { function: &'static str },
    /// A device index past those that there are.
    NoDevice { ordinal: usize, count: usize },
    /// A call of the driver failed.
    Call { attempted: String, code: CUresult },
    /// What a call of cudarc's own gave.
    Said { code: CUresult },
    /// The driver's memory does not suffice. `report`: who holds it.
    OutOfMemory { attempted: String, report: Option<String> },
    /// More was asked for than a limit of the program's own allows. `report`: who holds it.
    Limit { attempted: String, report: Option<String> },
    /// A caller's mistake: a pointer, a number of bytes, an alignment.
    Invalid { problem: String },
    /// Interception cannot be installed.
    Interception { problem: String },
    /// A file cannot be written.
    File { attempted: String, error: std::io::Error },
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(Box::new(kind))
    }

    /// A failed call of the driver; `attempted` completes "cannot ..".
    pub(crate) fn call(attempted: impl Into<String>, error: DriverError) -> Self {
        let (attempted, code) = (attempted.into(), error.0);
        if code == CUresult::CUDA_ERROR_OUT_OF_MEMORY {
            return Self::new(Kind::OutOfMemory { attempted, report: None });
        }
        Self::new(Kind::Call { attempted, code })
    }

    /// More was asked for than a limit allows; `attempted` completes "cannot ..".
    pub(crate) fn limit(attempted: impl Into<String>) -> Self {
        Self::new(Kind::Limit { attempted: attempted.into(), report: None })
    }

    /// The same error, saying who holds the memory if that is what is lacking.
    pub(crate) fn with_report(mut self, text: String) -> Self {
        if let Kind::OutOfMemory { report, .. } | Kind::Limit { report, .. } = &mut *self.0 {
            *report = Some(text);
        }
        self
    }

    pub(crate) fn invalid(problem: impl Into<String>) -> Self {
        Self::new(Kind::Invalid { problem: problem.into() })
    }

    /// Whether memory did not suffice, on the device or under a limit: freeing some may help.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(*self.0, Kind::Limit { .. }) || self.code() == Some(CUresult::CUDA_ERROR_OUT_OF_MEMORY)
    }

    /// Whether there is no CUDA driver, or one that lacks what is needed: this machine cannot run CUDA.
    pub fn is_no_driver(&self) -> bool {
        matches!(*self.0, Kind::NoDriver { .. } | Kind::MissingFunction { .. })
    }

    /// What the driver said, if it was the driver.
    pub fn code(&self) -> Option<CUresult> {
        match *self.0 {
            Kind::Call { code, .. } | Kind::Said { code } => Some(code),
            Kind::OutOfMemory { .. } => Some(CUresult::CUDA_ERROR_OUT_OF_MEMORY),
            _ => None,
        }
    }
}

/// For functions that call cudarc too: what its call gave, in this crate's error.
impl From<DriverError> for Error {
    fn from(error: DriverError) -> Self {
        Self::new(Kind::Said { code: error.0 })
    }
}

/// What the driver said; `CUDA_ERROR_OUT_OF_MEMORY` where a limit of the program's own was reached, and
/// `CUDA_ERROR_UNKNOWN` for all else that was not the driver.
impl From<Error> for DriverError {
    fn from(error: Error) -> Self {
        let otherwise =
            if error.is_out_of_memory() { CUresult::CUDA_ERROR_OUT_OF_MEMORY } else { CUresult::CUDA_ERROR_UNKNOWN };
        Self(error.code().unwrap_or(otherwise))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::NoDriver { problem } => write!(f, "no CUDA driver: {problem}"),
            Kind::MissingFunction { function } => {
                write!(f, "the CUDA driver has no function {function}: it is too old")
            }
            Kind::NoDevice { ordinal, count } => {
                write!(f, "no CUDA device {ordinal}: there are {count}, counted from 0")
            }
            Kind::Call { attempted, code } => write!(f, "cannot {attempted}: {code:?}"),
            Kind::Said { code } => write!(f, "the CUDA driver said {code:?}"),
            Kind::OutOfMemory { attempted, report } | Kind::Limit { attempted, report } => {
                write!(f, "cannot {attempted}: out_of_memory")?;
                report.as_ref().map_or(Ok(()), |report| write!(f, "\n{report}"))
            }
            Kind::Invalid { problem } => f.write_str(problem),
            Kind::Interception { problem } => write!(f, "cannot intercept CUDA allocations: {problem}"),
            Kind::File { attempted, error } => write!(f, "cannot {attempted}: {error}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Kind::File { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use cudarc::driver::{DriverError, sys::CUresult};

    use super::{Error, Kind};

    #[test]
    fn a_main_that_returns_it_prints_one_clear_line() {
        let error: Box<dyn std::error::Error> =
            Error::new(Kind::Interception { problem: "no \"CUPTI\"".into() }).into();
        assert_eq!(format!("{error:?}"), "cannot intercept CUDA allocations: no \"CUPTI\"");
    }

    #[test]
    fn cudarcs_error_keeps_what_the_driver_said() {
        let words = |error: Error| DriverError::from(error).0;
        let refused = DriverError(CUresult::CUDA_ERROR_LAUNCH_FAILED);
        assert_eq!(words(Error::call("allocate", refused)), CUresult::CUDA_ERROR_LAUNCH_FAILED);
        assert_eq!(words(Error::from(refused)), CUresult::CUDA_ERROR_LAUNCH_FAILED);
        assert_eq!(words(Error::limit("allocate")), CUresult::CUDA_ERROR_OUT_OF_MEMORY);
        assert_eq!(words(Error::invalid("0 bytes")), CUresult::CUDA_ERROR_UNKNOWN);
    }
}
