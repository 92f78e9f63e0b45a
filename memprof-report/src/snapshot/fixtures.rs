//! Small snapshots for this crate's tests.

use super::{HostState, Snapshot, SnapshotParts, SpaceData};
use crate::record::{PathRecord, Record, Totals};

/// A record of a site in `file:line(function)` form.
pub(crate) fn site(file: &str, line: u32, function: &str, [ncalls, memory_peak, memory_total]: [u64; 3]) -> Record {
    Record {
        name: format!("{file}:{line}({function})"),
        file: file.to_owned(),
        line,
        function: function.to_owned(),
        ncalls,
        memory_peak,
        memory_total,
        ..Record::default()
    }
}

/// A record of a run-time name.
pub(crate) fn named(name: &str, [ncalls, memory_peak, memory_total]: [u64; 3]) -> Record {
    Record { name: name.to_owned(), function: name.to_owned(), ncalls, memory_peak, memory_total, ..Record::default() }
}

/// A space that has events, with `peak` as the only one of its totals, and a tree of its records, each one
/// below the one before it.
pub(crate) fn space(name: &str, peak: u64, records: Vec<Record>) -> SpaceData {
    let nodes = records.iter().cloned().enumerate();
    SpaceData {
        name: name.to_owned(),
        has_events: true,
        totals: Totals { peak, ..Totals::default() },
        tree: nodes.map(|(index, record)| PathRecord::new(record, index.checked_sub(1))).collect(),
        records,
    }
}

/// `space`, as it is before anything happens in it.
pub(crate) fn without_events(mut space: SpaceData) -> SpaceData {
    space.has_events = false;
    space
}

/// What a process that measures hands over.
pub(crate) fn measuring(spaces: Vec<SpaceData>) -> SnapshotParts {
    SnapshotParts {
        enabled: true,
        host: HostState::Measured,
        spaces,
        devices: Vec::new(),
        notes: Vec::new(),
        scopes_entered: true,
    }
}

/// The example of the contract.
pub(crate) fn contract_example() -> Snapshot {
    let records = vec![
        site("src/dataframe.rs", 690, "DataFrame::new", [1, 32, 32]),
        site("src/index.rs", 214, "RangeIndex::new", [2, 0, 0]),
        site("src/index.rs", 424, "RangeIndex::len", [6, 0, 0]),
    ];
    let mut host = space("host", 32, records);
    host.totals.total = 32;
    Snapshot::new(measuring(vec![host]))
}
