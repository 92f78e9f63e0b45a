//! [`Rows`]: the numbers of a space by column, a row for each site or for each path.
//!
//! The table and the tree have one form here, so that they are folded and written alike: a site's row is a path without a
//! parent. What happened outside any scope is the last row of both, until they are folded.

use crate::{
    measure::Measure,
    record::{Cell, Field, PathRecord, Record, Totals},
};

/// Where a row belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place<'a> {
    /// A place in the source, or a run-time name: then the file is empty.
    Site { function: &'a str, file: &'a str, line: u32 },
    /// No scope was open.
    Outside,
    /// Several rows of a crate, folded into this one; -1 where it is not known, or not asked.
    Other(i64),
}

impl<'a> Place<'a> {
    pub(super) fn of(function: &'a str, file: &'a str, line: u32) -> Self {
        Place::Site { function, file, line }
    }
}

/// The numbers of several rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows<'a> {
    pub(super) places: Vec<Place<'a>>,
    /// Index of the path around, lower than the row's own; `None` everywhere in a table.
    pub(super) parents: Vec<Option<usize>>,
    /// For each of [`COLUMNS`], a number for each row.
    pub(super) numbers: Vec<Vec<i128>>,
    /// Of a difference: the same of the first profile, and which profiles have the row.
    pub(super) before: Option<Before>,
    /// What a row of [`Place::Other`] stands for, and nothing of all others.
    pub(super) folded: Vec<Folded>,
}

/// How many rows stand in one, and how many of these own anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Folded {
    pub(super) rows: usize,
    pub(super) owning: usize,
}

/// What the first of two profiles has of each row.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    pub(super) numbers: Vec<Vec<i128>>,
    /// The sum of [`FIRST`] and [`SECOND`], as far as it is in them.
    pub(super) sides: Vec<u8>,
}

pub(super) const FIRST: u8 = 1;
pub(super) const SECOND: u8 = 2;

/// The fields that are numbers, in the order of the page's columns: what is asked for most stands first.
pub(super) const COLUMNS: &[Field] = &[
    Field::Ncalls,
    Field::MemoryPeak,
    Field::MemoryTotal,
    Field::AtPeak,
    Field::Live,
    Field::SelfTotal,
    Field::Kept,
    Field::KeptCalls,
    Field::Largest,
    Field::Temporary,
    Field::BlocksTotal,
    Field::SelfBlocks,
    Field::LiveBlocks,
    Field::AtPeakBlocks,
    Field::Reallocs,
    Field::Failed,
];

/// Whether the field's numbers of several paths may be summed.
pub(super) fn is_additive(field: Field) -> bool {
    matches!(
        field,
        Field::AtPeak
            | Field::AtPeakBlocks
            | Field::Live
            | Field::LiveBlocks
            | Field::SelfTotal
            | Field::SelfBlocks
            | Field::Temporary
    )
}

/// What happened outside any scope, of a field that is a measure or the blocks of one.
fn outside(field: Field, totals: &Totals) -> Option<i128> {
    Some(match field {
        Field::AtPeak => Measure::AtPeak.outside(totals),
        Field::AtPeakBlocks => Measure::AtPeak.outside_blocks(totals),
        Field::Live => Measure::Live.outside(totals),
        Field::LiveBlocks => Measure::Live.outside_blocks(totals),
        Field::SelfTotal => Measure::SelfTotal.outside(totals),
        Field::SelfBlocks => Measure::SelfTotal.outside_blocks(totals),
        _ => return None,
    })
}

impl<'a> Rows<'a> {
    pub(super) fn new() -> Self {
        Rows { numbers: vec![Vec::new(); COLUMNS.len()], ..Rows::default() }
    }

    /// The rows of the table, in their order.
    pub(super) fn of_sites(records: &[&'a Record], totals: &Totals) -> Self {
        let mut rows = Rows::new();
        for record in records {
            let Record { function, file, line, .. } = record;
            rows.push(Place::of(function, file, *line), None, |field| amount(field.cell(record)));
        }
        rows.push_outside(totals);
        rows
    }

    /// The rows of the tree, parents first.
    pub(super) fn of_paths(tree: &'a [PathRecord], totals: &Totals) -> Self {
        let mut rows = Rows::new();
        for path in tree {
            let PathRecord { function, file, line, parent, .. } = path;
            rows.push(Place::of(function, file, *line), *parent, |field| amount(field.cell_of_path(path)));
        }
        rows.push_outside(totals);
        rows
    }

    /// What no site has: so the rows sum to the space's totals.
    fn push_outside(&mut self, totals: &Totals) {
        if COLUMNS.iter().any(|field| outside(*field, totals).is_some_and(|number| number != 0)) {
            self.push(Place::Outside, None, |field| outside(field, totals).unwrap_or(0));
        }
    }

    pub(super) fn push(&mut self, place: Place<'a>, parent: Option<usize>, number: impl Fn(Field) -> i128) {
        self.places.push(place);
        self.parents.push(parent);
        self.folded.push(Folded::default());
        for (numbers, field) in self.numbers.iter_mut().zip(COLUMNS) {
            numbers.push(number(*field));
        }
        if let Some(Before { numbers, sides }) = &mut self.before {
            for numbers in numbers {
                numbers.push(0);
            }
            sides.push(FIRST | SECOND);
        }
    }

    /// Whether a row has anything of its own, in either profile.
    pub(super) fn owns(&self, row: usize) -> bool {
        let is_own = |field: &Field| matches!(field, Field::AtPeak | Field::Live | Field::SelfTotal);
        let mut all = self.all_numbers().flat_map(|numbers| COLUMNS.iter().zip(numbers));
        all.any(|(field, numbers)| is_own(field) && numbers[row] != 0)
    }

    /// The numbers of both profiles where there are two.
    pub(super) fn all_numbers(&self) -> impl Iterator<Item = &Vec<Vec<i128>>> {
        std::iter::once(&self.numbers).chain(self.before.as_ref().map(|before| &before.numbers))
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Without the rows in which nothing happened, calls apart: a path stays if one below it does.
    pub(super) fn without_zeros(self) -> Self {
        let says = |row: usize| {
            let mut all = self.all_numbers().flat_map(|numbers| COLUMNS.iter().zip(numbers));
            all.any(|(field, numbers)| *field != Field::Ncalls && numbers[row] != 0)
        };
        let mut stays: Vec<bool> = (0..self.len()).map(says).collect();
        for row in (0..self.len()).rev() {
            if let Some(parent) = self.parents[row] {
                stays[parent] |= stays[row];
            }
        }
        self.only(&stays).0
    }

    /// The rows that stay, and the new index of each. One that stays has a parent that stays.
    pub(super) fn only(&self, stays: &[bool]) -> (Self, Vec<usize>) {
        let mut index = vec![usize::MAX; self.len()];
        let mut next = 0;
        for row in 0..self.len() {
            if stays[row] {
                index[row] = next;
                next += 1;
            }
        }
        let kept = || (0..self.len()).filter(|row| stays[*row]);
        let numbers_of = |columns: &Vec<Vec<i128>>| {
            columns.iter().map(|numbers| kept().map(|row| numbers[row]).collect()).collect::<Vec<Vec<i128>>>()
        };
        let rows = Rows {
            places: kept().map(|row| self.places[row]).collect(),
            parents: kept().map(|row| self.parents[row].map(|parent| index[parent])).collect(),
            numbers: numbers_of(&self.numbers),
            before: self.before.as_ref().map(|before| Before {
                numbers: numbers_of(&before.numbers),
                sides: kept().map(|row| before.sides[row]).collect(),
            }),
            folded: kept().map(|row| self.folded[row]).collect(),
        };
        (rows, index)
    }
}

/// The number in a cell.
fn amount(cell: Cell<'_>) -> i128 {
    match cell {
        Cell::Amount(amount) => amount,
        Cell::Line(line) => line.into(),
        Cell::Text(_) => 0,
    }
}
