use super::line;
use crate::{
    process::Resident,
    snapshot::{
        HostState, Snapshot, SnapshotParts,
        fixtures::{measuring, named, space},
    },
};

/// A snapshot whose host has these live bytes, as the system says it.
fn with(live: i64, resident: Resident) -> SnapshotParts {
    let mut host = space("host", 1, vec![named("f", [1, 0, 0])]);
    host.totals.live = live;
    SnapshotParts { resident: Some(resident), ..measuring(vec![host]) }
}

const SEEN: &str = "(allocator's slack, code, stacks, memory that memprof does not see)";

#[test]
fn what_is_resident_is_live_here_or_elsewhere() {
    let resident = Resident { now: 412_000_000, peak: 530_000_000, limit: Some(536_870_912), limit_now: Some(1) };
    let expected = format!(
        "resident: 412,000,000 bytes, peak 530,000,000; 301,000,000 live here, 111,000,000 elsewhere {SEEN}; limit 536,870,912"
    );
    assert_eq!(line(&Snapshot::new(with(301_000_000, resident))), Some(expected));
}

#[test]
fn what_is_live_and_not_resident_is_said() {
    let resident = Resident { now: 1_000, peak: 2_000, ..Resident::default() };
    let absent = "; at least 4,000 bytes of what is live are not resident (never touched, or swapped out)";
    let expected = format!("resident: 1,000 bytes, peak 2,000; 5,000 live here, 0 elsewhere {SEEN}{absent}");
    assert_eq!(line(&Snapshot::new(with(5_000, resident))), Some(expected.clone()));
    let limited = Resident { limit: Some(7), ..resident };
    assert_eq!(line(&Snapshot::new(with(5_000, limited))), Some(expected + "; limit 7"));
}

#[test]
fn blocks_that_are_unknown_are_elsewhere() {
    let resident = Resident { now: 10, peak: 10, ..Resident::default() };
    let snapshot = Snapshot::new(SnapshotParts { was_off: true, ..with(3, resident) });
    let expected = "resident: 10 bytes, peak 10; 3 live here, 7 elsewhere \
        (allocator's slack, code, stacks, memory that memprof does not see, blocks allocated while it was off)";
    assert_eq!(line(&snapshot).as_deref(), Some(expected));
}

#[test]
fn it_stands_once_after_the_host_and_only_where_the_host_was_measured() {
    let resident = Resident { now: 10, peak: 10, ..Resident::default() };
    let mut parts = with(3, resident);
    parts.spaces.push(space("cuda:0", 0, vec![named("f", [1, 1, 1])]));
    parts.spaces[0].records[0].memory_peak = 1;
    let report = Snapshot::new(parts.clone()).to_string();
    let (host, cuda) = report.split_once("\n\nSpace: cuda:0\n\n").expect("two tables");
    assert!(host.ends_with(&format!("outside any scope: total 0 bytes, live 0 bytes\n\nresident: 10 bytes, peak 10; 3 live here, 7 elsewhere {SEEN}")), "{host}");
    assert!(!cuda.contains("resident"), "{cuda}");
    for host in [HostState::NoAllocator, HostState::Untagged] {
        let report = Snapshot::new(SnapshotParts { host, ..parts.clone() }).to_string();
        assert!(!report.contains("resident:"), "{report}");
    }
    assert_eq!(line(&Snapshot::new(SnapshotParts { resident: None, ..parts })), None);
}
