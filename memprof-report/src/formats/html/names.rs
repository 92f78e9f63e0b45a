//! What of the page's data is written once and named by a number: texts, sites, crates, and the columns of rows.
//!
//! Numbers are given in order of first use, so one profile gives one page, to the byte. A number that JavaScript would
//! round goes as a string, so sums hold to the byte there too. The form is told in [`data`](super::data), and read by
//! `page/profile.js`.

use std::collections::{BTreeMap, HashMap};

use serde::{Serialize, Serializer};

use super::rows::{COLUMNS, Place, Rows};
use crate::{plan::Plan, record::Field};

/// Longer names are cut, so that no single one fills the page.
const MOST_CHARACTERS: usize = 2_000;

/// A program has some hundred at the most, and each is named whatever else is folded. Those above are as if they were not known.
const MOST_CRATES: usize = 2_000;

#[derive(Default, Serialize)]
pub(super) struct Sites {
    pub(super) function: Vec<usize>,
    pub(super) file: Vec<usize>,
    pub(super) line: Vec<u32>,
    /// Of each an index into the crates, -1 for none; empty where there is only one to name.
    #[serde(rename = "crate", skip_serializing_if = "Vec::is_empty")]
    pub(super) of_crate: Vec<i64>,
}

#[derive(Serialize)]
pub(super) struct RowColumns {
    pub(super) site: Vec<i64>,
    pub(super) up: Vec<usize>,
    pub(super) columns: BTreeMap<&'static str, Vec<Number>>,
    pub(super) folded: Vec<Vec<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<BTreeMap<&'static str, Vec<Number>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sides: Option<Vec<u8>>,
}

/// A number that JavaScript does not round.
#[derive(Clone, Copy)]
pub(super) struct Number(pub(super) i128);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: i64 = (1 << 53) - 1;
        match i64::try_from(self.0) {
            Ok(number) if (-EXACT..=EXACT).contains(&number) => serializer.serialize_i64(number),
            _ => serializer.serialize_str(&self.0.to_string()),
        }
    }
}

/// The texts, sites and crates that are used, each once.
#[derive(Default)]
pub(super) struct Names<'a> {
    pub(super) strings: Vec<String>,
    pub(super) sites: Sites,
    pub(super) crates: Vec<String>,
    /// By which packages of a file's crate is known: of two profiles the second's before the first's.
    plans: Vec<&'a Plan>,
    string_index: HashMap<&'a str, usize>,
    site_index: HashMap<Place<'a>, i64>,
    /// By file.
    crate_index: HashMap<&'a str, i64>,
}

impl<'a> Names<'a> {
    pub(super) fn of_plans(plans: impl Iterator<Item = &'a Plan>) -> Self {
        Names { plans: plans.collect(), ..Names::default() }
    }

    /// Without crates where all sites are of one, or none is known: as the text says nothing of crates then.
    pub(super) fn with_several_crates(mut self) -> Self {
        // Of all files, also of those of which no row is left.
        let is_of_none = || self.crate_index.values().any(|of_crate| *of_crate == -1);
        let is_several = self.crates.len() > 1 || !self.crates.is_empty() && is_of_none();
        if !is_several {
            self.crates.clear();
            self.sites.of_crate.clear();
        }
        self
    }

    pub(super) fn columns_of(&mut self, rows: &Rows<'a>) -> RowColumns {
        let up = |(row, parent): (usize, &Option<usize>)| parent.map_or(0, |parent| row - parent);
        RowColumns {
            site: rows.places.iter().map(|place| self.site(*place)).collect(),
            up: rows.parents.iter().enumerate().map(up).collect(),
            columns: by_name(&rows.numbers),
            before: rows.before.as_ref().map(|before| by_name(&before.numbers)),
            sides: rows.before.as_ref().map(|before| before.sides.clone()),
            folded: (rows.folded.iter().enumerate())
                .filter(|(_, folded)| folded.rows > 0)
                .map(|(row, folded)| vec![row, folded.rows, folded.owning])
                .collect(),
        }
    }

    fn site(&mut self, place: Place<'a>) -> i64 {
        let Place::Site { function, file, line } = place else {
            return if let Place::Other(of_crate) = place { -3 - of_crate } else { -1 };
        };
        if let Some(index) = self.site_index.get(&place) {
            return *index;
        }
        let index = i64::try_from(self.sites.line.len()).unwrap_or(i64::MAX);
        let of_crate = self.of_crate(place);
        let (function, file) = (self.string(function), self.string(file));
        self.sites.function.push(function);
        self.sites.file.push(file);
        self.sites.line.push(line);
        self.sites.of_crate.push(of_crate);
        self.site_index.insert(place, index);
        index
    }

    /// The crate of what stands in a place, by its number; -1 for none.
    pub(super) fn of_crate(&mut self, place: Place<'a>) -> i64 {
        let Place::Site { file, .. } = place else { return -1 };
        let Names { plans, crates, crate_index, .. } = self;
        *crate_index.entry(file).or_insert_with(|| {
            // The nearest folder of both; of one in both, by the second's name, which stands first.
            let titles = plans.iter().rev().filter_map(|plan| {
                let package = plan.package_of(file)?;
                let around = package.folders.iter().filter(|folder| file.starts_with(folder.as_str()));
                Some((around.map(String::len).max(), plan.title_of(package)))
            });
            let Some((_, title)) = titles.max_by_key(|(length, _)| *length) else { return -1 };
            let title = cut(&title);
            let index = crates.iter().position(|known| *known == title).or_else(|| {
                (crates.len() < MOST_CRATES).then(|| {
                    crates.push(title);
                    crates.len() - 1
                })
            });
            index.and_then(|index| i64::try_from(index).ok()).unwrap_or(-1)
        })
    }

    fn string(&mut self, text: &'a str) -> usize {
        let strings = &mut self.strings;
        *self.string_index.entry(text).or_insert_with(|| {
            strings.push(cut(text));
            strings.len() - 1
        })
    }
}

/// The columns that are not 0 throughout.
pub(super) fn by_name(numbers: &[Vec<i128>]) -> BTreeMap<&'static str, Vec<Number>> {
    let said = |(_, numbers): &(Field, &Vec<i128>)| numbers.iter().any(|number| *number != 0);
    let named = |(field, numbers): (Field, &Vec<i128>)| (field.name(), numbers.iter().copied().map(Number).collect());
    COLUMNS.iter().copied().zip(numbers).filter(said).map(named).collect()
}

/// `text`, or the beginning of a very long one and how long it is.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
    }
}
