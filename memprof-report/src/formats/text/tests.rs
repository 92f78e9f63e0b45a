use crate::{
    device::Device,
    options::Options,
    record::{Field, Record},
    snapshot::{
        HostState, Snapshot, SnapshotParts,
        fixtures::{contract_example, measuring, named, site, space, without_events},
    },
};

const HEAD: &str = "\
Memory Profiling
================

Legends:
ncalls       - number of times the function or code block was called
memory_peak  - peak memory allocated in function or code block (in bytes)
memory_total - total memory allocated in function or code block (in bytes)

Ordered by: memory_peak

";

fn text(snapshot: &Snapshot, options: &Options) -> String {
    snapshot.report().options(options.clone()).to_string()
}

fn default_report(parts: SnapshotParts) -> String {
    Snapshot::new(parts).to_string()
}

/// The report of one host space with these records, below its head.
fn host_report(records: Vec<Record>) -> String {
    let report = default_report(measuring(vec![space("host", 0, records)]));
    report.strip_prefix(HEAD).expect("the head stands first").to_owned()
}

#[test]
fn the_contracts_example_to_the_letter() {
    let expected = HEAD.to_owned()
        + "\
ncalls memory_peak memory_total filename:lineno(function)
     1          32           32 src/dataframe.rs:690(DataFrame::new)
     2           0            0 src/index.rs:214(RangeIndex::new)
     6           0            0 src/index.rs:424(RangeIndex::len)

host: peak 32 bytes, total 32 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes

Held at the peak of host (32 bytes):

at_peak blocks filename:lineno(function)
     32      1 src/dataframe.rs:690(DataFrame::new)

resident: 3,141,632 bytes, peak 3,141,632; 0 live here, 3,141,632 elsewhere (allocator's slack, code, stacks, memory that memprof does not see)
";
    assert_eq!(contract_example().to_string(), expected);
}

#[test]
fn a_wide_cell_widens_its_column() {
    let wide = named("x", [1_234_567, 123_456_789_012_345, 29_999_999_999_999_997]);
    let report = host_report(vec![wide, named("small", [1, 0, 0])]);
    let expected = "   \
   ncalls         memory_peak           memory_total filename:lineno(function)
1,234,567 123,456,789,012,345 29,999,999,999,999,997 x
        1                   0                      0 small

host: peak 0 bytes, total 0 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes
";
    assert_eq!(report, expected);
}

#[test]
fn several_spaces_stand_under_their_headings_without_rows_of_zeros() {
    let host = space("host", 8, vec![named("a", [1, 8, 8]), named("both", [2, 4, 4]), named("none", [3, 0, 0])]);
    let mut held = named("held", [4, 0, 0]);
    held.at_peak = 1;
    let mut cuda = space("cuda:0", 16, vec![named("both", [2, 16, 16]), held, named("a", [1, 0, 0])]);
    (cuda.totals.at_peak_level, cuda.totals.peak) = (1, 1);
    let idle = without_events(space("pinned", 0, vec![named("a", [1, 0, 0])]));
    let expected = HEAD.to_owned()
        + "\
Space: host

ncalls memory_peak memory_total filename:lineno(function)
     1           8            8 a
     2           4            4 both

host: peak 8 bytes, total 0 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes

Space: cuda:0

ncalls memory_peak memory_total filename:lineno(function)
     2          16           16 both
     4           0            0 held

cuda:0: peak 1 bytes, total 0 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes

Held at the peak of cuda:0 (1 bytes):

at_peak blocks filename:lineno(function)
      1      0 held
";
    assert_eq!(default_report(measuring(vec![host, cuda, idle])), expected);
}

#[test]
fn one_space_with_events_needs_no_heading_whichever_it_is() {
    let host = without_events(space("host", 0, vec![named("f", [1, 0, 0])]));
    let cuda = space("cuda:0", 5, vec![named("f", [1, 5, 5])]);
    let parts = SnapshotParts { host: HostState::NoAllocator, ..measuring(vec![host, cuda]) };
    let expected = HEAD.to_owned()
        + "\
ncalls memory_peak memory_total filename:lineno(function)
     1           5            5 f

cuda:0: peak 5 bytes, total 0 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes
";
    assert_eq!(default_report(parts), expected);
}

#[test]
fn another_order_keeps_ties_in_the_default_order() {
    let records = vec![
        site("b.rs", 10, "first", [1, 5, 10]),
        site("a.rs", 9, "second", [3, 5, 7]),
        site("b.rs", 2, "third", [2, 9, 7]),
    ];
    let snapshot = Snapshot::new(measuring(vec![space("host", 9, records)]));
    for (order, names) in [
        (Field::MemoryPeak, ["third", "first", "second"]),
        (Field::MemoryTotal, ["first", "third", "second"]),
        (Field::Ncalls, ["second", "third", "first"]),
        (Field::File, ["second", "third", "first"]),
        (Field::Line, ["third", "second", "first"]),
        (Field::Live, ["third", "first", "second"]),
    ] {
        let columns = Some(vec![Field::Function]);
        let report = text(&snapshot, &Options { order, columns, ..Options::default() });
        let table = format!("Ordered by: {}\n\nfunction\n{}\n\nhost:", order.name(), names.join("\n"));
        assert!(report.contains(&table), "{report}");
    }
}

#[test]
fn other_columns_have_their_own_legends() {
    let mut record = site("src/a.rs", 1_690, "<T as Trait>::f", [1_000, 0, 0]);
    record.live = -1_234;
    let snapshot = Snapshot::new(measuring(vec![space("host", 0, vec![record])]));
    let columns = vec![Field::Line, Field::File, Field::Name, Field::Live, Field::Ncalls];
    let report = text(&snapshot, &Options { columns: Some(columns), ..Options::default() });
    let expected = "\
Memory Profiling
================

Legends:
line   - line in the source file
file   - source file
live   - live memory that function or code block itself allocated (in bytes)
ncalls - number of times the function or code block was called

Ordered by: memory_peak

line     file      filename:lineno(function)   live ncalls
1690 src/a.rs src/a.rs:1690(<T as Trait>::f) -1,234 1,000

host: peak 0 bytes, total 0 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes
";
    assert_eq!(report, expected);
}

#[test]
fn the_name_alone_has_no_legend() {
    let options = Options { columns: Some(vec![Field::Name]), order: Field::Name, rows: Some(1), ..Options::default() };
    let report = text(&contract_example(), &options);
    let start = "\n\nOrdered by: filename:lineno(function)\n\nfilename:lineno(function)\nsrc/dataframe.rs:690";
    assert!(report.contains(&format!("================{start}")), "{report}");
}

#[test]
fn odd_names_stay_one_row_and_are_never_cut() {
    let odd = [
        ("a\nb\tc", r"a\nb\tc"),
        ("\u{1b}[31mred\u{202e}", r"\u{1b}[31mred\u{202e}"),
        ("  indented  ", "  indented"),
        (r"C:\src\ü|漢字🦀", r"C:\src\ü|漢字🦀"),
        ("", ""),
    ];
    let report = host_report(odd.iter().map(|(name, _)| named(name, [1, 0, 0])).collect());
    let rows: Vec<&str> = report.lines().skip(1).take(odd.len()).collect();
    let expected = odd.map(|(_, shown)| format!("     1           0            0 {shown}").trim_end().to_owned());
    assert_eq!(rows, expected);
    let long = "x".repeat(10_000);
    assert!(host_report(vec![named(&long, [1, 0, 0])]).contains(&format!("0 {long}\n")));
}

#[test]
fn a_device_says_how_its_memory_adds_up() {
    let mut cuda = space("cuda:0", 700, vec![named("f", [1, 700, 900])]);
    cuda.totals.live = 600;
    let mut device = Device {
        pool_reserved: 1000,
        pool_reserved_high: 2000,
        pool_used: 500,
        pool_used_high: 800,
        used: 10_000,
        total: 80_000,
        ..Device::of("cuda:0".to_owned())
    };
    device.attribute(600);
    let report = |device: Device| {
        let parts = SnapshotParts { devices: vec![device], ..measuring(vec![cuda.clone()]) };
        text(&Snapshot::new(parts), &Options::default())
    };
    let line = "cuda:0: device uses 10,000 of 80,000 bytes: attributed 600, pool reserve 500, unattributed 8,900; \
         pool holds 1,000 (at most 2,000), hands out 500 (at most 800)";
    let above = "cuda:0: peak 700 bytes, total 0 bytes, live 600 bytes; outside any scope: total 0 bytes, live 0 bytes";
    assert!(report(device.clone()).ends_with(&format!("\n\n{above}\n{line}\n")));

    device.used = 700;
    device.attribute(600);
    (device.last_known, device.silence) = (true, "the driver is gone".to_owned());
    let line = "unattributed -400; pool holds 1,000 (at most 2,000), hands out 500 (at most 800); \
         more is attributed than the device has in use; the driver is gone: last known values\n";
    assert!(report(device.clone()).ends_with(line));
    device.attribute(50);
    assert!(report(device.clone()).contains("attributed 50, pool reserve 500, unattributed -400; pool"));
    assert!(
        report(device.clone()).ends_with("; the driver is gone: last known values, from when attributed was 600\n")
    );

    device.attribute(600);
    (device.used, device.total, device.unattributed) = (0, 0, 0);
    let line = "\ncuda:0: attributed 600; what the device uses is not known: its driver could not be asked while it had a \
         context\n";
    assert!(report(device).ends_with(line));
}

#[test]
fn a_device_whose_memory_others_use_has_its_line_after_the_tables() {
    let device = |space: &str| {
        let mut device = Device { used: 500, total: 8000, ..Device::of(space.to_owned()) };
        device.attribute(0);
        device
    };
    let cuda = space("cuda:0", 700, vec![named("f", [1, 700, 900])]);
    let devices = vec![device("cuda:0"), device("cuda:1")];
    let others = "cuda:1: device uses 500 of 8,000 bytes: attributed 0, pool reserve 0, unattributed 500";
    let report = |parts: SnapshotParts| text(&Snapshot::new(parts), &Options::default());
    let with_table = report(SnapshotParts { devices: devices.clone(), ..measuring(vec![cuda]) });
    let own = others.replace("cuda:1", "cuda:0");
    assert!(with_table.ends_with(&format!("\n{own}\n\n{others}\n")), "{with_table}");
    let no_table = report(SnapshotParts { devices, ..measuring(vec![space("host", 0, Vec::new())]) });
    assert!(no_table.ends_with(&format!("\n\n{own}\n{others}\n")), "{no_table}");
}
