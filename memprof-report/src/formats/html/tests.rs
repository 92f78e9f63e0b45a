//! What is read back from the page, and what no name may do to it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac_sha256::Hash;
use serde_json::Value;

use super::{MOST_BYTES, SCRIPT, SCRIPT_HASH, STYLE, STYLE_HASH, rows::COLUMNS, write, write_diff};
use crate::{
    measure::Measure,
    options::Options,
    plan::{Plan, TrackedPackage},
    record::{Cell, Field, PathRecord, Record, Totals},
    snapshot::{
        Snapshot, SpaceData,
        fixtures::{contract_example, measuring, named, site},
    },
};

const OPENING: &str = "<script type=\"application/json\" id=\"profile\">";

fn page(snapshot: &Snapshot) -> String {
    let mut bytes = Vec::new();
    write(snapshot, &Options::default(), &mut bytes).expect("a vector takes everything");
    String::from_utf8(bytes).expect("the page is text")
}

fn page_of_two(first: &Snapshot, second: &Snapshot) -> String {
    let mut bytes = Vec::new();
    write_diff(first, second, &Options::default(), &mut bytes).expect("a vector takes everything");
    String::from_utf8(bytes).expect("the page is text")
}

/// What stands between the tags of the data, as it is written.
fn raw(page: &str) -> &str {
    let (_, after) = page.split_once(OPENING).expect("the page has its data");
    after.split_once("</script>").expect("the data ends").0
}

fn data(page: &str) -> Value {
    serde_json::from_str(raw(page)).expect("the data are JSON")
}

/// A number, whether it is written as one or as text.
fn number(value: &Value) -> i128 {
    match value {
        Value::String(digits) => digits.parse().expect("digits"),
        value => i128::from(value.as_i64().expect("a number")),
    }
}

fn sum(rows: &Value, side: &str, field: &str) -> i128 {
    rows[side][field].as_array().map_or(0, |column| column.iter().map(number).sum())
}

/// Numbers without a pattern, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A space of `paths` paths whose parts sum to its totals, with a record for each of `sites` sites.
fn tree(name: &str, paths: usize, sites: usize, random: &mut Random) -> SpaceData {
    let mut space = SpaceData { name: name.to_owned(), has_events: true, ..SpaceData::default() };
    let functions: Vec<String> = (0..sites).map(|index| format!("module_{}::function_{index}", index % 97)).collect();
    let record =
        |index: usize| site(&format!("src/part_{}.rs", index % 50), index as u32, &functions[index], [1, 0, 0]);
    space.records = (0..sites).map(record).collect();
    for index in 0..paths {
        let site = random.below(sites as u64) as usize;
        let mut path = record(site);
        path.self_total = random.below(1 << 20) * random.below(3);
        path.self_blocks = path.self_total / 100;
        path.at_peak = path.self_total / (1 + random.below(4));
        path.live = i64::try_from(path.at_peak / 3).expect("small") - if random.below(50) == 0 { 1000 } else { 0 };
        path.memory_peak = path.at_peak;
        path.memory_total = path.self_total;
        let Totals { live, at_peak_level, total, .. } = &mut space.totals;
        (*live, *at_peak_level, *total) = (*live + path.live, *at_peak_level + path.at_peak, *total + path.self_total);
        let of_site = &mut space.records[site];
        of_site.self_total += path.self_total;
        of_site.self_blocks += path.self_blocks;
        of_site.at_peak += path.at_peak;
        of_site.live += path.live;
        of_site.memory_peak = of_site.memory_peak.max(path.memory_peak);
        of_site.memory_total += path.memory_total;
        let parent = (index > 0).then(|| index - 1 - random.below(index.min(30) as u64) as usize);
        space.tree.push(PathRecord::new(path, parent));
    }
    let totals = &mut space.totals;
    (totals.no_scope_live, totals.no_scope_at_peak, totals.no_scope_total) = (544, 600, 1_000);
    (totals.live, totals.at_peak_level, totals.total) =
        (totals.live + 544, totals.at_peak_level + 600, totals.total + 1_000);
    totals.peak = totals.at_peak_level;
    space
}

fn totals(space: &SpaceData) -> [(&'static str, i128); 3] {
    [Measure::AtPeak, Measure::Live, Measure::SelfTotal].map(|measure| (measure.name(), measure.whole(&space.totals)))
}

/// Asserts that table and tree sum to what the space held, and gives how many rows are folded in each.
fn assert_sums(embedded: &Value, side: &str, space: &SpaceData) -> [u64; 2] {
    ["rows", "paths"].map(|part| {
        for (measure, whole) in totals(space) {
            assert_eq!(sum(&embedded[part], side, measure), whole, "{measure} of {part} in {}", space.name);
        }
        let folded = embedded[part]["folded"].as_array().expect("a list");
        folded.iter().map(|pair| pair[1].as_u64().expect("a count")).sum()
    })
}

#[test]
fn table_and_tree_sum_to_the_totals_in_every_measure_and_space() {
    let mut random = Random(1);
    let spaces = vec![tree("host", 500, 60, &mut random), tree("cuda:0", 80, 30, &mut random)];
    let data = data(&page(&Snapshot::new(measuring(spaces.clone()))));
    for (embedded, space) in data["spaces"].as_array().expect("a list").iter().zip(&spaces) {
        assert_eq!(assert_sums(embedded, "columns", space), [0, 0]);
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "seconds without optimisation: .ci/run does it in a release build")]
fn a_hundred_thousand_paths_stay_under_five_million_bytes_lose_none_and_show_the_largest() {
    let mut space = tree("host", 100_000, 20_000, &mut Random(2));
    let largest = &mut space.tree[70_000];
    (largest.function, largest.live) = ("the leak".to_owned(), largest.live + (1 << 40));
    let mut leak = site(&largest.file, largest.line, "the leak", [1, 0, 0]);
    leak.live = 1 << 40;
    space.totals.live += leak.live;
    space.records.push(leak);
    let page = page(&Snapshot::new(measuring(vec![space.clone()])));
    assert!(page.len() <= MOST_BYTES, "{} bytes", page.len());
    assert!(page.len() > MOST_BYTES * 9 / 10, "{} bytes: more could be shown", page.len());
    let data = data(&page);
    let embedded = &data["spaces"][0];
    let [rows, paths] = assert_sums(embedded, "columns", &space);
    // A row for each that stays, and one for the part outside any scope.
    let staying = |part: &str| {
        let sites = embedded[part]["site"].as_array().expect("a list");
        sites.iter().filter(|site| site.as_i64().is_some_and(|site| site > -2)).count() as u64 - 1
    };
    assert!(rows > 0 && paths > 0);
    assert_eq!((staying("rows") + rows, staying("paths") + paths), (20_001, 100_000));
    let place = |list: &Value, of: &dyn Fn(&Value) -> bool| list.as_array().expect("a list").iter().position(of);
    let name = place(&data["strings"], &|name| name == "the leak").expect("it is there");
    let site = place(&data["sites"]["function"], &|function| *function == name).expect("its site");
    let row = place(&embedded["paths"]["site"], &|found| *found == site).expect("its path is not folded");
    assert!(number(&embedded["paths"]["columns"]["live"][row]) >= 1 << 40);
}

#[test]
fn an_endless_name_does_not_make_an_endless_page() {
    let records = vec![named(&"n".repeat(6_000_000), [1, 32, 32])];
    let snapshot = Snapshot::new(measuring(vec![crate::snapshot::fixtures::space("host", 32, records)]));
    let page = page(&snapshot);
    assert!(page.len() < 200_000, "{} bytes", page.len());
    assert!(page.contains("n… (6000000 characters)"));
}

#[test]
fn no_name_ends_the_data_or_stands_outside_of_it() {
    let names = [
        "</script><script>alert(1)</script>",
        "<!--",
        "\"quoted\" \\ 'so'",
        "\u{2028}\u{2029}",
        "{{data}}{{script}}",
        "\u{202e}turned",
        "\0\n",
    ];
    let records = names.iter().map(|name| named(name, [1, 32, 32])).collect();
    let mut space = crate::snapshot::fixtures::space(names[0], 32, records);
    space.totals.at_peak_level = 32;
    let mut parts = measuring(vec![space]);
    parts.notes = names.iter().map(|name| (*name).to_owned()).collect();
    let page = page(&Snapshot::new(parts));
    assert!(!raw(&page).contains(['<', '\u{2028}', '\u{2029}']));
    assert_eq!(page.matches("<script").count(), 2, "the data and the page's own script");
    assert!(!page.contains("alert(1)</script>"));
    let data = data(&page);
    assert_eq!(data["spaces"][0]["name"], names[0]);
    for name in names {
        assert!(data["strings"].as_array().expect("a list").iter().any(|string| string == name), "{name:?}");
    }
}

#[test]
fn numbers_that_javascript_would_round_are_texts() {
    let mut record = named("much", [9_007_199_254_740_991, 9_007_199_254_740_992, u64::MAX]);
    record.live = i64::MIN;
    let snapshot = Snapshot::new(measuring(vec![crate::snapshot::fixtures::space("host", u64::MAX, vec![record])]));
    let data = data(&page(&snapshot));
    let columns = &data["spaces"][0]["rows"]["columns"];
    assert_eq!(columns["ncalls"][0], 9_007_199_254_740_991_u64);
    assert_eq!(columns["memory_peak"][0], "9007199254740992");
    assert_eq!(columns["memory_total"][0], "18446744073709551615");
    assert_eq!(columns["live"][0], "-9223372036854775808");
    assert_eq!(data["spaces"][0]["totals"]["peak"], "18446744073709551615");
}

#[test]
fn every_number_of_a_record_is_a_column() {
    let record = Record::default();
    let amounts = Field::ALL.iter().filter(|field| matches!(field.cell(&record), Cell::Amount(_)));
    for field in amounts {
        assert!(COLUMNS.contains(field), "{} has no column", field.name());
    }
}

#[test]
fn the_policy_has_the_hashes_of_what_the_page_carries() {
    let hash = |text: &str| STANDARD.encode(Hash::hash(text.as_bytes()));
    let found = [("STYLE_HASH", hash(STYLE), STYLE_HASH), ("SCRIPT_HASH", hash(SCRIPT), SCRIPT_HASH)];
    for (name, new, written) in found {
        assert!(new == written, "write in html/mod.rs:\nconst {name}: &str = \"{new}\";");
    }
}

#[test]
fn nothing_in_the_page_asks_for_another_file() {
    let page = page(&contract_example());
    for asking in ["http://", "https://", "src=", "@import", "url(", "fetch(", "import(", "XMLHttpRequest", "innerHTML"]
    {
        let known = if asking == "http://" { page.matches("http://www.w3.org/2000/svg").count() } else { 0 };
        assert_eq!(page.matches(asking).count(), known, "{asking}");
    }
}

#[test]
fn a_program_without_scopes_gets_the_line_that_says_so() {
    let mut parts = measuring(Vec::new());
    (parts.enabled, parts.scopes_entered) = (false, false);
    let data = data(&page(&Snapshot::new(parts)));
    assert_eq!(data["message"], "memprof is off: run with MEMPROF=1 or call memprof::enable()");
    assert_eq!(data["spaces"], Value::Array(Vec::new()));
}

/// One path `main`, with these below it: function, line, live bytes.
fn below_main(file: &str, paths: &[(&str, u32, i64)]) -> Snapshot {
    let mut space = SpaceData { name: "host".to_owned(), has_events: true, ..SpaceData::default() };
    space.tree.push(PathRecord::new(site("src/main.rs", 1, "main", [1, 0, 0]), None));
    space.records.push(site("src/main.rs", 1, "main", [1, 0, 0]));
    for (function, line, live) in paths {
        let record = Record { live: *live, ..site(file, *line, function, [1, 0, 0]) };
        space.totals.live += live;
        space.records.push(record.clone());
        space.tree.push(PathRecord::new(record, Some(0)));
    }
    Snapshot::new(measuring(vec![space]))
}

/// Function, which profiles have it, and live bytes in the first and second, for each path below `main`.
fn compared(first: &Snapshot, second: &Snapshot) -> Vec<(String, u64, i128, i128)> {
    let data = data(&page_of_two(first, second));
    let paths = &data["spaces"][0]["paths"];
    let rows = paths["site"].as_array().expect("a list").len();
    let live = |side: &str, row: usize| paths[side]["live"].get(row).map_or(0, number);
    (1..rows)
        .map(|row| {
            let site = paths["site"][row].as_u64().expect("a site") as usize;
            let name = data["sites"]["function"][site].as_u64().expect("a text") as usize;
            let name = data["strings"][name].as_str().expect("a text").to_owned();
            (name, paths["sides"][row].as_u64().expect("a number"), live("before", row), live("columns", row))
        })
        .collect()
}

#[test]
fn a_moved_line_and_an_upgrade_are_no_difference() {
    let first = below_main("bytes-1.9.0/src/lib.rs", &[("grow", 10, 100), ("shrink", 20, 50), ("gone", 30, 7)]);
    let second = below_main("bytes-1.10.1/src/lib.rs", &[("grow", 12, 160), ("shrink", 20, 20), ("new", 30, 9)]);
    let expected = [("grow", 3, 100, 160), ("shrink", 3, 50, 20), ("new", 2, 0, 9), ("gone", 1, 7, 0)];
    assert_eq!(compared(&first, &second), expected.map(|(name, sides, a, b)| (name.to_owned(), sides, a, b)));
}

#[test]
fn of_sites_alike_those_with_equal_lines_belong_together_then_those_in_order() {
    let first = below_main("src/a.rs", &[("scope", 10, 1), ("scope", 20, 2), ("scope", 30, 3)]);
    let second = below_main("src/a.rs", &[("scope", 5, 10), ("scope", 20, 20), ("scope", 40, 30), ("scope", 50, 40)]);
    let sides: Vec<_> = compared(&first, &second).into_iter().map(|(_, sides, a, b)| (sides, a, b)).collect();
    assert_eq!(sides, [(3, 1, 10), (3, 2, 20), (3, 3, 30), (2, 0, 40)]);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "seconds without optimisation: .ci/run does it in a release build")]
fn both_sides_of_a_difference_sum_to_their_totals_whatever_is_folded() {
    let (first, second) = (tree("host", 40_000, 9_000, &mut Random(4)), tree("host", 45_000, 9_000, &mut Random(5)));
    let [a, b] = [&first, &second].map(|space| Snapshot::new(measuring(vec![space.clone()])));
    let page = page_of_two(&a, &b);
    assert!(page.len() <= MOST_BYTES, "{} bytes", page.len());
    let data = data(&page);
    assert!(assert_sums(&data["spaces"][0], "before", &first)[1] > 0);
    assert_sums(&data["spaces"][0], "columns", &second);
}

/// What was tracked of a program, by folder.
fn plan(packages: &[(&str, &str, &str)]) -> Plan {
    let package = |(name, version, folder): &(&str, &str, &str)| TrackedPackage {
        name: (*name).to_owned(),
        version: (*version).to_owned(),
        folders: vec![(*folder).to_owned()],
        ..TrackedPackage::default()
    };
    Plan { packages: packages.iter().map(package).collect(), ..Plan::default() }
}

/// A snapshot with a row for each file, and this plan.
fn in_files(files: &[&str], plan: Plan) -> Snapshot {
    let mut space = SpaceData { name: "host".to_owned(), has_events: true, ..SpaceData::default() };
    space.records = files.iter().zip(1..).map(|(file, line)| site(file, line, "f", [1, 0, 0])).collect();
    Snapshot::new(measuring(vec![space])).with_plan(Some(plan))
}

/// The crate of each site, as the page has it.
fn crates_of(data: &Value) -> Vec<Option<&str>> {
    let name = |index: &Value| usize::try_from(index.as_i64()?).ok().and_then(|index| data["crates"][index].as_str());
    data["sites"]["crate"].as_array().map_or_else(Vec::new, |indices| indices.iter().map(name).collect())
}

#[test]
fn each_site_says_of_which_crate_it_is_where_several_were_tracked() {
    let app = ("app", "0.1.0", "");
    let files = ["src/main.rs", "map-0.13.2/src/raw.rs", "map-0.15.1/src/raw.rs", "", "map-0.13.2/src/map.rs"];
    let both = plan(&[app, ("map", "0.13.2", "map-0.13.2/"), ("map", "0.15.1", "map-0.15.1/")]);
    let all = data(&page(&in_files(&files, both)));
    let [old, new] = ["map 0.13.2", "map 0.15.1"].map(Some);
    assert_eq!(crates_of(&all), [Some("app"), old, new, None, old]);
    // Of two profiles, also what only the first has; an upgrade is no other crate.
    let before = in_files(&files[..2], plan(&[app, ("map", "0.13.2", "map-0.13.2/")]));
    let after = in_files(&files[2..3], plan(&[app, ("map", "0.15.1", "map-0.15.1/")]));
    let two = data(&page_of_two(&before, &after));
    assert_eq!(crates_of(&two), [Some("map"), Some("app")]);
    let other = in_files(&files[..3], plan(&[app, ("map", "0.13.2", "map-0.13.2/"), ("set", "1.0.0", "map-0.15.1/")]));
    let two = data(&page_of_two(&other, &in_files(&files[..1], plan(&[app]))));
    assert_eq!(crates_of(&two), [Some("app"), Some("map"), Some("set")]);
    // One alone is the whole program.
    let one = data(&page(&in_files(&files[..1], plan(&[app]))));
    assert_eq!((crates_of(&one), &one["crates"]), (Vec::new(), &Value::Null));
}
