use crate::{
    plan::Plan,
    snapshot::{
        HostState, Snapshot, SnapshotParts,
        fixtures::{measuring, named, space, without_events},
    },
};

const NOTHING: &str = "Memory Profiling\n================\n\n";
const NO_ALLOCATOR: &str = "measuring, but no allocator reports: add #[global_allocator] static ALLOC: memprof::Alloc = memprof::Alloc::system();\n";
const NO_SCOPE: &str = "measuring, but no scope was entered: add #[memprof::track] to a function\n";
const OFF: &str = "memprof is off: run with MEMPROF=1 or call memprof::enable()\n";

/// What stands before the tables of a default report.
const HEAD_END: &str = "Ordered by: memory_peak\n\n";

/// The default report of this snapshot, below its head.
fn report_below_head(parts: SnapshotParts) -> String {
    let report = Snapshot::new(parts).to_string();
    report.split_once(HEAD_END).expect("there is something to show").1.to_owned()
}

#[test]
fn the_spaces_line_has_every_number_with_separators() {
    let mut host = space("host", 1_000, vec![named("f", [1, 1, 1])]);
    host.totals.total = 1_234_567;
    host.totals.live = -4_096;
    host.totals.no_scope_total = 12_345;
    host.totals.no_scope_live = -678;
    for (unknown, missed, ending) in [
        (0, 0, "\n"),
        (1, 0, "; 1 unknown free\n"),
        (2, 1, "; 2 unknown frees; 1 missed free\n"),
        (0, 1_000, "; 1,000 missed frees\n"),
    ] {
        host.totals.unknown_frees = unknown;
        host.totals.missed_frees = missed;
        let report = report_below_head(measuring(vec![host.clone()]));
        let line = "\nhost: peak 1,000 bytes, total 1,234,567 bytes, live -4,096 bytes; outside any scope: total 12,345 bytes, live -678 bytes";
        assert!(report.ends_with(&format!("{line}{ending}")), "{report}");
    }
}

#[test]
fn nothing_to_show_says_the_one_thing_that_is_true() {
    let idle = || without_events(space("host", 0, Vec::new()));
    let busy = || space("host", 0, Vec::new());
    for (enabled, host, space, line) in [
        (false, HostState::Measured, busy(), OFF),
        (false, HostState::NoAllocator, idle(), OFF),
        (true, HostState::NoAllocator, idle(), NO_ALLOCATOR),
        (true, HostState::NoAllocator, busy(), NO_SCOPE),
        (true, HostState::Measured, busy(), NO_SCOPE),
        (true, HostState::Untagged, idle(), NO_SCOPE),
    ] {
        let parts = SnapshotParts { enabled, host, scopes_entered: false, ..measuring(vec![space]) };
        assert_eq!(Snapshot::new(parts).to_string(), format!("{NOTHING}{line}"));
    }
    let parts = SnapshotParts { scopes_entered: false, ..measuring(vec![busy()]) };
    let planned = Snapshot::new(parts).with_plan(Some(Plan::default()));
    assert_eq!(planned.to_string(), format!("{NOTHING}measuring, but no tracked function was called\n"));
}

#[test]
fn scopes_without_any_event_are_shown_and_the_last_line_says_why_there_are_no_numbers() {
    let table = "\
ncalls memory_peak memory_total filename:lineno(function)
     3           0            0 f

host: peak 0 bytes, total 0 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes
";
    let untagged = "host was not measured: the process started without MEMPROF=1, and its allocator is not Alloc::system().always()\n";
    for (host, last_line) in [(HostState::NoAllocator, NO_ALLOCATOR), (HostState::Untagged, untagged)] {
        let spaces = vec![without_events(space("host", 0, vec![named("f", [3, 0, 0])]))];
        let parts = SnapshotParts { host, ..measuring(spaces) };
        assert_eq!(report_below_head(parts), format!("{table}\n{last_line}"));
    }
}

#[test]
fn a_report_after_reset_has_a_table_without_rows() {
    let expected = "\
ncalls memory_peak memory_total filename:lineno(function)

host: peak 0 bytes, total 0 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes
";
    let parts = measuring(vec![space("host", 0, Vec::new())]);
    assert_eq!(report_below_head(parts), expected);
}

#[test]
fn notes_stand_last_and_on_one_line_each() {
    let spaces = vec![space("host", 0, vec![named("f", [1, 0, 0])])];
    let notes = vec!["one thread was not read whole".to_owned(), "a\nb".to_owned()];
    let parts = SnapshotParts { notes, host: HostState::Untagged, ..measuring(spaces) };
    let ending = "live 0 bytes\n\none thread was not read whole\na\\nb\nhost was not measured: ";
    let report = Snapshot::new(parts).to_string();
    assert!(report.contains(ending), "{report}");
}

#[test]
fn rows_are_cut_with_a_line_that_says_how_many() {
    let records = ["a", "b", "c"].map(|name| named(name, [1, 1, 1])).to_vec();
    let snapshot = Snapshot::new(measuring(vec![space("host", 1, records)]));
    for (rows, table) in [
        (1, "     1           1            1 a\n2 more rows left out (rows(1))\n\nhost:"),
        (2, "     1           1            1 b\n1 more row left out (rows(2))\n\nhost:"),
        (3, "     1           1            1 c\n\nhost:"),
    ] {
        let report = snapshot.report().rows(rows).to_string();
        assert!(report.contains(table), "{report}");
    }
}

#[test]
fn an_odd_space_name_stays_on_its_lines() {
    let f = || named("f", [1, 1, 1]);
    let spaces = vec![space("host", 1, vec![f()]), space("a\nb", 1, vec![f()])];
    let report = report_below_head(measuring(spaces));
    assert!(report.contains("\n\nSpace: a\\nb\n\n"), "{report}");
    assert!(report.contains("\n\na\\nb: peak 1 bytes"), "{report}");
}
