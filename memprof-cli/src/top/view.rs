//! [`View`]: what was seen of a program, and what somebody chose to see of it. Plain values: no terminal, no clock.
//!
//! Without a filter, rows sum to the space: what is outside any scope has a row. Growth is counted by name, from the
//! first picture or from when somebody asked for it; another process, by its id and start, starts anew. A picture that
//! is missed leaves the last one, and the selected row is always one of those shown. Which key is which wish is left to
//! [`screen`](super::screen), looks to [`draw`](super::draw).

use std::collections::HashMap;

use memprof_report::{OUTSIDE, Snapshot, Totals, one_line};

/// What rows are ordered by: the columns, from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Live,
    SinceLast,
    SinceStart,
    Peak,
    Calls,
    Name,
}

impl Order {
    pub(crate) const ALL: [Order; 6] =
        [Order::Live, Order::SinceLast, Order::SinceStart, Order::Peak, Order::Calls, Order::Name];

    /// What stands above the column.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Order::Live => "live",
            Order::SinceLast => "+last",
            Order::SinceStart => "+start",
            Order::Peak => "peak",
            Order::Calls => "calls",
            Order::Name => "function",
        }
    }
}

/// What somebody asks of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// So many rows down, up if negative.
    Move(isize),
    /// To the first row, or the last one.
    First,
    Last,
    /// So many columns to the right, for the order.
    Order(isize),
    Reverse,
    /// So many spaces on.
    Space(isize),
    Pause,
    /// What is live now is what growth is counted from.
    CountFromNow,
    /// Letters are of the filter from now on.
    Filter,
    Letter(char),
    Erase,
    /// The filter is as it should be.
    Accept,
    /// There is no filter.
    Clear,
}

/// One row: what a site holds itself, and what it needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// `file:line(function)`, or a run-time name.
    pub(crate) name: String,
    /// The function first, then where it is.
    pub(crate) shown: String,
    pub(crate) live: i64,
    pub(crate) live_blocks: i64,
    pub(crate) since_last: i64,
    pub(crate) since_start: i64,
    /// Not known of what is outside any scope.
    pub(crate) peak: Option<u64>,
    pub(crate) calls: Option<u64>,
    pub(crate) total: u64,
}

/// What is live, by space and row: a row is its name, and whether that is a run-time name.
type Live = HashMap<(String, String, bool), i64>;

/// What is seen and chosen.
#[derive(Debug)]
pub(crate) struct View {
    /// What is looked at.
    source: String,
    now: Option<Snapshot>,
    /// Of the look before this one, and of the first one.
    last: Live,
    start: Live,
    space: Option<String>,
    order: Order,
    reversed: bool,
    filter: String,
    is_filtering: bool,
    is_paused: bool,
    selected: usize,
    trouble: Option<String>,
}

impl View {
    /// Of a program of which nothing was seen yet.
    pub(crate) fn new(source: String) -> Self {
        Self {
            source,
            now: None,
            last: Live::new(),
            start: Live::new(),
            space: None,
            order: Order::Live,
            reversed: false,
            filter: String::new(),
            is_filtering: false,
            is_paused: false,
            selected: 0,
            trouble: None,
        }
    }

    /// Takes in what is measured now. The same picture once more is no new look; one of another process starts anew.
    pub(crate) fn look(&mut self, snapshot: Snapshot) {
        self.trouble = None;
        let live = live(&snapshot);
        match &self.now {
            Some(before) if *before == snapshot => return,
            Some(before) if is_same_process(before, &snapshot) => self.last = self::live(before),
            Some(_) => {
                self.trouble = Some("another process answers now: growth is counted anew".to_owned());
                (self.last, self.start) = (live.clone(), live);
            }
            None => (self.last, self.start) = (live.clone(), live),
        }
        self.now = Some(snapshot);
        self.keep_selected();
    }

    /// Notes why there is no new picture. The last one stays.
    pub(crate) fn miss(&mut self, why: String) {
        self.trouble = Some(why);
    }

    /// Does what somebody asks.
    pub(crate) fn wish(&mut self, wish: Wish) {
        match wish {
            Wish::Move(by) => self.selected = self.selected.saturating_add_signed(by),
            Wish::First => self.selected = 0,
            Wish::Last => self.selected = usize::MAX,
            Wish::Order(by) => {
                let at = Order::ALL.iter().position(|order| *order == self.order).unwrap_or(0);
                self.order = Order::ALL[at.saturating_add_signed(by).min(Order::ALL.len() - 1)];
            }
            Wish::Reverse => self.reversed = !self.reversed,
            Wish::Space(by) => self.next_space(by),
            Wish::Pause => self.is_paused = !self.is_paused,
            Wish::CountFromNow => {
                if let Some(now) = &self.now {
                    self.start = live(now);
                }
            }
            Wish::Filter => self.is_filtering = true,
            Wish::Letter(letter) => self.filter.push(letter),
            Wish::Erase => {
                self.filter.pop();
            }
            Wish::Accept => self.is_filtering = false,
            Wish::Clear => {
                self.filter.clear();
                self.is_filtering = false;
            }
        }
        self.keep_selected();
    }

    fn next_space(&mut self, by: isize) {
        let spaces = self.spaces();
        let Some(at) = spaces.iter().position(|space| Some(*space) == self.space()) else { return };
        let count = spaces.len().cast_signed();
        let next = (at.cast_signed() + by).rem_euclid(count).cast_unsigned();
        self.space = Some(spaces[next].to_owned());
    }

    /// The row that is selected is one.
    fn keep_selected(&mut self) {
        self.selected = self.selected.min(self.rows().len().saturating_sub(1));
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn now(&self) -> Option<&Snapshot> {
        self.now.as_ref()
    }

    pub(crate) fn order(&self) -> (Order, bool) {
        (self.order, self.reversed)
    }

    pub(crate) fn filter(&self) -> &str {
        &self.filter
    }

    /// Whether letters are of the filter.
    pub(crate) fn is_filtering(&self) -> bool {
        self.is_filtering
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused
    }

    pub(crate) fn selected(&self) -> usize {
        self.selected
    }

    /// Why the picture is not a new one.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The spaces that there are.
    pub(crate) fn spaces(&self) -> Vec<&str> {
        self.now.iter().flat_map(Snapshot::spaces).collect()
    }

    /// The one that is shown: as chosen, else the first.
    pub(crate) fn space(&self) -> Option<&str> {
        let spaces = self.spaces();
        spaces.iter().find(|space| Some(**space) == self.space.as_deref()).or(spaces.first()).copied()
    }

    /// The rows to be shown, in order.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let (Some(now), Some(space)) = (&self.now, self.space()) else { return Vec::new() };
        let wanted = self.filter.to_lowercase();
        let outside = outside(&now.totals(space));
        let of_sites = now.records(space).iter().map(|record| Row {
            name: record.name.clone(),
            shown: match &*record.file {
                "" => one_line(&record.function),
                file => one_line(&format!("{} {file}:{}", record.function, record.line)),
            },
            live: record.live,
            live_blocks: record.live_blocks,
            since_last: 0,
            since_start: 0,
            peak: Some(record.memory_peak),
            calls: Some(record.ncalls),
            total: record.memory_total,
        });
        let is_runtime_name = now.records(space).iter().map(|record| record.file.is_empty());
        let mut rows: Vec<Row> = Vec::new();
        for (mut row, is_runtime_name) in of_sites.zip(is_runtime_name).chain([(outside, true)]) {
            if !row.name.to_lowercase().contains(&wanted) {
                continue;
            }
            let key = (space.to_owned(), row.name.clone(), is_runtime_name);
            let before = |live: &Live| live.get(&key).copied().unwrap_or(0);
            row.since_last = row.live.saturating_sub(before(&self.last));
            row.since_start = row.live.saturating_sub(before(&self.start));
            rows.push(row);
        }
        // Ties keep the profile's own order.
        rows.sort_by(|a, b| match self.order {
            Order::Live => b.live.cmp(&a.live),
            Order::SinceLast => b.since_last.cmp(&a.since_last),
            Order::SinceStart => b.since_start.cmp(&a.since_start),
            Order::Peak => b.peak.cmp(&a.peak),
            Order::Calls => b.calls.cmp(&a.calls),
            Order::Name => a.shown.cmp(&b.shown),
        });
        if self.reversed {
            rows.reverse();
        }
        rows
    }

    /// How much more is live in the shown space than at the last look, and than at the start.
    pub(crate) fn growth(&self) -> (i64, i64) {
        let (Some(now), Some(space)) = (&self.now, self.space()) else { return (0, 0) };
        let live = now.totals(space).live;
        let before = |live: &Live| {
            let of_space = live.iter().filter(|((known, ..), _)| known == space);
            of_space.map(|(_, live)| *live).fold(0_i64, i64::saturating_add)
        };
        (live.saturating_sub(before(&self.last)), live.saturating_sub(before(&self.start)))
    }
}

/// What stands for what happened outside any scope, so that the rows sum to the space.
fn outside(totals: &Totals) -> Row {
    Row {
        name: OUTSIDE.to_owned(),
        shown: OUTSIDE.to_owned(),
        live: totals.no_scope_live,
        live_blocks: totals.no_scope_live_blocks,
        since_last: 0,
        since_start: 0,
        peak: None,
        calls: None,
        total: totals.no_scope_total,
    }
}

fn live(snapshot: &Snapshot) -> Live {
    let mut live = Live::new();
    for space in snapshot.spaces() {
        live.insert((space.to_owned(), OUTSIDE.to_owned(), true), snapshot.totals(space).no_scope_live);
        for record in snapshot.records(space) {
            live.insert((space.to_owned(), record.name.clone(), record.file.is_empty()), record.live);
        }
    }
    live
}

fn is_same_process(before: &Snapshot, now: &Snapshot) -> bool {
    let [before, now] = [before, now].map(Snapshot::process);
    (before.pid, &before.started) == (now.pid, &now.started)
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
