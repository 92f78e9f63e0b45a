use std::cmp::Ordering;

use super::{Cell, Field, PathRecord, Record};

#[test]
fn a_field_is_found_by_its_own_name_only() {
    for field in Field::ALL {
        assert_eq!(Field::parse(field.name()), Some(*field));
    }
    assert_eq!(Field::parse("filename:lineno(function)"), Some(Field::Name));
    assert_eq!(Field::parse("peak"), Some(Field::MemoryPeak));
    assert_eq!(Field::parse("total"), Some(Field::MemoryTotal));
    for no_field in ["", "Ncalls", "parent", "memory_peak ", "all"] {
        assert_eq!(Field::parse(no_field), None, "{no_field}");
    }
}

#[test]
fn fields_are_those_that_a_record_is_written_with() {
    let written = serde_json::to_string(&Record::default()).expect("plain data");
    let keys: Vec<&str> = written.split(['{', ',']).filter_map(|part| part.split('"').nth(1)).collect();
    let names: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
    assert_eq!(keys, names);
    assert_eq!(names.len(), 20);
}

#[test]
fn a_cell_is_the_fields_own_value() {
    let record = Record { name: "a".to_owned(), line: 7, memory_peak: u64::MAX, live: i64::MIN, ..Record::default() };
    assert_eq!(Field::Name.cell(&record), Cell::Text("a"));
    assert_eq!(Field::Line.cell(&record), Cell::Line(7));
    assert_eq!(Field::MemoryPeak.cell(&record), Cell::Amount(18_446_744_073_709_551_615));
    assert_eq!(Field::Live.cell(&record), Cell::Amount(-9_223_372_036_854_775_808));
}

#[test]
fn amounts_rank_greatest_first_and_all_else_ascending() {
    assert_eq!(Cell::Amount(2).rank(&Cell::Amount(-1)), Ordering::Less);
    assert_eq!(Cell::Amount(2).rank(&Cell::Amount(2)), Ordering::Equal);
    assert_eq!(Cell::Line(2).rank(&Cell::Line(10)), Ordering::Less);
    assert_eq!(Cell::Text("a").rank(&Cell::Text("b")), Ordering::Less);
}

#[test]
fn a_path_record_has_its_records_fields() {
    let record = Record { name: "a".to_owned(), live: -3, largest: 9, ..Record::default() };
    let path = PathRecord::new(record, Some(4));
    assert_eq!((path.name.as_str(), path.live, path.largest, path.parent), ("a", -3, 9, Some(4)));
}
