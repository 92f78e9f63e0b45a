//! The default report, to the letter, of named spaces: this program has no allocator of memprof's.

mod common;

use common::alone;
use memprof::{Scope, Site, Space};

const HEAD: &str = "Memory Profiling
================

Legends:
ncalls       - number of times the function or code block was called
memory_peak  - peak memory allocated in function or code block (in bytes)
memory_total - total memory allocated in function or code block (in bytes)

Ordered by: memory_peak

";

fn call(name: &str, space: Space, bytes: u64, times: u64) {
    for _ in 0..times {
        let _scope = Scope::enter(Site::named(name));
        memprof::record_alloc(space, 1, bytes);
        memprof::record_free(space, 1);
    }
}

fn report() -> String {
    memprof::snapshot().to_string()
}

#[test]
fn nothing_to_show_while_off_is_said() {
    let _alone = alone();
    memprof::disable();
    memprof::reset();
    let said = "memprof is off: run with MEMPROF=1 or call memprof::enable()";
    assert_eq!(report(), format!("Memory Profiling\n================\n\n{said}\n"));
    memprof::enable();
}

#[test]
fn one_space_with_events_is_one_table() {
    let _alone = alone();
    let space = Space::named("arena");
    call("small", space, 32, 1);
    call("often", space, 0, 6);
    call("idle", space, 0, 2);
    assert_eq!(
        report(),
        format!(
            "{HEAD}\
ncalls memory_peak memory_total filename:lineno(function)
     1          32           32 small
     6           0            0 often
     2           0            0 idle

arena: peak 32 bytes, total 32 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes

Held at the peak of arena (32 bytes):

at_peak blocks filename:lineno(function)
     32      1 small
"
        )
    );
}

#[test]
fn integers_carry_separators_and_a_wide_cell_widens_its_column() {
    let _alone = alone();
    let space = Space::named("arena");
    call("wide", space, 123_456_789_012, 3);
    // Seven characters, one more than the header.
    call("many", space, 1, 123_456);
    memprof::record_alloc(space, 5, 1000);
    memprof::record_free(space, 999);
    assert_eq!(
        report(),
        format!(
            "{HEAD} \
ncalls     memory_peak    memory_total filename:lineno(function)
      3 123,456,789,012 370,370,367,036 wide
123,456               1         123,456 many

arena: peak 123,456,789,012 bytes, total 370,370,491,492 bytes, live 1,000 bytes; \
outside any scope: total 1,000 bytes, live 1,000 bytes; 1 unknown free

Held at the peak of arena (123,456,789,012 bytes):

        at_peak blocks filename:lineno(function)
123,456,789,012      1 wide
"
        )
    );
    memprof::record_free(space, 5);
}

#[test]
fn more_spaces_stand_by_name_each_under_its_own_line_and_without_rows_of_zeros() {
    let _alone = alone();
    let (one, two) = (Space::device(1), Space::named("arena"));
    {
        let _scope = Scope::enter(Site::named("both"));
        memprof::record_alloc(one, 1, 10);
        memprof::record_alloc(two, 1, 7);
    }
    drop(Scope::enter(Site::named("neither")));
    assert_eq!(
        report(),
        format!(
            "{HEAD}\
Space: arena

ncalls memory_peak memory_total filename:lineno(function)
     1           7            7 both

arena: peak 7 bytes, total 7 bytes, live 7 bytes; outside any scope: total 0 bytes, live 0 bytes

Held at the peak of arena (7 bytes):

at_peak blocks filename:lineno(function)
      7      1 both

Space: cuda:1

ncalls memory_peak memory_total filename:lineno(function)
     1          10           10 both

cuda:1: peak 10 bytes, total 10 bytes, live 10 bytes; outside any scope: total 0 bytes, live 0 bytes

Held at the peak of cuda:1 (10 bytes):

at_peak blocks filename:lineno(function)
     10      1 both
"
        )
    );
    memprof::record_free(one, 1);
    memprof::record_free(two, 1);
}

#[test]
fn no_line_has_trailing_spaces_and_the_text_ends_with_one_newline() {
    let _alone = alone();
    call("a", Space::named("arena"), 1_000_000, 2);
    let text = report();
    assert!(text.lines().all(|line| line == line.trim_end()), "{text:?}");
    assert!(text.ends_with('\n') && !text.ends_with("\n\n"));
    assert!(text.is_ascii());
}

#[test]
fn ties_stand_in_the_order_in_which_sites_were_first_left() {
    let _alone = alone();
    let space = Space::named("arena");
    {
        let _outer = Scope::enter(Site::named("tie outer"));
        call("tie inner", space, 5, 1);
    }
    call("tie later", space, 5, 1);
    let text = report();
    let at = |name: &str| text.find(name).expect("a row");
    assert!(at("tie inner") < at("tie outer") && at("tie outer") < at("tie later"), "{text}");
}
