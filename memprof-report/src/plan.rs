//! [`Plan`]: what of a program was tracked, where `cargo memprof` chose it.
//!
//! Plain values, kept in the saved profile beside the numbers. By them a report knows which crate a row is of, says what was left out, and
//! tells two runs apart that did not track the same functions: a row that only one of them has may be a choice, and no change of the
//! program. How a plan comes about is the command's business.

/// What `cargo memprof` tracked of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "formats", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Plan {
    /// The packages of which functions were tracked.
    pub packages: Vec<TrackedPackage>,
    /// Dependencies that were not tracked, as they can be named: first those that start threads or tasks.
    pub untracked: Vec<String>,
    /// How many of them start threads or tasks, as far as their sources say it.
    pub starting: u64,
}

/// A package of which functions were tracked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "formats", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct TrackedPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How the files of its rows begin: `crates/app/`, `hyper-1.2.3/`; empty for one that stands in the workspace's own folder.
    pub folders: Vec<String>,
    /// How many of its functions were tracked.
    pub tracked: u64,
    /// The policy and the globs by which they were chosen.
    pub policy: String,
    /// The functions that were left out because runs before showed many calls for few bytes: `file(function)`.
    pub calibrated: Vec<String>,
}

impl Plan {
    /// The package that the file of a row stands in: the one whose folder is the longest beginning of it.
    pub fn package_of(&self, file: &str) -> Option<&TrackedPackage> {
        let folders =
            self.packages.iter().flat_map(|package| package.folders.iter().map(move |folder| (package, folder)));
        let around = folders.filter(|(_, folder)| !file.is_empty() && file.starts_with(folder.as_str()));
        around.max_by_key(|(_, folder)| folder.len()).map(|(package, _)| package)
    }

    /// In which a run of this plan tracked other functions than one of `base`: a line for each package. Empty where both are alike.
    pub fn differences(&self, base: &Plan) -> Vec<String> {
        let mut lines = Vec::new();
        for before in &base.packages {
            let after = self.packages.iter().find(|package| package.name == before.name);
            match after {
                None => lines.push(format!("{} was tracked only before", before.name)),
                Some(after) => lines.extend(after.difference(before)),
            }
        }
        let new = self.packages.iter().filter(|package| base.packages.iter().all(|before| before.name != package.name));
        lines.extend(new.map(|package| format!("{} was tracked only after", package.name)));
        lines
    }
}

impl TrackedPackage {
    fn difference(&self, before: &TrackedPackage) -> Option<String> {
        let mut parts = Vec::new();
        if self.policy != before.policy {
            parts.push(format!("by ‘{}’ before, by ‘{}’ after", before.policy, self.policy));
        }
        let only = |these: &[String], others: &[String]| these.iter().filter(|name| !others.contains(name)).count();
        let (more, fewer) = (only(&self.calibrated, &before.calibrated), only(&before.calibrated, &self.calibrated));
        if more > 0 {
            parts.push(format!("{} left out by calibration only after", counted(more)));
        }
        if fewer > 0 {
            parts.push(format!("{} left out by calibration only before", counted(fewer)));
        }
        (!parts.is_empty()).then(|| format!("other functions of {} were tracked: {}", self.name, parts.join("; ")))
    }
}

fn counted(functions: usize) -> String {
    format!("{functions} function{}", if functions == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, folders: &[&str], policy: &str, calibrated: &[&str]) -> TrackedPackage {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        TrackedPackage {
            name: name.to_owned(),
            folders: texts(folders),
            policy: policy.to_owned(),
            calibrated: texts(calibrated),
            ..TrackedPackage::default()
        }
    }

    #[test]
    fn a_row_is_of_the_package_with_the_longest_folder_around_its_file() {
        let packages = vec![
            package("app", &[""], "", &[]),
            package("part", &["crates/part/", "/w/crates/part/"], "", &[]),
            package("hyper", &["hyper-1.2.3/"], "", &[]),
        ];
        let plan = Plan { packages, ..Plan::default() };
        let of = |file| plan.package_of(file).map(|package| package.name.as_str());
        assert_eq!(of("src/main.rs"), Some("app"));
        assert_eq!(of("crates/part/src/lib.rs"), Some("part"));
        assert_eq!(of("/w/crates/part/src/lib.rs"), Some("part"));
        assert_eq!(of("hyper-1.2.3/src/a.rs"), Some("hyper"));
        // A run-time name has no file.
        assert_eq!(of(""), None);
    }

    #[test]
    fn plans_differ_by_packages_policies_and_calibration() {
        let plan = |packages: &[TrackedPackage]| Plan { packages: packages.to_vec(), ..Plan::default() };
        let base = plan(&[package("app", &[], "lean", &["a.rs(f)"]), package("hyper", &[], "lean", &[])]);
        assert!(base.differences(&base).is_empty());
        let new = plan(&[package("app", &[], "all", &["a.rs(g)", "a.rs(h)"]), package("axum", &[], "lean", &[])]);
        assert_eq!(
            new.differences(&base),
            [
                "other functions of app were tracked: by ‘lean’ before, by ‘all’ after; 2 functions left out by calibration only after; 1 function left out by calibration only before",
                "hyper was tracked only before",
                "axum was tracked only after",
            ]
        );
    }
}
