//! [`Limit`]: what of a row or of a space can be limited, under the names of `memprof.toml`.
//!
//! Budgets, baselines and what is printed all go by this list, and the numbers of a baseline stand in the order of
//! [`Limit::ALL`]. A number that a profile does not have is never taken for 0: a judged profile is refused
//! ([`Limit::check`]), a baseline is made without it ([`Limit::is_in`]). What it is compared with is left to `judge` and
//! `compare`.

use memprof_report::{Measure, Process, Record, Snapshot, Totals};

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The greatest growth of any activation; of a space its high-water mark.
    Peak,
    /// All bytes ever allocated.
    Total,
    /// What the row itself owns; what is live in the space.
    Live,
    /// What calls left behind: a budget is for the average call, a baseline for all of them.
    Kept,
    /// How often it was called.
    Ncalls,
}

impl Limit {
    pub(crate) const ALL: [Limit; 5] = [Limit::Peak, Limit::Total, Limit::Live, Limit::Kept, Limit::Ncalls];

    /// The key.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Limit::Peak => "peak",
            Limit::Total => "total",
            Limit::Live => "live",
            Limit::Kept => "kept",
            Limit::Ncalls => "ncalls",
        }
    }

    pub(crate) fn unit(self) -> &'static str {
        if self == Limit::Ncalls { "calls" } else { "bytes" }
    }

    /// Whether a profile has it: `kept` came with the schema that also says which memprof measured. A merged profile has
    /// it where each of its processes has, though it names a memprof only where all had the same.
    pub(crate) fn is_in(self, snapshot: &Snapshot) -> bool {
        let counts = |process: &Process| !process.memprof.is_empty();
        self != Limit::Kept
            || snapshot.merged().map_or_else(|| counts(snapshot.process()), |merged| merged.ranks.iter().all(counts))
    }

    /// Refuses what a profile that is judged does not have.
    pub(crate) fn check(self, snapshot: &Snapshot) -> Result<(), String> {
        if self.is_in(snapshot) {
            return Ok(());
        }
        let what = if snapshot.merged().is_some() { "a profile that it was merged of" } else { "the profile" };
        Err(format!("{} was not counted: {what} is of schema version 1", self.name()))
    }

    /// Of a row.
    pub(crate) fn of_record(self, record: &Record) -> i128 {
        match self {
            Limit::Peak => record.memory_peak.into(),
            Limit::Total => record.memory_total.into(),
            Limit::Live => record.live.into(),
            Limit::Kept => record.kept.into(),
            Limit::Ncalls => record.ncalls.into(),
        }
    }

    /// Of a whole space, which has no calls.
    pub(crate) fn of_totals(self, totals: &Totals) -> Option<i128> {
        match self {
            Limit::Peak => Some(totals.peak.into()),
            Limit::Total => Some(totals.total.into()),
            Limit::Live => Some(totals.live.into()),
            Limit::Kept | Limit::Ncalls => None,
        }
    }

    /// The additive number that says who has most of it; none where nobody else has a part of it.
    pub(crate) fn measure(self) -> Option<Measure> {
        match self {
            Limit::Peak => Some(Measure::AtPeak),
            Limit::Total => Some(Measure::SelfTotal),
            Limit::Live | Limit::Kept => Some(Measure::Live),
            Limit::Ncalls => None,
        }
    }
}
