use super::Format;
use crate::{
    device::Device,
    options::{Asker, Options},
    record::{Field, Record},
    snapshot::{
        Snapshot, SnapshotParts,
        fixtures::{contract_example, measuring, named, site, space, without_events},
    },
};

fn rendered(snapshot: &Snapshot, options: &Options, format: Format) -> String {
    let mut bytes = Vec::new();
    format.write(snapshot, options, &mut bytes).expect("nothing can fail in memory");
    String::from_utf8(bytes).expect("these formats are text")
}

fn two_spaces() -> Snapshot {
    let f = || site("src/a.rs", 1_690, "<A|B as T>::f", [1_000, 2_048, 4_096]);
    let cuda_f = Record { live: -7, memory_peak: 0, memory_total: 0, ..f() };
    let host = space("host", 2_048, vec![named("g", [2, 0, 0]), f()]);
    let idle = without_events(space("pinned", 0, vec![f()]));
    Snapshot::new(measuring(vec![host, space("cuda:0", 0, vec![cuda_f, named("g", [2, 0, 0])]), idle]))
}

fn nothing() -> Snapshot {
    Snapshot::new(SnapshotParts { enabled: false, scopes_entered: false, ..measuring(Vec::new()) })
}

#[test]
fn the_ending_picks_the_format() {
    for (path, format) in [
        ("a.txt", Some(Format::Text)),
        ("dir.csv/a.b.json", Some(Format::Json)),
        ("A.CSV", Some(Format::Csv)),
        ("/x/%p.md", Some(Format::Markdown)),
        ("a", None),
        (".txt", None),
        ("a.HTML", Some(Format::Html)),
        ("a.doc", None),
        ("a.json/", Some(Format::Json)),
        ("", None),
    ] {
        assert_eq!(Format::of(path), format, "{path}");
    }
}

#[test]
fn text_is_the_display_of_the_snapshot() {
    let text = rendered(&contract_example(), &Options::default(), Format::Text);
    assert_eq!(text, contract_example().to_string());
}

#[test]
fn one_space_is_asked_for_and_the_others_are_not_shown() {
    let options = Options { space: Some("cuda:0".to_owned()), ..Options::default() };
    let device = Device { used: 500, total: 8000, ..Device::of("cuda:1".to_owned()) };
    let snapshot = Snapshot::new(SnapshotParts { devices: vec![device], ..two_spaces().parts().clone() });
    let text = rendered(&snapshot, &options, Format::Text);
    let below = text.split_once("Ordered by: memory_peak\n\n").expect("the tables stand below").1;
    let expected = "\
Space: cuda:0

ncalls memory_peak memory_total filename:lineno(function)
 1,000           0            0 src/a.rs:1690(<A|B as T>::f)

cuda:0: peak 0 bytes, total 0 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes
";
    assert_eq!(below, expected);
    for format in [Format::Markdown, Format::Csv] {
        let report = rendered(&snapshot, &options, format);
        assert!(report.contains("cuda:0") && !report.contains("host") && !report.contains("cuda:1"), "{report}");
    }
}

#[test]
fn a_space_in_which_nothing_happened_is_an_error_that_lists_those_that_are_there() {
    let asked = |space: &str| Options { space: Some(space.to_owned()), ..Options::default() };
    for format in Format::ALL {
        let mut out = Vec::new();
        let error = format.write(&two_spaces(), &asked("pinned\n"), &mut out).expect_err("no such space");
        let expected = r"no space ‘pinned\n’ in which anything happened; accepted: host, cuda:0";
        assert_eq!((error.to_string(), error.kind()), (expected.to_owned(), std::io::ErrorKind::InvalidInput));
        assert!(out.is_empty());
    }
    let snapshot = two_spaces();
    let report = snapshot.report().space("pinned").to_string();
    assert_eq!(report, "no space ‘pinned’ in which anything happened; accepted: host, cuda:0\n");
    let report = nothing().report().space("host").to_string();
    assert_eq!(report, "no space ‘host’ in which anything happened; accepted: none, nothing was measured\n");
}

#[test]
fn a_table_that_is_cut_says_how_whoever_asked_gets_more() {
    for (asker, expected) in [
        (Asker::Code, "1 more row left out (rows(2))"),
        (Asker::Environment, "1 more row left out (MEMPROF_ROWS=2)"),
        (Asker::Command, "1 more row left out (--rows 2)"),
    ] {
        let report = contract_example().report().rows(2).asker(asker).to_string();
        assert_eq!(report.lines().find(|line| line.contains("left out")), Some(expected));
    }
}

#[test]
fn json_is_the_snapshot_whatever_the_options() {
    let options = Options { order: Field::Name, columns: Some(vec![Field::Name]), rows: Some(1), ..Options::default() };
    let json = rendered(&two_spaces(), &options, Format::Json);
    assert_eq!(serde_json::from_str::<Snapshot>(&json).expect("a snapshot").to_string(), two_spaces().to_string());
    assert!(json.ends_with("}\n"));
}

#[test]
fn csv_has_every_field_of_every_record_in_each_space_with_events() {
    let csv = rendered(&two_spaces(), &Options { rows: Some(1), ..Options::default() }, Format::Csv);
    let expected = "\
space,name,file,line,function,ncalls,memory_peak,memory_total,blocks_total,self_total,self_blocks,reallocs,failed,live,live_blocks,at_peak,at_peak_blocks,temporary,largest,kept,kept_calls
host,src/a.rs:1690(<A|B as T>::f),src/a.rs,1690,<A|B as T>::f,1000,2048,4096,0,0,0,0,0,0,0,0,0,0,0,0,0
host,g,,0,g,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0
host,(outside any scope),,0,(outside any scope),0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0
cuda:0,src/a.rs:1690(<A|B as T>::f),src/a.rs,1690,<A|B as T>::f,1000,0,0,0,0,0,0,0,-7,0,0,0,0,0,0,0
cuda:0,g,,0,g,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0
cuda:0,(outside any scope),,0,(outside any scope),0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0
";
    assert_eq!(csv, expected);
}

#[test]
fn csv_quotes_what_it_must_and_takes_order_and_columns() {
    let records = vec![named("a,\"b\"\nc", [1, 9, 0]), named("ü|", [2, 0, 0]), named("", [3, 0, 0])];
    let snapshot = Snapshot::new(measuring(vec![space("my, space", 9, records)]));
    let columns = Some(vec![Field::Ncalls, Field::Name]);
    let csv = rendered(&snapshot, &Options { order: Field::Ncalls, columns, ..Options::default() }, Format::Csv);
    let expected = "space,ncalls,name\n\"my, space\",3,\n\"my, space\",2,ü|\n\"my, space\",1,\"a,\"\"b\"\"\nc\"\n\"my, space\",0,(outside any scope)\n";
    assert_eq!(csv, expected);
}

#[test]
fn csv_of_nothing_is_its_first_line() {
    let columns = Some(vec![Field::Name]);
    let csv = rendered(&nothing(), &Options { columns, ..Options::default() }, Format::Csv);
    assert_eq!(csv, "space,name\n");
}

#[test]
fn markdown_has_one_table_and_the_lines_below_it() {
    let expected = "\
# Memory Profiling

Ordered by: `memory_peak`

| space | ncalls | memory_peak | memory_total | filename:lineno(function) |
| :--- | ---: | ---: | ---: | :--- |
| `host` | 1,000 | 2,048 | 4,096 | `src/a.rs:1690(<A\\|B as T>::f)` |
| `cuda:0` | 1,000 | 0 | 0 | `src/a.rs:1690(<A\\|B as T>::f)` |

- `host: peak 2,048 bytes, total 0 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes`
- `cuda:0: peak 0 bytes, total 0 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes`
";
    assert_eq!(rendered(&two_spaces(), &Options::default(), Format::Markdown), expected);
}

#[test]
fn markdown_escapes_odd_names() {
    let odd = [
        ("a\nb|c", r"`a\\nb\|c`"),
        (r"a\|b", r"`a\\\|b`"),
        ("_a_ `b` ``c``", "``` _a_ `b` ``c`` ```"),
        (r"C:\x", r"`C:\x`"),
        ("", ""),
    ];
    let records = odd.iter().map(|(name, _)| named(name, [1, 0, 0])).collect();
    let snapshot = Snapshot::new(measuring(vec![space("host", 0, records)]));
    let columns = Some(vec![Field::Name]);
    let markdown = rendered(&snapshot, &Options { columns, ..Options::default() }, Format::Markdown);
    let rows: Vec<&str> = markdown.lines().skip(6).take(odd.len()).collect();
    assert_eq!(rows, odd.map(|(_, cell)| format!("| `host` | {cell} |")));
}

#[test]
fn markdown_cuts_rows_and_says_so() {
    let options = Options { rows: Some(1), ..Options::default() };
    let markdown = rendered(&contract_example(), &options, Format::Markdown);
    assert!(markdown.contains("|\n\n- `host: 2 more rows left out (rows(1))`\n- `host: peak"), "{markdown}");
}

#[test]
fn markdown_has_the_notes_last() {
    let notes = vec!["one thread was not read whole".to_owned()];
    let spaces = vec![space("host", 0, vec![named("f", [1, 0, 0])])];
    let snapshot = Snapshot::new(SnapshotParts { notes, ..measuring(spaces) });
    let markdown = rendered(&snapshot, &Options::default(), Format::Markdown);
    let ending = "live 0 bytes`\n- `one thread was not read whole`\n";
    assert!(markdown.ends_with(ending), "{markdown}");
}

#[test]
fn markdown_of_nothing_says_why() {
    let expected = "# Memory Profiling\n\n`memprof is off: run with MEMPROF=1 or call memprof::enable()`\n";
    assert_eq!(rendered(&nothing(), &Options::default(), Format::Markdown), expected);
}
