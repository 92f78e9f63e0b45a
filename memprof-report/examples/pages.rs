//! Pages for `scripts/check-page` to open: small and large profiles, hostile names, a difference.
//!
//! ```sh
//! cargo run -p memprof-report --example pages -- target/pages
//! ```
//!
//! Each profile is made as its JSON, which is what a saved one is. The numbers follow no program but add up as a program's
//! do: the parts of each space sum to its totals.

use std::{error::Error, fs::File, io::BufWriter, path::Path};

use memprof_report::{Format, Snapshot};
use serde_json::{Map, Value, json};

const FUNCTIONS: &[&str] = &[
    "main",
    "load",
    "read_csv",
    "Parser::parse",
    "DataFrame::new",
    "DataFrame::filter",
    "<DataFrame as Display>::fmt",
    "Column::take",
    "group_by",
    "join",
    "sort_descending",
    "tokenize",
    "embed",
    "Attention::forward",
    "Linear::forward",
    "write_parquet",
    "decode_page",
    "Dictionary::insert",
    "flush",
    "spill",
    "partition",
    "hash_rows",
    "probe",
    "compress",
    "fetch",
    "retry",
    "serve",
    "handle_request",
    "SessionCache::lookup",
    "SessionCache::insert",
    "evict",
    "compact",
    "merge_runs",
    "plan",
    "optimise",
    "rewrite_filter",
];
const FILES: &[&str] = &[
    "src/main.rs",
    "src/dataframe.rs",
    "src/column/take.rs",
    "src/io/csv.rs",
    "src/io/parquet/decode.rs",
    "src/model/attention.rs",
    "src/model/linear.rs",
    "src/serve/http.rs",
    "src/serve/session.rs",
    "src/plan/rules/filter.rs",
    "bytes-1.9.0/src/bytes_mut.rs",
    "arrow-array-53.0.0/src/builder/primitive.rs",
];
const HOSTILE: &[&str] = &[
    "<script>document.title = 'taken over'</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"quotes\" & 'more'",
    "line\u{2028}separator\u{2029}here",
    "مرحبا بالعالم",
    "שלום_עולם::פונקציה",
    "turned \u{202e}right to left",
    "tab\tand\nnew line\u{1b}[31m red",
    "名前::関数",
    "{{data}}{{script}}",
    " ",
    "__proto__",
    "constructor",
];
const LONG_NOTE: &str =
    "1,204 times a poll ended inside the scope \"rest\" (src/x.rs:10): give scope! an async block instead";
/// Numbers, and whether those of several paths add up.
const AMOUNTS: &[(&str, bool)] = &[
    ("ncalls", true),
    ("memory_peak", false),
    ("memory_total", true),
    ("blocks_total", true),
    ("self_total", true),
    ("self_blocks", true),
    ("reallocs", true),
    ("failed", true),
    ("live", true),
    ("live_blocks", true),
    ("at_peak", true),
    ("at_peak_blocks", true),
    ("temporary", true),
    ("kept", true),
    ("kept_calls", true),
    ("largest", false),
];

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("name the directory to write to")?;
    let directory = Path::new(&directory);
    std::fs::create_dir_all(directory)?;
    let mut random = Random(7);
    let mut spaces = |list: &[(&str, usize, usize)]| -> Vec<Value> {
        list.iter()
            .map(|(name, paths, sites)| space(name, *paths, &sites_named(FUNCTIONS, *sites), &mut random))
            .collect()
    };
    let five = [("host", 200, 60), ("cuda:0", 90, 40), ("cuda:1", 80, 40), ("managed", 9, 9), ("pinned", 30, 20)];
    let one = spaces(&[("host", 80, 36)]);
    let many = profile(&spaces(&[("host", 100_000, 20_000)]), &[]);
    let pages: [(&str, Value); 9] = [
        ("one", profile(&one, &[])),
        ("crates", with_plan(profile(&one, &[]))),
        ("five", with_words(profile(&spaces(&five), &[LONG_NOTE]))),
        ("single", old(profile(&spaces(&[("host", 1, 1)]), &[]))),
        ("10k", profile(&spaces(&[("host", 10_000, 1_500)]), &[])),
        ("100k", many.clone()),
        ("100k-crates", with_plan(many)),
        ("freed", profile(&freed(&one), &[])),
        (
            "empty",
            json!({"schema_version": 1, "state": {"enabled": false, "host": "measured", "scopes_entered": false}, "notes": [], "spaces": []}),
        ),
    ];
    for (name, value) in &pages {
        read(value)?.report().format(Format::Html).write_to(directory.join(format!("{name}.html")))?;
    }
    hostile(&mut random)?.report().write_to(directory.join("hostile.html"))?;
    let [first, second] = two(&mut random);
    let mut out = BufWriter::new(File::create(directory.join("diff.html"))?);
    memprof_report::write_html_diff(&read(&first)?, &read(&second)?, &memprof_report::Options::default(), &mut out)?;
    Ok(())
}

/// With what is said in words: failures, frees of unknown blocks, a picture below the peak, a device.
fn with_words(mut profile: Value) -> Value {
    let host = &mut profile["spaces"][0]["totals"];
    (host["failed"], host["unknown_frees"], host["missed_frees"]) = (json!(3), json!(1), json!(2));
    host["peak"] = json!(host["peak"].as_u64().unwrap_or(0) + 966);
    host["peak_threads"] = json!(8);
    profile["resident"]["limit"] = Value::Null;
    profile["devices"] = json!([{
        "space": "cuda:0", "attributed": 17_408, "pool_reserved": 33_554_432, "pool_reserved_high": 67_108_864,
        "pool_used": 17_408, "pool_used_high": 145_000, "used": 1_503_238_553, "total": 85_899_345_920_u64,
        "unattributed": 1_469_684_121, "last_known": false,
    }]);
    profile
}

/// As `cargo memprof` leaves it: of three packages.
fn with_plan(mut profile: Value) -> Value {
    let package = |name: &str, folder: &str| json!({"name": name, "version": "0.1.0", "folders": [folder], "tracked": 12, "policy": "lean", "calibrated": []});
    profile["plan"] = json!({
        "packages": [package("flights", ""), package("column", "src/column/"), package("serve", "src/serve/")],
        "untracked": ["tokio"], "starting": 1,
    });
    profile
}

fn read(profile: &Value) -> Result<Snapshot, serde_json::Error> {
    serde_json::from_value(profile.clone())
}

/// A saved profile of version 2.
fn profile(spaces: &[Value], notes: &[&str]) -> Value {
    json!({
        "schema_version": 2, "state": {"enabled": true, "host": "measured", "scopes_entered": true},
        "process": {
            "program": "flights", "pid": 4242, "started": "2026-11-26T05:10:02.123Z", "taken": "2026-11-26T05:10:14.467Z",
            "seconds": 12.344, "memprof": "0.1.0", "label": null,
        },
        "resident": {"now": 412_000_000, "peak": 530_000_000, "limit": 536_870_912, "limit_now": 430_000_000},
        "notes": notes, "spaces": spaces,
    })
}

/// The same as version 1 had it, which said neither when it was taken nor what was resident.
fn old(mut profile: Value) -> Value {
    profile["schema_version"] = json!(1);
    (profile["process"], profile["resident"]) = (json!({}), Value::Null);
    profile
}

fn labelled(mut profile: Value, label: &str, started: &str) -> Value {
    (profile["process"]["label"], profile["process"]["started"]) = (json!(label), json!(started));
    profile
}

/// Names that try to be markup, turn the writing direction, or are very long.
fn hostile(random: &mut Random) -> Result<Snapshot, serde_json::Error> {
    let long = format!("a_function_whose_name_is_{}long", "very_".repeat(54));
    let wide = "x".repeat(300);
    let names: Vec<&str> = HOSTILE.iter().copied().chain([long.as_str(), &wide]).collect();
    let deep = format!("src/{}mod.rs", "deep/".repeat(50));
    let sites: Vec<Site> = (names.iter().enumerate())
        .map(|(index, name)| Site {
            function: (*name).to_owned(),
            file: [deep.as_str(), "src/<b>.rs", ""][index % 3].to_owned(),
            line: 1 + index,
        })
        .collect();
    let space_name = format!("my <b>\"space\"</b> {}", "s".repeat(200));
    let spaces = ["host", &space_name, "ذاكرة"].map(|name| space(name, 45, &sites, random));
    let mut profile = profile(&spaces, &["<b>a note</b>", &"n".repeat(300)]);
    profile["process"]["program"] = json!("</title><script>alert(1)</script>");
    profile["process"]["label"] = json!(long);
    read(&profile)
}

/// The same program before and after a change: lines have moved, some functions allocate more, some less, some are new.
fn two(random: &mut Random) -> [Value; 2] {
    let sites = sites_named(FUNCTIONS, 36);
    let first: Vec<Value> =
        [("host", 120), ("cuda:0", 40)].map(|(name, paths)| space(name, paths, &sites, random)).into();
    let mut second = first.clone();
    for space in &mut second {
        for (index, path) in space["tree"].as_array_mut().into_iter().flatten().enumerate() {
            path["line"] = json!(path["line"].as_u64().unwrap_or(0) + 3);
            let (times, of) = [(1, 1), (1, 1), (3, 2), (1, 3), (1, 1), (5, 1), (9, 10)][index % 7];
            for (name, _) in AMOUNTS {
                path[*name] = json!(path[*name].as_i64().unwrap_or(0) * times / of);
            }
            if index % 17 == 5 {
                path["function"] = json!(format!("{}_anew", path["function"].as_str().unwrap_or_default()));
            }
        }
        summed_up(space);
    }
    [
        labelled(profile(&first, &[]), "main", "2026-11-25T09:30:00.000Z"),
        labelled(profile(&second, &[]), "pull request 77", "2026-11-26T05:10:02.123Z"),
    ]
}

/// The same spaces where nothing is live any more.
fn freed(spaces: &[Value]) -> Vec<Value> {
    let mut spaces = spaces.to_vec();
    for space in &mut spaces {
        space["totals"]["no_scope_live"] = json!(0);
        for path in space["tree"].as_array_mut().into_iter().flatten() {
            (path["live"], path["live_blocks"]) = (json!(0), json!(0));
        }
        summed_up(space);
    }
    spaces
}

struct Site {
    function: String,
    file: String,
    line: usize,
}

fn sites_named(functions: &[&str], count: usize) -> Vec<Site> {
    let name = |index: usize| match index / functions.len() {
        0 => functions[index].to_owned(),
        round => format!("{}_{round}", functions[index % functions.len()]),
    };
    let file = |index: usize| if index % 19 == 18 { "" } else { FILES[(index * 7 + index / 5) % FILES.len()] };
    (0..count)
        .map(|index| Site { function: name(index), file: file(index).to_owned(), line: 3 + index * 17 % 900 })
        .collect()
}

/// A tree of so many paths over these sites, its records and totals.
fn space(name: &str, paths: usize, sites: &[Site], random: &mut Random) -> Value {
    let mut tree: Vec<Value> = Vec::new();
    let mut depth: Vec<usize> = Vec::new();
    for index in 0..paths {
        let mut parent = (index > 0).then(|| index - 1 - random.below(index.min(40)));
        while parent.is_some_and(|parent| depth[parent] > 26) {
            parent = tree[parent.unwrap_or(0)]["parent"].as_u64().map(|parent| parent as usize);
        }
        depth.push(parent.map_or(0, |parent| depth[parent] + 1));
        let site = &sites[if index == 0 { 0 } else { random.below(sites.len()) }];
        // A few are great and many small, as in programs.
        let bytes = if random.below(10) < 3 { 0 } else { (1 << 24) / (1 + random.below(1 << 14)) };
        let at_peak = if random.below(10) < 4 { 0 } else { bytes * random.below(100) / 100 };
        let live = if random.below(4) > 0 { 0 } else { at_peak * random.below(100) / 100 };
        let blocks = |bytes: usize| bytes.div_ceil(900);
        let place = if site.file.is_empty() {
            site.function.clone()
        } else {
            format!("{}:{}({})", site.file, site.line, site.function)
        };
        tree.push(json!({
            "name": place, "file": site.file, "line": if site.file.is_empty() { 0 } else { site.line }, "function": site.function,
            "parent": parent, "ncalls": 1 + 400 / (1 + random.below(300)), "memory_peak": at_peak, "memory_total": bytes,
            "blocks_total": blocks(bytes), "self_total": bytes, "self_blocks": blocks(bytes), "reallocs": blocks(bytes) / 7,
            "failed": 0, "live": live, "live_blocks": blocks(live), "at_peak": at_peak, "at_peak_blocks": blocks(at_peak),
            "temporary": blocks(bytes) / 5, "largest": bytes / 3,
            "kept": if index % 23 == 7 { json!(-112) } else { json!(live) }, "kept_calls": usize::from(live > 0 && index % 23 != 7),
        }));
    }
    for index in (1..paths).rev() {
        let Some(parent) = tree[index]["parent"].as_u64() else { continue };
        for field in ["memory_peak", "memory_total", "blocks_total"] {
            let below = tree[index][field].as_u64().unwrap_or(0);
            let of_parent = &mut tree[parent as usize][field];
            *of_parent = json!(of_parent.as_u64().unwrap_or(0) + below);
        }
    }
    let totals = json!({"no_scope_live": 544, "no_scope_total": 12_345, "no_scope_at_peak": 6_000});
    let mut space = json!({"name": name, "has_events": true, "totals": totals, "records": [], "tree": tree});
    summed_up(&mut space);
    space
}

/// Fills in the records and totals that the tree of `space` makes.
fn summed_up(space: &mut Value) {
    let mut records: Map<String, Value> = Map::new();
    let mut sums: Map<String, Value> = Map::new();
    for path in space["tree"].as_array().into_iter().flatten() {
        let name = path["name"].as_str().unwrap_or_default().to_owned() + path["function"].as_str().unwrap_or_default();
        let of_site = records.entry(name).or_insert_with(|| {
            let mut record = path.clone();
            for (field, _) in AMOUNTS {
                record[*field] = json!(0);
            }
            record.as_object_mut().and_then(|record| record.remove("parent"));
            record
        });
        for (field, adds_up) in AMOUNTS {
            let of_path = path[*field].as_i64().unwrap_or(0);
            let known = of_site[*field].as_i64().unwrap_or(0);
            of_site[*field] = json!(if *adds_up { known + of_path } else { known.max(of_path) });
            let sum = sums.get(*field).and_then(Value::as_i64).unwrap_or(0);
            sums.insert((*field).to_owned(), json!(sum + of_path));
        }
    }
    space["records"] = records.into_iter().map(|(_, record)| record).collect();
    let sum = |field: &str| sums.get(field).and_then(Value::as_i64).unwrap_or(0);
    let outside = |field: &str| space["totals"][field].as_i64().unwrap_or(0);
    let at_peak = sum("at_peak") + outside("no_scope_at_peak");
    space["totals"] = json!({
        "live": sum("live") + outside("no_scope_live"), "live_blocks": sum("live_blocks") + 1, "peak": at_peak,
        "peak_blocks": sum("at_peak_blocks") + 7, "at_peak_level": at_peak, "total": sum("self_total") + outside("no_scope_total"),
        "blocks_total": sum("self_blocks") + 14, "failed": 0, "unknown_frees": 0, "missed_frees": 0,
        "no_scope_live": outside("no_scope_live"), "no_scope_total": outside("no_scope_total"), "no_scope_at_peak": outside("no_scope_at_peak"),
        "no_scope_live_blocks": 1, "no_scope_blocks": 14, "no_scope_at_peak_blocks": 7,
    });
}

/// Numbers without a pattern, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}
