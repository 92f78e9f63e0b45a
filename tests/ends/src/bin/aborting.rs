//! A program whose panics end the process: what tests/aborting.rs builds with `-Cpanic=abort`.

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

#[memprof::track]
fn holds(bytes: usize) -> Vec<u8> {
    std::hint::black_box(vec![1; bytes])
}

#[memprof::track]
fn panics() {
    let _held = holds(1000);
    panic!("the program's own");
}

fn main() {
    if cfg!(not(panic = "abort")) {
        return;
    }
    match std::env::args().nth(1).as_deref() {
        // Nothing is caught.
        Some("in main") => std::panic::catch_unwind(panics).unwrap_or(()),
        Some("on a thread") => std::thread::spawn(panics).join().unwrap_or(()),
        Some("in a task") => {
            let task = memprof::scope!("task", async { panics() });
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async { tokio::spawn(task).await.unwrap_or(()) });
        }
        other => is_over(other),
    }
}

fn is_over(other: Option<&str>) {
    let _held = holds(1000);
    assert_eq!(other, Some("nowhere"), "where to panic");
}
