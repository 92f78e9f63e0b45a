//! What names a row.

use std::future::Future as _;

use super::{
    Context, Scope, Site, Space, Waker, alone, arena, columns, find_rows, path, pin, row, row_of_space, rows_of, site,
};

#[test]
fn the_same_name_is_the_same_site_and_two_functions_called_new_are_two() {
    struct One;
    struct Two;
    #[memprof::track]
    impl One {
        fn new(space: Space) -> One {
            memprof::record_alloc(space, 1, 10);
            One
        }
    }
    #[memprof::track]
    impl Two {
        fn new(space: Space) -> Two {
            memprof::record_alloc(space, 2, 20);
            Two
        }
    }
    let _alone = alone();
    assert!(std::ptr::eq(Site::named("same"), Site::named("same")));
    let space = Space::named("two types");
    let (One, Two) = (One::new(space), Two::new(space));
    let snapshot = memprof::snapshot();
    assert_eq!(columns(&row(&snapshot, space, "One::new")), (1, 10, 10));
    assert_eq!(columns(&row(&snapshot, space, "Two::new")), (1, 20, 20));
    memprof::record_free(space, 1);
    memprof::record_free(space, 2);
}

#[memprof::track]
fn measured() -> u32 {
    line!() - 1
}

#[test]
fn a_tracked_row_names_file_line_and_function() {
    let _alone = alone();
    let line = measured();
    let row = rows_of("measured");
    assert_eq!((row.file.as_str(), row.line, row.function.as_str()), (file!(), line, "measured"));
    assert_eq!(row.name, format!("{}:{line}(measured)", file!()));
}

#[test]
fn the_scope_macro_is_an_expression_a_statement_and_takes_a_name_made_at_run_time() {
    fn early(space: Space) -> Option<u64> {
        let got: u64 = memprof::scope!("block with ?", {
            memprof::record_alloc(space, 1, 8);
            None?
        });
        Some(got)
    }
    let _alone = alone();
    let space = Space::named("scope macro");
    assert_eq!(early(space), None);
    let sum = memprof::scope!("block", { 1 + 1 });
    assert_eq!(sum, 2);
    for layer in 0..2 {
        memprof::scope!(format!("layer {layer}"));
        memprof::record_alloc(space, 10 + layer, 4);
    }
    let snapshot = memprof::snapshot();
    assert_eq!(columns(&row(&snapshot, space, "block with ?")), (1, 8, 8));
    assert_eq!(columns(&row(&snapshot, space, "block")), (1, 0, 0));
    assert_eq!(columns(&row(&snapshot, space, "layer 0")), (1, 4, 4));
    assert_eq!(columns(&row(&snapshot, space, "layer 1")), (1, 4, 4));
    assert!(path(&snapshot, space, &["layer 1"]).is_some(), "the statement ends with its block");
    for address in [1, 10, 11] {
        memprof::record_free(space, address);
    }
}

#[test]
fn a_name_made_at_run_time_is_not_made_while_off() {
    fn make() -> String {
        assert!(memprof::is_enabled(), "the name was evaluated");
        String::from("never made")
    }
    let _alone = alone();
    memprof::disable();
    memprof::scope!(make());
    memprof::enable();
    assert!(find_rows(&memprof::snapshot(), arena(), "never made").is_empty());
}

#[test]
fn a_future_whose_name_was_not_made_while_off_is_no_activation_when_polled_while_on() {
    let _alone = alone();
    memprof::disable();
    let future = memprof::scope!(format!("future {}", 1), async { memprof::record_alloc(arena(), 900, 10) });
    memprof::enable();
    assert!(pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    memprof::record_free(arena(), 900);
    let names: Vec<String> = memprof::snapshot().records(arena()).iter().map(|row| row.name.clone()).collect();
    assert_eq!(names, [""; 0]);
}

#[test]
fn a_name_made_at_run_time_is_borrowed_and_may_leave_the_function() -> Result<(), std::num::ParseIntError> {
    struct Layer {
        name: String,
    }
    let _alone = alone();
    let layer = &Layer { name: String::from("layer of a model") };
    memprof::scope!(layer.name, {});
    memprof::scope!(*layer.name, {});
    memprof::scope!(format!("layer {}", "3".parse::<u8>()?), {});
    assert_eq!(rows_of("layer of a model").ncalls, 2);
    assert_eq!(rows_of("layer 3").ncalls, 1);
    Ok(())
}

#[test]
fn more_bytes_than_can_be_counted_are_no_panic() {
    let _alone = alone();
    let most = i64::MAX.cast_unsigned();
    for space in [Space::named("vast"), Space::HOST] {
        let scope = Scope::enter(site("vast"));
        for address in [0, 1, u64::MAX, 1] {
            memprof::record_alloc(space, address, u64::MAX);
        }
        std::thread::spawn(move || memprof::record_free(space, 0)).join().expect("a free");
        memprof::record_alloc(space, 0, u64::MAX);
        drop(scope);
        let snapshot = memprof::snapshot();
        assert_eq!(snapshot.totals(space).missed_frees, 1);
        let counted = if space == Space::HOST { most / 2 } else { most };
        assert_eq!(row(&snapshot, space, "vast").largest, counted);
        assert!(snapshot.to_string().contains("vast"));
        for address in [0, 1, u64::MAX] {
            memprof::record_free(space, address);
        }
        assert_eq!(memprof::snapshot().totals(space).live_blocks, 0);
    }
}

#[test]
fn names_with_quotes_newlines_and_other_scripts_are_kept() {
    let _alone = alone();
    let names = ["\"quoted\" 'twice'", "two\nlines\r\ttab", "Größe — 大きさ 🦀", "a,b;c|d\\e", "\u{0}nul\u{1b}[31m"];
    for name in names {
        drop(Scope::enter(Site::named(name)));
    }
    drop(Scope::enter(Site::named("")));
    let space = arena();
    // A saved profile has the rows of spaces in which something happened.
    memprof::record_alloc(space, 1, 1);
    memprof::record_free(space, 1);
    let snapshot = memprof::snapshot();
    for name in names {
        assert_eq!(row(&snapshot, space, name).ncalls, 1, "{name:?}");
    }
    // A row without a name is no row to a reader.
    assert_eq!(row(&snapshot, space, "\"\"").ncalls, 1);
    let json = serde_json::to_string(&snapshot).expect("a snapshot is plain data");
    let again: memprof::Snapshot = serde_json::from_str(&json).expect("it reads back");
    for name in names {
        assert_eq!(row_of_space(&again, "arena", name).ncalls, 1, "{name:?}");
    }
    assert_eq!(serde_json::to_string(&again).expect("plain data"), json);
    assert!(!snapshot.to_string().is_empty());
}
