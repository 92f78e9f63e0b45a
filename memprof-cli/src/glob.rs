//! [`Glob`]: a pattern of functions, spaces or files.
//!
//! The rules are `globset`'s, case matters, and a pattern matches a whole name or none of it. One that cannot be read
//! is an error that names where it stands. That a pattern matches nothing at all is each verb's to refuse.

use globset::{GlobBuilder, GlobMatcher};

/// A pattern, which also matches its own text: a function's name can hold what means something in a pattern.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    pub(crate) text: String,
    matcher: GlobMatcher,
}

impl Glob {
    /// Of functions or spaces, in which `*` stands for anything. `key` is where it stands.
    pub(crate) fn scope(key: &str, text: String) -> Result<Self, String> {
        Self::new(key, text, false)
    }

    /// Of files, in which `*` does not cross a slash and `**` does.
    pub(crate) fn file(key: &str, text: String) -> Result<Self, String> {
        Self::new(key, text, true)
    }

    fn new(key: &str, text: String, is_file: bool) -> Result<Self, String> {
        match GlobBuilder::new(&text).literal_separator(is_file).build() {
            Ok(glob) => Ok(Self { matcher: glob.compile_matcher(), text }),
            Err(error) => Err(format!("{key} = \"{text}\" is no glob: {}", error.kind())),
        }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        text == self.text || self.matcher.is_match(text)
    }
}
