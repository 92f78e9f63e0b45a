use super::{Joined, Pairs, Site, join, without_version};
use crate::snapshot::{
    Snapshot,
    fixtures::{measuring, named, site, space},
};

/// A profile with these sites.
fn profile(sites: &[(&str, u32, &str)]) -> Snapshot {
    let records = sites.iter().map(|(file, line, function)| match *file {
        "" => named(function, [1, 0, 0]),
        file => site(file, *line, function, [1, 0, 0]),
    });
    Snapshot::new(measuring(vec![space("host", 0, records.collect())]))
}

/// For each site of the first, line and file of what it is in the second.
fn lines(first: &[(&str, u32, &str)], second: &[(&str, u32, &str)]) -> Vec<(u32, String)> {
    let profiles = [first, second].map(profile);
    let pairs = Pairs::of(&profiles[0], &profiles[1]);
    let found = first.iter().map(|(file, line, function)| pairs.in_second(Site { function, file, line: *line }));
    found.map(|site| (site.line, site.file.to_owned())).collect()
}

#[test]
fn a_moved_line_and_an_upgrade_are_the_same_site() {
    let first = [("src/a.rs", 3, "f"), ("bytes-1.9.0/src/lib.rs", 7, "g"), ("", 0, "layer 3")];
    let second = [("src/a.rs", 9, "f"), ("bytes-1.10.1/src/lib.rs", 8, "g"), ("", 0, "layer 3")];
    let expected = [(9, "src/a.rs"), (8, "bytes-1.10.1/src/lib.rs"), (0, "")];
    assert_eq!(lines(&first, &second), expected.map(|(line, file)| (line, file.to_owned())));
}

#[test]
fn another_file_or_function_is_another_site() {
    let first = [("src/a.rs", 3, "f"), ("", 0, "f")];
    let second = [("src/b.rs", 4, "f"), ("src/a.rs", 5, "g")];
    assert_eq!(lines(&first, &second), [(3, "src/a.rs".to_owned()), (0, String::new())]);
}

#[test]
fn of_several_alike_equal_lines_come_first_then_the_order_of_lines() {
    let at = |lines: &[u32]| lines.iter().map(|line| ("src/a.rs", *line, "scope")).collect::<Vec<_>>();
    let found = |first: &[u32], second: &[u32]| -> Vec<u32> {
        lines(&at(first), &at(second)).into_iter().map(|(line, _)| line).collect()
    };
    assert_eq!(found(&[10, 20, 30], &[5, 20, 40, 50]), [5, 20, 40]);
    assert_eq!(found(&[1, 2, 3], &[3]), [1, 2, 3]);
    assert_eq!(found(&[1, 2, 5], &[5, 6]), [6, 2, 5]);
}

/// Two versions of a crate in one program: each is first what it was, then what has its line.
#[test]
fn of_two_versions_each_finds_its_own_first() {
    let first = [("a-1.0.0/src/lib.rs", 1, "f"), ("a-2.0.0/src/lib.rs", 1, "f")];
    let second = [("a-2.0.0/src/lib.rs", 1, "f"), ("a-3.0.0/src/lib.rs", 1, "f")];
    let expected = [(1, "a-3.0.0/src/lib.rs".to_owned()), (1, "a-2.0.0/src/lib.rs".to_owned())];
    assert_eq!(lines(&first, &second), expected);
}

#[test]
fn only_the_folder_of_a_registry_crate_has_a_version() {
    assert_eq!(without_version("serde-json-core-0.6.0-rc.1/src/lib.rs"), ("serde-json-core", "src/lib.rs"));
    for whole in ["src/lib.rs", "lib.rs", "my-2-crate/src/lib.rs", "a-1.0/src/lib.rs", ""] {
        assert_eq!(without_version(whole), ("", whole));
    }
}

#[test]
fn joined_rows_keep_the_second_order_and_have_parents_before_them() {
    // First: a > b, c. Second: c > b, a > b twice.
    let first = [('a', None), ('b', Some(0)), ('c', None)];
    let second = [('c', None), ('b', Some(0)), ('a', None), ('b', Some(2)), ('b', Some(2))];
    let rows = join(first.into_iter(), second.into_iter());
    let sides = |first, second, parent| Joined { sides: [first, second], parent };
    assert_eq!(
        rows,
        [
            sides(Some(2), Some(0), None),
            sides(None, Some(1), Some(0)),
            sides(Some(0), Some(2), None),
            sides(Some(1), Some(3), Some(2)),
            sides(None, Some(4), Some(2)),
        ]
    );
    let gone = join([('x', None), ('y', Some(0))].into_iter(), second.into_iter());
    assert_eq!(gone[5..], [sides(Some(0), None, None), sides(Some(1), None, Some(5))]);
}
