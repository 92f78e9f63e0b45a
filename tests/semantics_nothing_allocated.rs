//! A program that has memprof's allocator and allocates nothing is not asked to add one.

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();

#[memprof::track]
fn allocates_nothing() {}

/// Without the harness of tests, whose threads allocate.
fn main() {
    memprof::enable();
    allocates_nothing();
    let snapshot = memprof::snapshot();
    assert_eq!(snapshot.spaces().count(), 0, "nothing was allocated");
    let text = snapshot.to_string();
    let table = "\n     1           0            0 tests/semantics_nothing_allocated.rs:7(allocates_nothing)\n";
    assert!(text.contains(table), "{text}");
    assert!(!text.contains("no allocator reports") && !text.contains("add "), "{text}");
    memprof::disable();
    let text = memprof::snapshot().to_string();
    assert!(text.contains(table) && !text.contains("no allocator reports"), "{text}");
}
