use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::support::{Ended, PROFILE, folder, memprof_in};

/// A folder with `profile.json` and this `memprof.toml`.
fn folder_with(test: &str, toml: &str) -> PathBuf {
    let folder = folder(test);
    fs::copy(PROFILE, folder.join("profile.json")).expect("the profile");
    fs::write(folder.join("memprof.toml"), toml).expect("a file");
    folder
}

/// How `memprof check` ends there.
fn check(folder: &Path, arguments: &[&str]) -> Ended {
    memprof_in(folder, &[&["check"], arguments].concat())
}

/// Exit code 1, nothing said, and what is printed.
fn failing(folder: &Path, arguments: &[&str]) -> String {
    let ended = check(folder, arguments);
    assert_eq!((ended.code, &*ended.err), (Some(1), ""), "{}", ended.out);
    ended.out
}

/// Exit code 0, and what is printed.
fn passing(folder: &Path, arguments: &[&str]) -> String {
    let ended = check(folder, arguments);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{}", ended.out);
    ended.out
}

/// Exit code 2, nothing printed, and the one line that is said.
fn wrong(folder: &Path, arguments: &[&str]) -> String {
    let ended = check(folder, arguments);
    assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{}", ended.err);
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    ended.err.trim_end().strip_prefix("memprof: ").expect("who says it").to_owned()
}

/// The profile with another number in a record of this function.
fn with(folder: &Path, name: &str, function: &str, field: &str, number: i64) {
    let text = fs::read_to_string(folder.join("profile.json")).expect("a profile");
    let mut profile: Value = serde_json::from_str(&text).expect("JSON");
    let records = profile["spaces"][0]["records"].as_array_mut().expect("a list");
    let record = records.iter_mut().find(|record| record["function"] == function).expect("a row");
    record[field] = number.into();
    fs::write(folder.join(name), profile.to_string()).expect("a file");
}

#[test]
fn a_budget_that_is_just_met_holds() {
    let toml = "[[budget]]\nscope = \"DataFrame::*\"\npeak = 677027\n\n[[budget]]\nfile = \"examples/**\"\nlive = 0\n\n\
                [[budget]]\ntotal = \"1971226 B\"\n";
    let folder = folder_with("check_met", toml);
    let expected = "\
ok     budget 1 (memprof.toml:1), scope \"DataFrame::*\" in host: peak
       677,027 of 677,027 bytes (examples/01_dataframe/dataframe.rs:55(DataFrame::filter))
ok     budget 2 (memprof.toml:5), file \"examples/**\" in host: live
       0 of 0 bytes (examples/01_dataframe/main.rs:48(run))
ok     budget 3 (memprof.toml:9), the whole process in host: total
       1,971,226 of 1,971,226 bytes (host)
all 3 limits hold
";
    assert_eq!(passing(&folder, &["profile.json"]), expected);
}

#[test]
fn a_budget_that_is_over_says_by_how_much_and_who_holds_most() {
    let toml = "[[budget]]\nscope = \"DataFrame::f*\"\npeak = 677026\nncalls = 2\n\n[[budget]]\npeak = \"1 MB\"\n\n\
                [[budget]]\nscope = \"DataFrame::*\"\ntotal = 1000000\nsum = true\n";
    let folder = folder_with("check_over", toml);
    let expected = "\
FAILED budget 1 (memprof.toml:1), scope \"DataFrame::f*\" in host: peak
       examples/01_dataframe/dataframe.rs:55(DataFrame::filter): 677,027 of 677,026 bytes, 1 more than allowed
       held at the peak of the space by 513,655 examples/01_dataframe/column.rs:47(Column::take); 97,584 examples/01_dataframe/column.rs:57(Column::numbers); 65,536 examples/01_dataframe/dataframe.rs:55(DataFrame::filter)
ok     budget 1 (memprof.toml:1), scope \"DataFrame::f*\" in host: ncalls
       2 of 2 calls (examples/01_dataframe/dataframe.rs:55(DataFrame::filter))
FAILED budget 2 (memprof.toml:6), the whole process in host: peak
       host: 1,363,718 of 1,000,000 bytes, 363,718 more than allowed
       held at the peak of the space by 686,107 examples/01_dataframe/reader.rs:12(read_csv); 513,655 examples/01_dataframe/column.rs:47(Column::take); 97,584 examples/01_dataframe/column.rs:57(Column::numbers)
FAILED budget 3 (memprof.toml:9), scope \"DataFrame::*\" in host: total
       7 rows together: 1,766,743 of 1,000,000 bytes, 766,743 more than allowed
       most of it in 682,078 examples/01_dataframe/dataframe.rs:55(DataFrame::filter); 533,149 examples/01_dataframe/dataframe.rs:72(DataFrame::group_by); 531,073 examples/01_dataframe/dataframe.rs:44(DataFrame::take)
3 of 4 limits do not hold
";
    assert_eq!(failing(&folder, &["profile.json"]), expected);
}

#[test]
fn what_is_judged_is_also_there_for_programs_and_for_ci_systems() {
    let folder = folder_with(
        "check_junit",
        "[[budget]]\nscope = \"<DataFrame as Display>::fmt\"\npeak = 0\n\n[[budget]]\ntotal = \"1 GB\"\n",
    );
    let value: Value =
        serde_json::from_str(&failing(&folder, &["profile.json", "--json", "--junit", "x.xml"])).expect("JSON");
    assert_eq!(value["holds"], false);
    let verdict = &value["profiles"][0]["verdicts"][0];
    assert_eq!((&verdict["kind"], &verdict["limit"], &verdict["rows"]), (&"budget".into(), &"peak".into(), &1.into()));
    let failure = &verdict["failures"][0];
    assert_eq!((&failure["measured"], &failure["allowed"]), (&3080.into(), &0.into()));
    assert_eq!(failure["name"], "examples/01_dataframe/dataframe.rs:114(<DataFrame as Display>::fmt)");
    let xml = fs::read_to_string(folder.join("x.xml")).expect("a file");
    assert!(
        xml.contains("<testsuite name=\"profile.json\" tests=\"2\" skipped=\"0\" errors=\"0\" failures=\"1\">"),
        "{xml}"
    );
    assert!(xml.contains("<testcase name=\"budget 2 (memprof.toml:5), the whole process in host: total\" classname=\"memprof.budget\"/>"), "{xml}");
    assert!(xml.contains("<failure message=\"examples/01_dataframe/dataframe.rs:114(&lt;DataFrame as Display&gt;::fmt): 3,080 of 0 bytes, 3,080 more than allowed\">"), "{xml}");
}

#[test]
fn colour_is_for_terminals_or_who_asks_for_it() {
    let folder = folder_with("check_colour", "[[budget]]\npeak = 1\n");
    let plain = failing(&folder, &["profile.json"]);
    assert!(plain.starts_with("FAILED budget 1"), "{plain}");
    let coloured = failing(&folder, &["profile.json", "--color", "always"]);
    assert!(coloured.starts_with("\u{1b}[1m\u{1b}[31mFAILED\u{1b}[0m budget 1"), "{coloured:?}");
}

#[test]
fn nothing_passes_silently() {
    let is = [
        (
            "[[budget]]\nscope = \"Nobody::*\"\npeak = 1\n",
            "budget 1 (memprof.toml:1): scope \"Nobody::*\" matches no row; the profile has: run, load flights, read_csv, ..",
        ),
        (
            "[[budget]]\nspace = \"cuda:*\"\npeak = 1\n",
            "budget 1 (memprof.toml:1): space = \"cuda:*\" was not measured; measured: host",
        ),
        (
            "[[budget]]\nscope = \"run\"\nkept = 0\n",
            "budget 1 (memprof.toml:1): kept was not counted: the profile is of schema version 1",
        ),
    ];
    for (toml, expected) in is {
        let folder = folder_with("check_silent", toml);
        assert_eq!(wrong(&folder, &["profile.json"]), format!("cannot judge ‘profile.json’: {expected}"));
    }
    let folder = folder_with("check_silent", "[[budget]]\npeek = 1\n");
    assert_eq!(
        wrong(&folder, &["profile.json"]),
        "cannot read ‘memprof.toml’: line 2: unknown field `peek`, expected one of `scope`, `file`, `space`, `peak`, `total`, `live`, `kept`, `ncalls`, `sum`"
    );
    fs::remove_file(folder.join("memprof.toml")).expect("it is there");
    assert_eq!(
        wrong(&folder, &["profile.json"]),
        "cannot read ‘memprof.toml’: No such file or directory (os error 2); memprof init writes one"
    );
}

/// What stands in the file, a line for each scope, without lines of source and versions; and what a later profile is told.
#[test]
fn a_baseline_is_accepted_reviewed_and_judged_by() {
    let folder =
        folder_with("check_baseline", "[baseline]\nfile = \"base.json\"\npeak = \"+0 %\"\nncalls = \"+0 %\"\n");
    assert_eq!(
        wrong(&folder, &["profile.json"]),
        "cannot read the baseline ‘base.json’: No such file or directory (os error 2); memprof check PROFILE --accept writes one"
    );
    let accepted = check(&folder, &["profile.json", "--accept"]);
    assert_eq!((accepted.code, &*accepted.err), (Some(0), "memprof: the baseline ‘base.json’ has the new numbers\n"));
    let text = fs::read_to_string(folder.join("base.json")).expect("a file");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..4],
        [
            r#"{"memprof_baseline":1,"spaces":["#,
            r#"{"space":"host","peak":1363718,"total":1971226,"live":544,"scopes":["#,
            r#"{"file":"examples/01_dataframe/column.rs","scope":"Column::new","peak":0,"total":0,"live":0,"ncalls":8},"#,
            r#"{"file":"examples/01_dataframe/column.rs","scope":"Column::numbers","peak":97584,"total":487584,"live":0,"ncalls":8},"#,
        ]
    );
    assert_eq!(lines.len(), 2 + 17 + 2);

    let held = passing(&folder, &["profile.json"]);
    assert!(held.contains("ok     baseline (base.json), each scope in host: peak\n"), "{held}");
    assert!(held.ends_with("\nall 3 limits hold\n"), "{held}");

    with(&folder, "more.json", "read_csv", "memory_peak", 695_740);
    let failed = failing(&folder, &["more.json"]);
    assert!(
        failed.contains(
            "       examples/01_dataframe/reader.rs:12(read_csv): 695,740 of 695,739 bytes, 1 more than allowed\n"
        ),
        "{failed}"
    );
    assert!(
        failed
            .contains("       held at the peak of the space by 686,107 examples/01_dataframe/reader.rs:12(read_csv)\n"),
        "{failed}"
    );
    assert!(failed.ends_with("\n1 of 3 limits do not hold\n"), "{failed}");

    // A row of another name is new, and the old one is no longer called: neither has a number to be judged by.
    let renamed = fs::read_to_string(folder.join("profile.json")).expect("a profile").replace("read_csv", "read_file");
    fs::write(folder.join("renamed.json"), renamed).expect("a file");
    let notes = passing(&folder, &["renamed.json"]);
    assert!(notes.contains("\nnote   new, so not judged by baseline (base.json) in host: 1 scope (read_file); --accept takes that into it\n"), "{notes}");
    assert!(notes.contains("\nnote   no longer called, but in baseline (base.json) in host: 1 scope (read_csv); --accept takes that into it\n"), "{notes}");
}

#[test]
fn a_baseline_of_several_runs_has_ranges_and_says_what_varied() {
    let folder = folder_with("check_ranges", "[baseline]\nfile = \"base.json\"\npeak = \"+1 %\"\n");
    with(&folder, "second.json", "count", "memory_peak", 1_600);
    assert_eq!(check(&folder, &["profile.json", "second.json", "--accept"]).code, Some(0));
    let text = fs::read_to_string(folder.join("base.json")).expect("a file");
    assert!(text.contains("\"scope\":\"count\",\"peak\":[1504,1600],"), "{text}");
    with(&folder, "within.json", "count", "memory_peak", 1_616);
    passing(&folder, &["within.json"]);
    with(&folder, "over.json", "count", "memory_peak", 1_617);
    let failed = failing(&folder, &["over.json"]);
    assert!(
        failed.contains("1,617 of 1,616 bytes, 1 more than allowed; it varied from 1,504 to 1,600 in the baseline\n"),
        "{failed}"
    );
    // The same of profiles that are named, and no memprof.toml: then no peak may be greater.
    fs::remove_file(folder.join("memprof.toml")).expect("it is there");
    let failed = failing(&folder, &["over.json", "--baseline", "profile.json", "--baseline", "second.json"]);
    assert!(
        failed.contains("1,617 of 1,600 bytes, 17 more than allowed; it varied from 1,504 to 1,600 in the baseline\n"),
        "{failed}"
    );
    assert!(failed.contains("FAILED baseline (profile.json, second.json), each scope in host: peak\n"), "{failed}");
}

/// Moved lines and another version of a dependency are no difference to a baseline.
#[test]
fn a_baseline_outlives_moved_lines_and_upgrades() {
    let folder = folder_with("check_moved", "[baseline]\nfile = \"base.json\"\n");
    let text = fs::read_to_string(PROFILE).expect("the profile");
    let of = |version: &str, line: &str| {
        text.replace("examples/01_dataframe/reader.rs", &format!("reader-{version}/src/lib.rs"))
            .replace("\"line\":12,", &format!("\"line\":{line},"))
    };
    fs::write(folder.join("profile.json"), of("1.0.0", "12")).expect("a file");
    assert_eq!(check(&folder, &["profile.json", "--accept"]).code, Some(0));
    let base = fs::read_to_string(folder.join("base.json")).expect("a file");
    assert!(base.contains("{\"file\":\"reader/src/lib.rs\",\"scope\":\"read_csv\","), "{base}");
    fs::write(folder.join("profile.json"), of("1.2.0", "99")).expect("a file");
    assert!(!passing(&folder, &["profile.json"]).contains("note "));
    assert_eq!(check(&folder, &["profile.json", "--accept"]).code, Some(0));
    assert_eq!(fs::read_to_string(folder.join("base.json")).expect("a file"), base);
}

/// The profile as memprof writes it today, with what calls of one function left behind.
fn with_kept(folder: &Path, name: &str, memprof: &str, kept: i64) {
    with(folder, name, "count", "kept", kept);
    let text = fs::read_to_string(folder.join(name)).expect("a profile");
    let mut profile: Value = serde_json::from_str(&text).expect("JSON");
    profile["schema_version"] = 2.into();
    profile["process"] = serde_json::json!({ "program": "dataframe", "pid": 1, "started": "", "taken": "", "seconds": 1.0, "memprof": memprof });
    fs::write(folder.join(name), profile.to_string()).expect("a file");
}

/// Of schema version 1 is `profile.json`: `kept` was not counted then, which is not 0.
#[test]
fn a_number_that_a_baseline_does_not_have_is_not_taken_for_0() {
    let folder = folder_with("check_kept", "[baseline]\nfile = \"base.json\"\nkept = \"+0 %\"\n");
    with_kept(&folder, "new.json", "0.1.0", 5);
    let lacks = |baseline: &str| {
        format!(
            "cannot judge ‘new.json’: baseline ({baseline}) has no kept of scope ‘Column::new’ in host (a profile of schema version 1 has none); --accept of a newer profile writes it"
        )
    };
    assert_eq!(wrong(&folder, &["new.json", "--baseline", "profile.json"]), lacks("profile.json"));
    // What is accepted of it has no such number either.
    let accepted = check(&folder, &["profile.json", "--accept"]);
    let not_counted = "memprof: cannot judge ‘profile.json’: kept was not counted: the profile is of schema version 1";
    assert_eq!((accepted.code, accepted.err.lines().last()), (Some(2), Some(not_counted)));
    let base = fs::read_to_string(folder.join("base.json")).expect("a file");
    assert!(base.contains("\"scope\":\"Column::new\",\"peak\":0,\"total\":0,\"live\":0,\"ncalls\":8}"), "{base}");
    assert_eq!(wrong(&folder, &["new.json"]), lacks("base.json"));
    // Of runs of which one has it, that one says it.
    passing(&folder, &["new.json", "--baseline", "profile.json", "--baseline", "new.json"]);
    with_kept(&folder, "more.json", "0.1.0", 6);
    let failed = failing(&folder, &["more.json", "--baseline", "new.json"]);
    assert!(failed.contains("6 of 5 bytes, 1 more than allowed\n"), "{failed}");
    // A number that a hand took out.
    let base = base.replacen("\"total\":1971226,", "", 1);
    fs::write(folder.join("base.json"), base).expect("a file");
    fs::write(folder.join("memprof.toml"), "[baseline]\nfile = \"base.json\"\ntotal = \"+0 %\"\n").expect("a file");
    assert_eq!(
        wrong(&folder, &["new.json"]),
        "cannot judge ‘new.json’: baseline (base.json) has no total of the whole process in host; --accept of a newer profile writes it"
    );
}

/// A merged profile names a memprof only where all its processes had the same one.
#[test]
fn kept_of_a_merged_profile_is_judged_where_each_process_counted_it() {
    let folder = folder_with("check_merged", "[[budget]]\nscope = \"count\"\nkept = 1\n");
    with_kept(&folder, "a.json", "0.1.0", 10_000);
    with_kept(&folder, "b.json", "0.1.1", 20_000);
    let merge = |files: &[&str]| {
        let ended = memprof_in(&folder, &[&["merge", "-o", "fleet.json"], files].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    };
    merge(&["a.json", "b.json"]);
    let ended = check(&folder, &["fleet.json"]);
    assert_eq!((ended.code, &*ended.err), (Some(1), ""), "{}", ended.out);
    assert!(ended.out.contains("30,000 "), "{}", ended.out);
    merge(&["a.json", "profile.json"]);
    assert_eq!(
        wrong(&folder, &["fleet.json"]),
        "cannot judge ‘fleet.json’: budget 1 (memprof.toml:1): kept was not counted: a profile that it was merged of is of schema version 1"
    );
}

#[test]
fn what_cannot_be_accepted_or_compared_is_said() {
    let folder = folder_with("check_accept", "[[budget]]\ntotal = \"1 GB\"\n");
    assert_eq!(
        wrong(&folder, &["profile.json", "--accept"]),
        "there is no baseline file to accept the numbers into; accepted: [baseline] in memprof.toml, or --baseline FILE"
    );
    assert_eq!(
        wrong(&folder, &["profile.json", "--accept", "--baseline", "profile.json"]),
        "‘profile.json’ is no baseline, so it is not written over; accepted: one that memprof check --accept wrote, or a new file"
    );
    assert_eq!(
        wrong(&folder, &["profile.json", "--accept", "--baseline", "a", "--baseline", "b"]),
        "the numbers are accepted into one file; --baseline names several"
    );
    fs::write(folder.join("base.json"), "{\"memprof_baseline\":9,\"spaces\":[]}").expect("a file");
    assert_eq!(
        wrong(&folder, &["profile.json", "--baseline", "base.json"]),
        "cannot read the baseline ‘base.json’: it has version 9; accepted: 1"
    );
    fs::write(
        folder.join("base.json"),
        "{\"memprof_baseline\":1,\"spaces\":[{\"space\":\"cuda:0\",\"peak\":1,\"scopes\":[]}]}",
    )
    .expect("a file");
    assert_eq!(
        wrong(&folder, &["profile.json", "--baseline", "base.json"]),
        "cannot judge ‘profile.json’: space ‘cuda:0’ of baseline (base.json) was not measured"
    );
    fs::write(
        folder.join("base.json"),
        "{\"memprof_baseline\":1,\"spaces\":[{\"space\":\"host\",\"peak\":[3,1],\"scopes\":[]}]}",
    )
    .expect("a file");
    let said = wrong(&folder, &["profile.json", "--baseline", "base.json"]);
    assert!(
        said.starts_with("cannot read the baseline ‘base.json’: a range is the least and the greatest, as [4, 6]"),
        "{said}"
    );
    fs::write(folder.join("memprof.toml"), "[baseline]\npeak = \"+0 %\"\n").expect("a file");
    assert_eq!(
        wrong(&folder, &["profile.json"]),
        "cannot read ‘memprof.toml’: [baseline] names no file; accepted: file = \"memprof-baseline.json\", or --baseline FILE"
    );
    assert_eq!(
        wrong(&folder, &["none.json", "--baseline", "profile.json", "--junit", "no/such/x.xml"]),
        "cannot write ‘no/such/x.xml’: there is no folder ‘no/such’"
    );
}

#[test]
fn init_writes_budgets_that_the_profile_meets_and_never_over_a_file() {
    let folder = folder("init");
    fs::copy(PROFILE, folder.join("profile.json")).expect("the profile");
    let init = |arguments: &[&str]| memprof_in(&folder, &[&["init"], arguments].concat());
    assert_eq!(init(&["profile.json"]), Ended { code: Some(0), out: String::new(), err: String::new() });
    let text = fs::read_to_string(folder.join("memprof.toml")).expect("a file");
    assert!(
        text.contains(
            "\n# 1,363,718 bytes in the profile that this file was made for\n[[budget]]\npeak = \"1332 KiB\"\n"
        ),
        "{text}"
    );
    assert!(text.contains("\n[[budget]]\nscope = \"load flights\"\npeak = \"1332 KiB\"\n"), "{text}");
    assert!(passing(&folder, &["profile.json"]).ends_with("\nall 4 limits hold\n"));
    let again = init(&["profile.json"]);
    let refused = "memprof: cannot write ‘memprof.toml’: it is there already, and is not written over\n";
    assert_eq!((again.code, &*again.err), (Some(2), refused));
    assert_eq!(fs::read_to_string(folder.join("memprof.toml")).expect("a file"), text);
    // For nothing: a file to fill in, which judges nothing yet and says so; each line of it that is commented out is right.
    assert_eq!(init(&["-o", "empty.toml"]).code, Some(0));
    assert_eq!(
        wrong(&folder, &["profile.json", "--budget", "empty.toml"]),
        "cannot read ‘empty.toml’: it judges nothing; accepted: at least one [[budget]], or [baseline]"
    );
    let empty = fs::read_to_string(folder.join("empty.toml")).expect("a file");
    let filled: String = empty
        .lines()
        .map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    fs::write(folder.join("filled.toml"), filled).expect("a file");
    assert_eq!(check(&folder, &["profile.json", "--budget", "filled.toml", "--accept"]).code, Some(0));
}
