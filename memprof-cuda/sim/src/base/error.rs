//! Why the simulator could not be loaded.

use std::error::Error as _;
use std::fmt;

/// Why the simulator could not be loaded. Its `Debug` is its `Display`, for a `main` that returns it.
pub struct LoadError(String);

impl LoadError {
    /// `attempted`, and what the loader said, which libloading's own text leaves to the source of the error.
    pub(crate) fn new(attempted: &str, error: &libloading::Error) -> Self {
        let said = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        Self(format!("{attempted}: {said}"))
    }

    /// What the whole text says.
    pub(crate) fn because(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for LoadError {}
