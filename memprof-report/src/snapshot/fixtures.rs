//! Small snapshots for this crate's tests.

use super::{HostState, Snapshot, SnapshotParts, SpaceData};
use crate::process::{Process, Resident};
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
        was_off: false,
        process: Process::default(),
        resident: None,
        spaces,
        devices: Vec::new(),
        notes: Vec::new(),
        scopes_entered: true,
    }
}

/// The example of the contract.
pub(crate) fn contract_example() -> Snapshot {
    let mut first = site("src/dataframe.rs", 690, "DataFrame::new", [1, 32, 32]);
    (first.at_peak, first.at_peak_blocks) = (32, 1);
    let records = vec![
        first,
        site("src/index.rs", 214, "RangeIndex::new", [2, 0, 0]),
        site("src/index.rs", 424, "RangeIndex::len", [6, 0, 0]),
    ];
    let mut host = space("host", 32, records);
    (host.totals.total, host.totals.at_peak_level) = (32, 32);
    let resident = Some(Resident { now: 3_141_632, peak: 3_141_632, limit: None, limit_now: None });
    Snapshot::new(SnapshotParts { resident, ..measuring(vec![host]) })
}

/// A path of `site`, with bytes and blocks at the peak, live, and ever allocated by itself.
pub(crate) fn path(site: Record, parent: Option<usize>, [at_peak, live, allocated]: [[i64; 2]; 3]) -> PathRecord {
    PathRecord {
        at_peak: at_peak[0].unsigned_abs(),
        at_peak_blocks: at_peak[1].unsigned_abs(),
        live: live[0],
        live_blocks: live[1],
        self_total: allocated[0].unsigned_abs(),
        self_blocks: allocated[1].unsigned_abs(),
        ..PathRecord::new(site, parent)
    }
}

/// A space with this tree, a record for each of its paths, and what happened outside any scope: the totals are the sums.
pub(crate) fn space_of_tree(name: &str, tree: Vec<PathRecord>, outside: [[i64; 2]; 3]) -> SpaceData {
    let sum = |of: fn(&PathRecord) -> i64, outside: i64| tree.iter().map(of).sum::<i64>() + outside;
    let unsigned = |of: fn(&PathRecord) -> u64, outside: i64| tree.iter().map(of).sum::<u64>() + outside.unsigned_abs();
    let [at_peak, live, allocated] = outside;
    let totals = Totals {
        live: sum(|path| path.live, live[0]),
        live_blocks: sum(|path| path.live_blocks, live[1]),
        peak: unsigned(|path| path.at_peak, at_peak[0]),
        peak_blocks: unsigned(|path| path.at_peak_blocks, at_peak[1]),
        at_peak_level: unsigned(|path| path.at_peak, at_peak[0]),
        total: unsigned(|path| path.self_total, allocated[0]),
        blocks_total: unsigned(|path| path.self_blocks, allocated[1]),
        no_scope_live: live[0],
        no_scope_total: allocated[0].unsigned_abs(),
        no_scope_at_peak: at_peak[0].unsigned_abs(),
        ..Totals::default()
    };
    let records = tree.iter().map(|path| Record {
        live: path.live,
        at_peak: path.at_peak,
        at_peak_blocks: path.at_peak_blocks,
        self_total: path.self_total,
        memory_total: path.self_total,
        ncalls: 1,
        ..site(&path.file, path.line, &path.function, [1, path.at_peak, path.self_total])
    });
    SpaceData { name: name.to_owned(), has_events: true, totals, records: records.collect(), tree }
}

/// Names that mean something to one format or another.
pub(crate) const HOSTILE: &[&str] = &[
    "</script><script>alert(1)</script>",
    "a;b;c 12",
    "line\nbreak\tand \"quotes\" and \\",
    "\u{202e}right to left\u{2028}",
    "<Vec<T, A> as Extend<&'a T>>::extend",
    "",
];

/// Two spaces, each with paths below each other, one path that owns less than nothing, names that mean something
/// to one format or another, and a part outside any scope.
pub(crate) fn forest() -> Snapshot {
    let load = || site("src/load.rs", 10, "load", [3, 0, 0]);
    let parse = || site("src/load.rs", 40, "Parser::parse", [9, 0, 0]);
    let mut host = vec![
        path(load(), None, [[1_000, 2], [500, 1], [4_096, 7]]),
        path(parse(), Some(0), [[70_000, 30], [-300, -1], [123_456_789, 4_000]]),
        path(load(), Some(1), [[0, 0], [0, 0], [1, 1]]),
        path(named("layer 3", [1, 0, 0]), Some(0), [[48, 1], [48, 1], [48, 1]]),
    ];
    for (line, name) in (1..).zip(HOSTILE) {
        let amounts = [[i64::from(line) * 8_000, 1], [16, 2], [1 << (line + 16), 2]];
        host.push(path(site("src/<odd>.rs", line, name, [1, 0, 0]), Some(3), amounts));
    }
    let device = vec![
        path(load(), None, [[1 << 30, 4], [1 << 20, 1], [3 << 30, 12]]),
        path(parse(), Some(0), [[0, 0], [7, 1], [7, 1]]),
    ];
    let host = space_of_tree("host", host, [[512, 3], [640, 2], [99_999, 44]]);
    let device = space_of_tree("cuda:0", device, [[0, 0], [0, 0], [0, 0]]);
    Snapshot::new(measuring(vec![host, device]))
}
