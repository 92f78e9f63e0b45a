use crate::support::{PROFILE, complaint, printed};

#[test]
fn report_prints_what_the_program_would_have() {
    let text = printed(&["report", PROFILE]);
    assert!(text.starts_with("Memory Profiling\n================\n\nLegends:\n"), "{text}");
    assert!(text.contains("\n     1   1,363,170    1,970,678 examples/01_dataframe/main.rs:48(run)\n"), "{text}");
    assert!(text.contains("\nhost: peak 1,363,718 bytes, total 1,971,226 bytes, live 544 bytes; "), "{text}");
}

#[test]
fn report_orders_and_shows_what_is_asked_for() {
    let text = printed(&["report", PROFILE, "--order", "self_total", "--columns", "self_total,name", "--rows", "1"]);
    let (table, _held) = text.split_once("Held at the peak of host").expect("who held it stands below");
    let rows: Vec<&str> = table.lines().filter(|line| line.contains("examples/")).collect();
    assert_eq!(rows, ["   725,226 examples/01_dataframe/reader.rs:12(read_csv)"]);
}

#[test]
fn a_cut_table_names_the_option_that_cut_it() {
    let text = printed(&["report", PROFILE, "--rows", "1"]);
    let line = text.lines().find(|line| line.contains("left out")).expect("rows are left out");
    assert!(line.ends_with(" more rows left out (--rows 1)"), "{line}");
}

#[test]
fn report_prints_the_call_tree_that_is_asked_for() {
    let text = printed(&["report", PROFILE, "--tree", "--columns", "ncalls", "--rows", "4"]);
    let from = text.find("Call tree by:").expect("a tree");
    let tree = text[from..].split("\n\nhost: ").next().expect("the tree");
    let expected = "\
Call tree by: at_peak, branches of less than 1% folded

   branch  share ncalls filename:lineno(function)
1,363,170 100.0%      1 examples/01_dataframe/main.rs:48(run)
1,363,134 100.0%      1   examples/01_dataframe/main.rs:52(load flights)
  686,107  50.3%      1     examples/01_dataframe/reader.rs:12(read_csv)
        0   0.0%              (2 more paths)
  677,027  49.7%      1     examples/01_dataframe/dataframe.rs:55(DataFrame::filter)
  611,491  90.3%              (4 more paths)
        0   0.0%          (30 more paths)
      548   0.0%        (outside any scope)
8 more paths folded (--rows 4)";
    assert_eq!(tree, expected);
}

/// The trees of `--callers` or `--callees`, without what their columns mean.
fn calls(arguments: &[&str]) -> String {
    let text = printed(&[&["report", PROFILE, "--columns", "ncalls"], arguments].concat());
    let from = text.find("\nCall").expect("a tree");
    text[from + 1..].split("\n\nhost: ").next().expect("the trees").to_owned()
}

#[test]
fn report_prints_the_ways_on_which_a_function_was_called() {
    let expected = "\
Callers of examples/01_dataframe/column.rs:47(Column::take) by: at_peak, branches of less than 1% folded

 branch  share ncalls filename:lineno(function)
513,655  37.7%     27 examples/01_dataframe/column.rs:47(Column::take)
513,655 100.0%     25   examples/01_dataframe/dataframe.rs:44(DataFrame::take)
513,655 100.0%      8     examples/01_dataframe/dataframe.rs:55(DataFrame::filter)
513,655 100.0%      4       examples/01_dataframe/main.rs:52(load flights)
513,655 100.0%      4         examples/01_dataframe/main.rs:48(run)
      0   0.0%              (1 more path)
      0   0.0%            (7 more paths)
      0   0.0%      2   examples/01_dataframe/dataframe.rs:72(DataFrame::group_by)
      0      -            (2 more paths)
8 more paths folded (--rows 6)";
    assert_eq!(calls(&["--callers", "Column::take", "--rows", "6"]), expected);
}

#[test]
fn report_prints_what_functions_called() {
    let expected = "\
Callees of examples/01_dataframe/dataframe.rs:55(DataFrame::filter) by: at_peak, branches of less than 1% folded

 branch  share ncalls filename:lineno(function)
677,027  49.6%      2 examples/01_dataframe/dataframe.rs:55(DataFrame::filter)
513,907  75.9%      2   examples/01_dataframe/dataframe.rs:44(DataFrame::take)
513,655 100.0%      8     examples/01_dataframe/column.rs:47(Column::take)
      0   0.0%      2     examples/01_dataframe/dataframe.rs:28(DataFrame::new)
 97,584  14.4%      2   examples/01_dataframe/column.rs:57(Column::numbers)

Callees of examples/01_dataframe/dataframe.rs:44(DataFrame::take) by: at_peak, branches of less than 1% folded

 branch  share ncalls filename:lineno(function)
513,907  37.7%      7 examples/01_dataframe/dataframe.rs:44(DataFrame::take)
513,655 100.0%     25   examples/01_dataframe/column.rs:47(Column::take)
      0   0.0%      7   examples/01_dataframe/dataframe.rs:28(DataFrame::new)";
    assert_eq!(calls(&["--callees", "DataFrame::[ft]*"]), expected);
    assert_eq!(
        complaint(&["report", PROFILE, "--callers", "Nobody*"]),
        format!("no row of ‘{PROFILE}’ matches --callers ‘Nobody*’")
    );
    assert_eq!(
        complaint(&["report", PROFILE, "--callees", "Nobody"]),
        format!("no row of ‘{PROFILE}’ matches --callees ‘Nobody’")
    );
    let said = complaint(&["report", PROFILE, "--callers", "run", "--tree"]);
    assert_eq!(said, "the argument '--callers <NAME>' cannot be used with '--tree'; see memprof --help");
}

#[test]
fn report_of_several_files_says_which_is_which() {
    let text = printed(&["report", PROFILE, PROFILE, "--rows", "1"]);
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("==>")).collect();
    assert_eq!(heads, [format!("==> {PROFILE} <=="), format!("==> {PROFILE} <==")]);
    assert_eq!(text.matches("Memory Profiling").count(), 2);
}

#[test]
fn report_shows_the_functions_and_files_that_are_asked_for() {
    let text = printed(&["report", PROFILE, "--scope", "DataFrame::*", "--file", "examples/**", "--rows", "2"]);
    let (table, held) = text.split_once("\nhost: peak 1,363,718 bytes, ").expect("the whole process is said below");
    let rows: Vec<&str> = table.lines().rev().take(3).collect();
    assert_eq!(rows[0], "5 more rows left out (--rows 2); 10 other rows not asked for");
    assert!(rows[1].ends_with("(DataFrame::take)") && rows[2].ends_with("(DataFrame::filter)"), "{table}");
    assert!(held.contains("(read_csv)"), "who held it is said of all: {held}");
    assert_eq!(
        complaint(&["report", PROFILE, "--scope", "Nobody"]),
        format!("no row of ‘{PROFILE}’ matches --scope ‘Nobody’")
    );
    let said = complaint(&["report", PROFILE, "--scope", "a["]);
    assert!(said.starts_with("invalid value 'a[' for '--scope <GLOB>': scope = \"a[\" is no glob: "), "{said}");
}

#[test]
fn report_as_json_is_the_profile() {
    let text = printed(&["report", PROFILE, PROFILE, "--json"]);
    let profiles: Vec<memprof_report::Snapshot> =
        text.lines().map(|line| serde_json::from_str(line).expect("a profile")).collect();
    assert_eq!((profiles.len(), profiles[0].totals("host").peak), (2, 1_363_718));
    assert_eq!(profiles[0], profiles[1]);
}
