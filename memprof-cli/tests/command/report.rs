use crate::support::{PROFILE, printed};

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
fn report_of_several_files_says_which_is_which() {
    let text = printed(&["report", PROFILE, PROFILE, "--rows", "1"]);
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("==>")).collect();
    assert_eq!(heads, [format!("==> {PROFILE} <=="), format!("==> {PROFILE} <==")]);
    assert_eq!(text.matches("Memory Profiling").count(), 2);
}
