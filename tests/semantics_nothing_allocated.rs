//! A program that has memprof's allocator and allocates nothing is not asked to add one, and memprof's own thread is none of its own.

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();

#[memprof::track]
fn allocates_nothing() {}

/// Without the harness of tests, whose threads allocate.
fn main() {
    if std::env::var_os("MEMPROF").is_some() {
        return allocates_nothing();
    }
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
    let this = std::env::current_exe().expect("a path");
    let child = std::process::Command::new(this).env("MEMPROF", "1").output().expect("it starts");
    let text = String::from_utf8(child.stderr).expect("UTF-8");
    assert!(
        text.contains(table) && !text.contains(" threads"),
        "memprof's own thread allocates nothing that counts:\n{text}"
    );
}
