use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{PROFILE, complaint, folder, printed};

/// A profile like `dataframe.json`, in which `read_csv` holds 1,000 bytes more at the peak, and `count` is not called.
fn changed(folder: &Path) -> String {
    let mut profile: Value = serde_json::from_slice(&fs::read(PROFILE).expect("the profile")).expect("JSON");
    let host = &mut profile["spaces"][0];
    for total in ["peak", "at_peak_level"] {
        host["totals"][total] = (host["totals"][total].as_u64().expect("a number") + 1_000).into();
    }
    for rows in ["records", "tree"] {
        let rows = host[rows].as_array_mut().expect("a list");
        let reader = rows.iter_mut().find(|row| row["function"] == "read_csv").expect("a row");
        for field in ["at_peak", "memory_peak"] {
            reader[field] = (reader[field].as_u64().expect("a number") + 1_000).into();
        }
    }
    host["records"].as_array_mut().expect("a list").retain(|row| row["function"] != "count");
    let path = folder.join("new.json");
    fs::write(&path, profile.to_string()).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn diff_says_what_is_worse_by_how_much_and_where() {
    let new = changed(&folder("diff"));
    let text = printed(&["diff", PROFILE, &new, "--columns", "at_peak,ncalls"]);
    assert!(
        text.starts_with(&format!(
            "Memory, before and after\n========================\n\nbefore: {PROFILE}\nafter:  {new}\n\n"
        )),
        "{text}"
    );
    assert!(
        text.contains("\nhost: peak 1,363,718 -> 1,364,718 bytes (+1,000, +0.1 %); total 1,971,226 bytes as before; "),
        "{text}"
    );
    assert!(
        text.contains("\n  most of it, held at the peak: +1,000 examples/01_dataframe/reader.rs:12(read_csv)\n"),
        "{text}"
    );
    let table = text.split_once("change ").expect("a table").1;
    let expected = " before   after    +/-    +/- % at_peak ncalls filename:lineno(function)
  gone   1,504       0 -1,504 -100.0 %       0     -2 examples/01_dataframe/dataframe.rs:131(count)
 grown 695,739 696,739 +1,000   +0.1 %  +1,000      0 examples/01_dataframe/reader.rs:12(read_csv)
15 rows did not change in these columns
";
    assert_eq!(table, expected);
}

/// `diff` judges nothing: 0, whatever changed.
#[test]
fn diff_of_a_profile_with_itself_says_that_nothing_changed() {
    let text = printed(&["diff", PROFILE, PROFILE]);
    assert!(text.ends_with("\n17 rows did not change in these columns\n"), "{text}");
    assert!(text.contains("\nhost: peak 1,363,718 bytes as before; "), "{text}");
}

#[test]
fn diff_writes_every_format_that_it_has_and_prints_nothing() {
    let folder = folder("diff_formats");
    let new = changed(&folder);
    let mut call = vec!["diff", PROFILE, &new];
    let paths: Vec<String> = ["txt", "md", "html", "svg", "json"]
        .iter()
        .map(|ending| folder.join(format!("out.{ending}")).display().to_string())
        .collect();
    for path in &paths {
        call.extend(["-o", path]);
    }
    assert_eq!(printed(&call), "");
    let read = |index: usize| fs::read_to_string(&paths[index]).expect("a file");
    assert!(read(0).starts_with("Memory, before and after\n"));
    assert!(read(1).contains("\n**`host`: peak 1,363,718 → 1,364,718 bytes (+1,000, +0.1 %)**; "));
    assert!(read(2).contains("<title>Memory, before and after</title>"));
    assert!(
        read(3)
            .contains(">host: +1,000 bytes held at the peak; left, orange: +1,000 grown; right, blue: 0 shrunk</text>"),
        "{}",
        read(3)
    );
    assert_eq!(read(4), printed(&["diff", PROFILE, &new, "--json"]));
    let value: Value = serde_json::from_str(&read(4)).expect("JSON");
    let changes = value["spaces"][0]["records"].as_array().expect("a list").iter();
    assert_eq!(changes.filter(|row| row["change"] == "gone").count(), 1);
}

#[test]
fn diff_refuses_what_it_cannot_do() {
    let folder = folder("diff_wrong");
    let out = folder.join("out.pb.gz").display().to_string();
    assert_eq!(
        complaint(&["diff", PROFILE, PROFILE, "-o", &out]),
        format!(
            "cannot write ‘{out}’: its ending names no format of differences; accepted: .txt, .md, .html, .svg, .json"
        )
    );
    assert_eq!(
        complaint(&["diff", PROFILE, PROFILE, "--space", "cuda:0"]),
        format!("‘{PROFILE}’ has no space ‘cuda:0’ in which anything happened; accepted: host")
    );
    assert_eq!(
        complaint(&["diff", PROFILE, "/no/such.json"]),
        "cannot read ‘/no/such.json’: No such file or directory (os error 2)"
    );
    assert_eq!(
        complaint(&["diff", "/no/such.json", PROFILE]),
        "cannot read ‘/no/such.json’: No such file or directory (os error 2)"
    );
    assert_eq!(
        complaint(&["diff", PROFILE]),
        "the following required arguments were not provided: <NEW>; see memprof --help"
    );
    let said = complaint(&["diff", PROFILE, PROFILE, "--order", "name"]);
    assert!(said.starts_with("invalid value 'name' for '--order <FIELD>': accepted: ncalls, memory_peak, "), "{said}");
    let out = folder.join("no/such/out.md").display().to_string();
    assert_eq!(
        complaint(&["diff", PROFILE, PROFILE, "-o", &out]),
        format!("cannot write ‘{out}’: there is no folder ‘{}’", folder.join("no/such").display())
    );
    assert_eq!(fs::read_dir(folder).expect("the folder").count(), 0);
}
