//! [`Plan`]: what of a program was tracked, where `cargo memprof` chose it.
//!
//! Plain values, kept in the saved profile beside the numbers. By them a report knows which crate a row is of, says what was left out, and
//! tells two runs apart that did not track the same functions: a row that only one of them has may be a choice, and no change of the
//! program. How a plan comes about is the command's business.

use std::borrow::Cow;

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
    /// How the files of its rows begin: `crates/app/`, `hyper-1.2.3/`; empty for one that stands in the workspace's own folder. A file that
    /// stands elsewhere is here by itself.
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

    /// What a report calls a package: its name, with its version where several of that name were tracked.
    pub fn title_of<'a>(&self, package: &'a TrackedPackage) -> Cow<'a, str> {
        let is_other = |other: &TrackedPackage| other.name == package.name && other.version != package.version;
        if self.packages.iter().any(is_other) { package.title().into() } else { package.name.as_str().into() }
    }

    /// In which a run of this plan tracked other functions than one of `base`: a line for each package. Empty where both are alike.
    ///
    /// A package is compared with the one of the same name, whichever versions they are: an upgrade is no difference. Where either plan has
    /// several of that name, the versions are compared, each with its own.
    pub fn differences(&self, base: &Plan) -> Vec<String> {
        let of_name = |plan: &Plan, name: &str| plan.packages.iter().filter(|package| package.name == name).count();
        let is_one = |name: &str| of_name(base, name) < 2 && of_name(self, name) < 2;
        let title =
            |package: &TrackedPackage| if is_one(&package.name) { package.name.clone() } else { package.title() };
        let are_one = |package: &TrackedPackage, other: &TrackedPackage| {
            package.name == other.name && (is_one(&package.name) || package.version == other.version)
        };
        let mut lines = Vec::new();
        for before in &base.packages {
            match self.packages.iter().find(|after| are_one(before, after)) {
                None => lines.push(format!("{} was tracked only before", title(before))),
                Some(after) => lines.extend(after.difference(before, &title(before))),
            }
        }
        let is_new = |package: &&TrackedPackage| !base.packages.iter().any(|before| are_one(before, package));
        let new = self.packages.iter().filter(is_new);
        lines.extend(new.map(|package| format!("{} was tracked only after", title(package))));
        lines
    }
}

impl TrackedPackage {
    /// `hyper 1.2.3`.
    fn title(&self) -> String {
        format!("{} {}", self.name, self.version).trim_end().to_owned()
    }

    fn difference(&self, before: &TrackedPackage, title: &str) -> Option<String> {
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
        (!parts.is_empty()).then(|| format!("other functions of {title} were tracked: {}", parts.join("; ")))
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

    /// A name stands for its one version; where it has two, each is its own.
    #[test]
    fn two_versions_of_a_package_are_two() {
        let version = |version: &str, policy: &str| {
            let folder = format!("map-{version}/");
            TrackedPackage { version: version.to_owned(), ..package("map", &[&folder], policy, &[]) }
        };
        let plan = |packages: &[TrackedPackage]| Plan { packages: packages.to_vec(), ..Plan::default() };
        let app = package("app", &[""], "lean", &[]);
        let both = plan(&[app.clone(), version("0.13.2", "lean"), version("0.15.1", "lean")]);
        let titles: Vec<_> = both.packages.iter().map(|package| both.title_of(package)).collect();
        assert_eq!(titles, ["app", "map 0.13.2", "map 0.15.1"]);
        assert_eq!(
            both.package_of("map-0.15.1/src/a.rs").map(|package| both.title_of(package)),
            Some("map 0.15.1".into())
        );
        let one = plan(&[app.clone(), version("0.15.1", "lean")]);
        assert_eq!(one.title_of(&one.packages[1]), "map");
        // A profile of before versions were kept.
        let old = plan(&[version("", "lean"), version("", "all")]);
        assert_eq!(old.title_of(&old.packages[0]), "map");

        assert_eq!(one.differences(&both), ["map 0.13.2 was tracked only before"]);
        assert_eq!(both.differences(&one), ["map 0.13.2 was tracked only after"]);
        let other = plan(&[app.clone(), version("0.13.2", "lean"), version("0.15.1", "all")]);
        let said = "other functions of map 0.15.1 were tracked: by ‘lean’ before, by ‘all’ after";
        assert_eq!(other.differences(&both), [said]);
        // An upgrade.
        let upgraded = plan(&[app, version("0.16.0", "lean")]);
        assert!(upgraded.differences(&one).is_empty());
    }
}
