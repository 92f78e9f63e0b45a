//! [`Baseline`]: the numbers that a later profile is compared with, and the file that holds them.
//!
//! The file is made for review: spaces and scopes are sorted, a scope stands on a line of its own, and neither lines of
//! source nor versions of dependencies are in it, so that only what a change costs shows. A number that differed between the
//! runs of which it was made is the least and the greatest, `[4, 6]`.
//!
//! ```text
//! {"memprof_baseline":1,"spaces":[
//! {"space":"host","peak":1363718,"total":1971226,"live":544,"scopes":[
//! {"file":"src/reader.rs","scope":"read_csv","peak":695739,"total":725226,"live":0,"kept":0,"ncalls":3},
//! …
//! ]}
//! ]}
//! ```
//!
//! A saved profile is accepted where a baseline is read: it is one of a single run.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use memprof_report::{Record, Snapshot, stable_file};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, SeqAccess, Visitor},
};

use super::limit::Limit;
use crate::{error::Error, profile};

/// Numbers by space and scope.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Baseline {
    pub(crate) spaces: BTreeMap<String, Space>,
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Space {
    pub(crate) whole: Numbers,
    pub(crate) scopes: BTreeMap<Key, Numbers>,
}

/// A scope, wherever it stands in its file and whatever the version of its crate. Of several alike, the first to the last in
/// order of line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) file: String,
    pub(crate) scope: String,
    pub(crate) nth: usize,
}

/// A range for each of [`Limit::ALL`] that there is.
pub(crate) type Numbers = [Option<Range>; 5];

/// What a number was in all runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) least: i128,
    pub(crate) greatest: i128,
}

impl Range {
    fn of(number: i128) -> Self {
        Self { least: number, greatest: number }
    }

    fn and(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), greatest: self.greatest.max(other.greatest) }
    }

    /// Whether the runs differed.
    pub(crate) fn varied(self) -> bool {
        self.least != self.greatest
    }
}

/// The rows of a space with what they are called in a baseline.
pub(crate) fn keyed<'a>(snapshot: &'a Snapshot, space: &str) -> BTreeMap<Key, &'a Record> {
    let mut alike: BTreeMap<(String, &str), Vec<&Record>> = BTreeMap::new();
    for record in snapshot.records(space) {
        alike.entry((stable_file(&record.file).into_owned(), &record.function)).or_default().push(record);
    }
    let mut rows = BTreeMap::new();
    for ((file, scope), mut records) in alike {
        records.sort_by_key(|record| record.line);
        for (nth, record) in records.into_iter().enumerate() {
            rows.insert(Key { file: file.clone(), scope: scope.to_owned(), nth }, record);
        }
    }
    rows
}

impl Baseline {
    /// The numbers of one run, those that its profile has.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let space = |name: &str| {
            let totals = snapshot.totals(name);
            let scopes = keyed(snapshot, name).into_iter();
            let numbers = |record: &Record| {
                Limit::ALL.map(|limit| limit.is_in(snapshot).then(|| Range::of(limit.of_record(record))))
            };
            Space {
                whole: Limit::ALL.map(|limit| limit.of_totals(&totals).map(Range::of)),
                scopes: scopes.map(|(key, record)| (key, numbers(record))).collect(),
            }
        };
        Self { spaces: snapshot.spaces().map(|name| (name.to_owned(), space(name))).collect() }
    }

    /// Takes another run into the ranges.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for (name, space) in other.spaces {
            let into = self.spaces.entry(name).or_default();
            widen(&mut into.whole, &space.whole);
            for (key, numbers) in space.scopes {
                widen(into.scopes.entry(key).or_insert([None; 5]), &numbers);
            }
        }
        self
    }

    /// Reads a baseline, or a saved profile as one.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let problem = |what: String| Error::File(format!("cannot read the baseline ‘{}’: {what}", path.display()));
        let text =
            fs::read(path).map_err(|error| problem(format!("{error}; memprof check PROFILE --accept writes one")))?;
        // By its first key, so that a faulty file of either kind is told as what it is.
        if !text.starts_with(FIRST_KEY) {
            return profile::read(path).map(|snapshot| Self::of(&snapshot));
        }
        let file: File = serde_json::from_slice(&text).map_err(|error| problem(error.to_string()))?;
        if file.memprof_baseline != VERSION {
            return Err(problem(format!("it has version {}; accepted: {VERSION}", file.memprof_baseline)));
        }
        Ok(file.into())
    }

    /// What stands in the file.
    pub(crate) fn text(&self) -> Result<String, serde_json::Error> {
        let mut text = format!("{{\"memprof_baseline\":{VERSION},\"spaces\":[\n");
        for (index, (name, space)) in self.spaces.iter().enumerate() {
            let head = SpaceLine::of(name, &space.whole);
            let head = serde_json::to_string(&head)?;
            text.push_str(head.strip_suffix('}').unwrap_or(&head));
            text.push_str(",\"scopes\":[\n");
            for (index, (key, numbers)) in space.scopes.iter().enumerate() {
                text.push_str(&serde_json::to_string(&ScopeLine::of(key, numbers))?);
                text.push_str(if index + 1 < space.scopes.len() { ",\n" } else { "\n" });
            }
            text.push_str(if index + 1 < self.spaces.len() { "]},\n" } else { "]}\n" });
        }
        text.push_str("]}\n");
        Ok(text)
    }
}

fn widen(into: &mut Numbers, other: &Numbers) {
    for (range, other) in into.iter_mut().zip(other) {
        *range = match (*range, *other) {
            (Some(range), Some(other)) => Some(range.and(other)),
            (range, other) => range.or(other),
        };
    }
}

/// Whether a file is a baseline, and no profile or anything else.
pub(crate) fn is_baseline(path: &Path) -> bool {
    fs::read(path).is_ok_and(|text| text.starts_with(FIRST_KEY))
}

const FIRST_KEY: &[u8] = b"{\"memprof_baseline\"";
const VERSION: u32 = 1;

#[derive(Deserialize)]
struct File {
    memprof_baseline: u32,
    spaces: Vec<SpaceOfFile>,
}

#[derive(Deserialize)]
struct SpaceOfFile {
    #[serde(flatten)]
    head: SpaceLine,
    scopes: Vec<ScopeLine>,
}

#[derive(Serialize, Deserialize)]
struct SpaceLine {
    space: String,
    #[serde(flatten)]
    numbers: NumbersOfFile,
}

#[derive(Serialize, Deserialize)]
struct ScopeLine {
    file: String,
    scope: String,
    #[serde(flatten)]
    numbers: NumbersOfFile,
}

#[derive(Serialize, Deserialize)]
struct NumbersOfFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    peak: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ncalls: Option<Range>,
}

impl From<&Numbers> for NumbersOfFile {
    fn from([peak, total, live, kept, ncalls]: &Numbers) -> Self {
        Self { peak: *peak, total: *total, live: *live, kept: *kept, ncalls: *ncalls }
    }
}

impl From<NumbersOfFile> for Numbers {
    fn from(NumbersOfFile { peak, total, live, kept, ncalls }: NumbersOfFile) -> Self {
        [peak, total, live, kept, ncalls]
    }
}

impl SpaceLine {
    fn of(space: &str, numbers: &Numbers) -> Self {
        Self { space: space.to_owned(), numbers: numbers.into() }
    }
}

impl ScopeLine {
    fn of(key: &Key, numbers: &Numbers) -> Self {
        Self { file: key.file.clone(), scope: key.scope.clone(), numbers: numbers.into() }
    }
}

/// Lines alike are the first to the last of their kind.
impl From<File> for Baseline {
    fn from(file: File) -> Self {
        let mut spaces = BTreeMap::new();
        for SpaceOfFile { head, scopes } in file.spaces {
            let mut space = Space { whole: head.numbers.into(), scopes: BTreeMap::new() };
            for ScopeLine { file, scope, numbers } in scopes {
                let mut key = Key { file, scope, nth: 0 };
                while space.scopes.contains_key(&key) {
                    key.nth += 1;
                }
                space.scopes.insert(key, numbers.into());
            }
            spaces.insert(head.space, space);
        }
        Self { spaces }
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.varied() { [self.least, self.greatest].serialize(serializer) } else { self.least.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Range;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or the least and the greatest as [4, 6]")
            }
            fn visit_i64<E>(self, number: i64) -> Result<Range, E> {
                Ok(Range::of(number.into()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Range, E> {
                Ok(Range::of(number.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Range, A::Error> {
                let mut next = || numbers.next_element::<i64>();
                match (next()?, next()?, next()?) {
                    (Some(least), Some(greatest), None) if least <= greatest => {
                        Ok(Range { least: least.into(), greatest: greatest.into() })
                    }
                    _ => Err(A::Error::custom("a range is the least and the greatest, as [4, 6]")),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
