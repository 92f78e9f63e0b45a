//! [`Glob`]: a pattern of functions, spaces or files.
//!
//! The rules are those of the `glob` library, by which cargo reads `-p`: `*`, `?`, `[a-z]`, `[!a]`, and in files `**/`. Case matters, braces
//! are themselves, and a pattern matches a whole name or none of it. One that cannot be read is an error that names where it stands. That a
//! pattern matches nothing at all is each verb's to refuse.

use glob::{MatchOptions, Pattern};

/// A pattern, which also matches its own text: a function's name can hold what means something in a pattern.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    pub(crate) text: String,
    pattern: Pattern,
    is_file: bool,
}

impl Glob {
    /// Of functions or spaces, in which `*` stands for anything, and `**` for no more. `key` is where it stands.
    pub(crate) fn scope(key: &str, text: String) -> Result<Self, String> {
        // The library takes two stars for folders, and refuses them in the midst of a name.
        let mut before = None;
        let pattern: String =
            text.chars().filter(|letter| before.replace(*letter) != Some('*') || *letter != '*').collect();
        Self::new(key, text, &pattern, false)
    }

    /// Of files, in which `*` does not cross a slash and `**` does.
    pub(crate) fn file(key: &str, text: String) -> Result<Self, String> {
        let pattern = text.clone();
        Self::new(key, text, &pattern, true)
    }

    fn new(key: &str, text: String, pattern: &str, is_file: bool) -> Result<Self, String> {
        match Pattern::new(pattern) {
            Ok(pattern) => Ok(Self { text, pattern, is_file }),
            Err(error) => Err(format!("{key} = \"{text}\" is no glob: {}", error.msg)),
        }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        let options = MatchOptions { require_literal_separator: self.is_file, ..MatchOptions::new() };
        text == self.text || self.pattern.matches_with(text, options)
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn what_a_pattern_of_functions_matches() {
        for (pattern, matched, others) in [
            ("Parser::*", &["Parser::new", "Parser::a::b", "Parser::"][..], &["parser::new", "a::Parser::new"][..]),
            ("*::**::c?", &["a::b::cd", "a::b::x/y::cd"], &["cd", "a::b::c"]),
            ("main::{closure#0}", &["main::{closure#0}"], &["main::closure#0"]),
            ("{a,b}", &["{a,b}"], &["a", "b"]),
            ("[T]::sort", &["[T]::sort", "T::sort"], &["U::sort"]),
            ("[!a]b", &["cb"], &["ab"]),
        ] {
            let glob = Glob::scope("scope", pattern.to_owned()).expect("a pattern");
            for name in matched {
                assert!(glob.matches(name), "{pattern} {name}");
            }
            for name in others {
                assert!(!glob.matches(name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn in_a_pattern_of_files_a_star_stays_in_its_folder() {
        for (pattern, matched, others) in [
            ("src/*.rs", &["src/main.rs"][..], &["src/a/b.rs", "a/src/main.rs"][..]),
            ("src/**", &["src/main.rs", "src/a/b.rs"], &["main.rs"]),
            ("**/b.rs", &["src/a/b.rs", "b.rs"], &["src/bb.rs"]),
        ] {
            let glob = Glob::file("file", pattern.to_owned()).expect("a pattern");
            for name in matched {
                assert!(glob.matches(name), "{pattern} {name}");
            }
            for name in others {
                assert!(!glob.matches(name), "{pattern} {name}");
            }
        }
        let refused = Glob::file("file", "src/**.rs".to_owned()).expect_err("no folder");
        assert!(refused.starts_with("file = \"src/**.rs\" is no glob: "), "{refused}");
    }
}
