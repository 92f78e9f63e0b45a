//! [`Diff`]: what changed from one profile to another, by site and by path.
//!
//! Which site of the one is which of the other is decided in [`pairs`](crate::pairs). This module promises that nothing is
//! netted away: each row has the numbers of both sides, so the differences of an additive number sum to the difference of the
//! totals. How it looks on paper is left to the report of differences.

use crate::{
    pairs::{Joined, Pairs, Site, join},
    record::{Cell, Field, PathRecord, Record, Totals},
    snapshot::Snapshot,
};

impl Snapshot {
    /// What changed from `base` to this profile: of another run, or of the same process earlier.
    ///
    /// Sites are matched by file (of a registry crate without its version), function and name; of several alike first those
    /// with equal lines, then the rest in order of line. Paths are matched by those of their sites. So a moved line and an
    /// upgrade are no difference.
    ///
    /// ```
    /// # let json = r#"{"schema_version": 1, "state": {"enabled": true, "host": "measured", "scopes_entered": true},
    /// #     "notes": [], "spaces": []}"#;
    /// # let (base, new): (memprof_report::Snapshot, memprof_report::Snapshot) = (serde_json::from_str(json)?, serde_json::from_str(json)?);
    /// use memprof_report::Field;
    ///
    /// let diff = new.diff(&base);
    /// for change in diff.records("host") {
    ///     println!("{}: {:+} bytes", change.name(), change.difference(Field::MemoryPeak));
    /// }
    /// println!("{}", diff.report().rows(20));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn diff(&self, base: &Snapshot) -> Diff {
        let pairs = Pairs::of(base, self);
        let spaces = names(base, self).into_iter().map(|name| {
            let [base_records, records] = [base, self].map(|snapshot| snapshot.records(&name));
            let [base_tree, tree] = [base, self].map(|snapshot| snapshot.tree(&name));
            SpaceDiff {
                records: join(
                    base_records.iter().map(|record| (pairs.in_second(site_of_record(record)), None)),
                    records.iter().map(|record| (site_of_record(record), None)),
                ),
                tree: join(
                    base_tree.iter().map(|path| (pairs.in_second(site_of_path(path)), path.parent)),
                    tree.iter().map(|path| (site_of_path(path), path.parent)),
                ),
                name,
            }
        });
        Diff { spaces: spaces.collect(), before: base.clone(), after: self.clone() }
    }
}

fn site_of_record(record: &Record) -> Site<'_> {
    Site { function: &record.function, file: &record.file, line: record.line }
}

fn site_of_path(path: &PathRecord) -> Site<'_> {
    Site { function: &path.function, file: &path.file, line: path.line }
}

/// The spaces in which anything happened in one of the two: host first, then by name.
fn names(base: &Snapshot, new: &Snapshot) -> Vec<String> {
    let mut names: Vec<String> = base.spaces().chain(new.spaces()).map(str::to_owned).collect();
    names.sort_unstable_by(|a, b| (a != "host", a).cmp(&(b != "host", b)));
    names.dedup();
    names
}

/// What changed from one profile to another; see [`Snapshot::diff`].
///
/// It is plain data and holds both profiles. [`Display`](std::fmt::Display) is the default report.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    before: Snapshot,
    after: Snapshot,
    spaces: Vec<SpaceDiff>,
}

#[derive(Clone, Debug, PartialEq)]
struct SpaceDiff {
    name: String,
    records: Vec<Joined>,
    tree: Vec<Joined>,
}

impl Diff {
    /// The first profile.
    pub fn before(&self) -> &Snapshot {
        &self.before
    }

    /// The second profile.
    pub fn after(&self) -> &Snapshot {
        &self.after
    }

    /// Whether both are of one process, so that the differences are what happened between two moments of it.
    pub fn is_growth(&self) -> bool {
        let of = |snapshot: &Snapshot| {
            let process = snapshot.process();
            (process.pid, process.started.clone(), process.program.clone())
        };
        self.after.process().pid != 0 && !self.after.process().started.is_empty() && of(&self.before) == of(&self.after)
    }

    /// The names of the spaces in which anything happened in one of the two: `host` first, then by name.
    pub fn spaces(&self) -> impl Iterator<Item = &str> {
        self.spaces.iter().map(|space| space.name.as_str())
    }

    /// What the whole `space` had before and has now.
    pub fn totals(&self, space: impl AsRef<str>) -> [Totals; 2] {
        [&self.before, &self.after].map(|snapshot| snapshot.totals(space.as_ref()))
    }

    /// Every site of `space` in one of the two, greatest change of `memory_peak` first; ties in the order of the second
    /// profile, then of the first. Those that did not change are among them.
    pub fn records(&self, space: impl AsRef<str>) -> impl Iterator<Item = Change<'_>> {
        let mut changes: Vec<Change<'_>> = self.joined(space.as_ref()).collect();
        changes.sort_by_key(|change| std::cmp::Reverse(change.difference(Field::MemoryPeak).unsigned_abs()));
        changes.into_iter()
    }

    /// The call tree of `space` in both, parents first: the paths of the second profile at their own index, then those that
    /// only the first has.
    pub fn tree(&self, space: impl AsRef<str>) -> impl Iterator<Item = PathChange<'_>> {
        let rows = self.space(space.as_ref()).map_or(&[][..], |space| &space.tree);
        let [before, after] = [&self.before, &self.after].map(|snapshot| snapshot.tree(space.as_ref()));
        rows.iter().map(move |row| PathChange {
            before: row.sides[0].map(|index| &before[index]),
            after: row.sides[1].map(|index| &after[index]),
            parent: row.parent,
        })
    }

    fn joined(&self, space: &str) -> impl Iterator<Item = Change<'_>> {
        let rows = self.space(space).map_or(&[][..], |space| &space.records);
        let [before, after] = [&self.before, &self.after].map(|snapshot| snapshot.records(space));
        rows.iter().map(move |row| Change {
            before: row.sides[0].map(|index| &before[index]),
            after: row.sides[1].map(|index| &after[index]),
        })
    }

    fn space(&self, name: &str) -> Option<&SpaceDiff> {
        self.spaces.iter().find(|space| space.name == name)
    }
}

/// How something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only the second profile has it.
    New,
    /// Only the first profile has it.
    Gone,
    /// Both have it, the second more of what is compared.
    Grown,
    /// Both have it, the second less of what is compared.
    Shrunk,
    /// Both have it, and as much of what is compared.
    Same,
}

impl Kind {
    /// `new`, `gone`, `grown`, `shrunk`, `same`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::New => "new",
            Kind::Gone => "gone",
            Kind::Grown => "grown",
            Kind::Shrunk => "shrunk",
            Kind::Same => "same",
        }
    }
}

/// Writes what a site and a path of two profiles have in common.
macro_rules! change {
    ($(#[$doc:meta])+ $name:ident $record:ident $cell:ident { $($(#[$field_doc:meta])+ $field:ident: $type:ty),* }) => {
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name<'a> {
            /// What the first profile has of it.
            pub before: Option<&'a $record>,
            /// What the second profile has of it.
            pub after: Option<&'a $record>,
            $($(#[$field_doc])+ pub $field: $type,)*
        }

        impl<'a> $name<'a> {
            /// `file:line(function)` or the run-time name, as the second profile has it, else the first.
            pub fn name(&self) -> &'a str {
                self.any().map_or("", |record| &record.name)
            }

            /// The amounts of `field` in the first and in the second profile; 0 where it is not there.
            pub fn amounts(&self, field: Field) -> [i128; 2] {
                [self.before, self.after].map(|record| match record.map(|record| field.$cell(record)) {
                    Some(Cell::Amount(amount)) => amount,
                    _ => 0,
                })
            }

            /// What the second profile has more of `field` than the first.
            pub fn difference(&self, field: Field) -> i128 {
                let [before, after] = self.amounts(field);
                after - before
            }

            /// How it changed, by `field`.
            pub fn kind(&self, field: Field) -> Kind {
                match (self.before, self.after) {
                    (None, _) => Kind::New,
                    (_, None) => Kind::Gone,
                    _ => match self.difference(field) {
                        0 => Kind::Same,
                        more if more > 0 => Kind::Grown,
                        _ => Kind::Shrunk,
                    },
                }
            }

            fn any(&self) -> Option<&'a $record> {
                self.after.or(self.before)
            }
        }
    };
}

change! {
    /// One site of one space in two profiles.
    Change Record cell {}
}

change! {
    /// One path of one space in two profiles: a node of both call trees.
    PathChange PathRecord cell_of_path {
        /// The path around this one, as an index into the same tree and lower than this one's own.
        parent: Option<usize>
    }
}
