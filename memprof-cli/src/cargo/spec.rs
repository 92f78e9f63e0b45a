//! [`Spec`]: how a package is named, in `--deps` and in cargo's `-p` and `--exclude`.
//!
//! Nothing fails here: a text that names no package matches none, and what follows from that is left to who asked.

use cargo_metadata::{Package, semver::Version};

use crate::glob::Glob;

/// `hyper`, `hyper@1.2.3`, `hyper@1`, or cargo's whole identifier, an address with a name or a version behind `#`. Where a package
/// comes from is not compared: two of one name and version are both meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spec<'a> {
    name: &'a str,
    version: Option<&'a str>,
}

impl<'a> Spec<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let named = |text: &'a str| match text.split_once(['@', ':']) {
            Some((name, version)) => Self { name, version: Some(version) },
            None => Self { name: text, version: None },
        };
        let Some((_, address)) = text.split_once("://") else { return named(text) };
        let (path, fragment) = match address.split_once('#') {
            Some((path, fragment)) => (path, Some(fragment)),
            None => (address, None),
        };
        let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
        let last = path.rsplit('/').next().unwrap_or_default();
        let last = last.strip_suffix(".git").unwrap_or(last);
        match fragment {
            Some(version) if version.starts_with(|first: char| first.is_ascii_digit()) => {
                Self { name: last, version: Some(version) }
            }
            Some(fragment) => named(fragment),
            None => Self { name: last, version: None },
        }
    }

    /// Whether the package is one of those of this name, whichever version is asked for.
    pub(super) fn is_any_version(&self, package: &Package) -> bool {
        package.name == self.name
    }

    pub(super) fn is(&self, package: &Package) -> bool {
        self.is_any_version(package) && self.version.is_none_or(|asked| is_version(&package.version, asked))
    }
}

/// Whether `asked` is a version or, as cargo has it, its beginning: `1` or `1.2`.
fn is_version(version: &Version, asked: &str) -> bool {
    let plain = format!("{}.{}.{}", version.major, version.minor, version.patch);
    version.to_string() == asked
        || version.pre.is_empty() && (plain == asked || plain.starts_with(&format!("{asked}.")))
}

/// Whether a word of `-p` or `--exclude` means this member of the workspace: a name, or a pattern of names.
pub(super) fn is_member(package: &Package, text: &str) -> bool {
    let is_matched = || Glob::scope("-p", text.to_owned()).is_ok_and(|glob| glob.matches(&package.name));
    Spec::of(text).is(package) || text.contains(['*', '?', '[']) && is_matched()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_as_cargo_has_it() {
        for (text, name, version) in [
            ("a-b", "a-b", None),
            ("a@1.2.3", "a", Some("1.2.3")),
            ("a:1", "a", Some("1")),
            ("https://example.org/x/a.git?rev=1#1.2.3", "a", Some("1.2.3")),
            ("path+file:///w/folder#a@0.1.0", "a", Some("0.1.0")),
            ("file:///w/a/", "a", None),
            ("https://example.org/index#a", "a", None),
        ] {
            assert_eq!(Spec::of(text), Spec { name, version }, "{text}");
        }
    }

    #[test]
    fn a_version_is_met_by_its_beginning_in_whole_numbers() {
        let is = |version: &str, asked: &str| is_version(&version.parse().expect("a version"), asked);
        for asked in ["1", "1.20", "1.20.3", "1.20.3+x"] {
            assert!(is("1.20.3+x", asked), "{asked}");
        }
        for asked in ["1.2", "2", "1.20.3.4", "", "1."] {
            assert!(!is("1.20.3", asked), "{asked}");
        }
        assert!(is("1.0.0-rc.1", "1.0.0-rc.1") && !is("1.0.0-rc.1", "1"));
    }
}
