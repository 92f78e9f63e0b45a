//! Limits in processes of their own: what the whole process has to do with them.
//!
//! The test binary starts itself again, for the one test that is named, with nothing else running in it.
#![allow(clippy::print_stderr, reason = "what a child process has to say")]

use std::process::Command;

use super::support::bytes;

/// Runs one of the tests below, which do nothing otherwise, alone.
fn alone(test: &str) -> (bool, String) {
    let program = std::env::current_exe().expect("a program");
    let ran = Command::new(program)
        .args(["--exact", &format!("outside::{test}"), "--nocapture", "--test-threads=1", "--include-ignored"])
        .env("LIMITS_ALONE", "1")
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(text.contains("running 1 test"), "{text}");
    (ran.status.success(), text)
}

fn is_alone() -> bool {
    std::env::var_os("LIMITS_ALONE").is_some()
}

#[memprof::limit(peak = "1 MB", threads)]
fn in_a_pool(megabytes: usize) {
    use rayon::prelude::*;

    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().expect("a pool");
    pool.install(|| (0..8).into_par_iter().for_each(|_| drop(bytes(megabytes * 1_000_000))));
}

#[test]
fn child_of_a_pool() {
    if is_alone() {
        in_a_pool(50);
    }
}

#[test]
fn threads_counts_a_pool() {
    let (passed, text) = alone("child_of_a_pool");
    assert!(!passed, "{text}");
    assert!(text.contains("peak of host: limit 1,000,000 bytes, measured "), "{text}");
    assert!(text.contains("it is exact where no other test runs in the process"), "{text}");
}

/// 8 threads, each of which counts to within 64 KiB.
#[memprof::limit(total = 8000, kept = 0, threads)]
fn in_threads(size: usize) {
    let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(move || drop(bytes(size)))).collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
}

#[memprof::limit(space = "shelf", peak = 100, total = 800, kept = 0, threads)]
fn on_the_shelf(bytes: u64) {
    let shelf = memprof::Space::named("shelf");
    for thread in 0..8 {
        let work = move || {
            memprof::record_alloc(shelf, thread, bytes);
            memprof::record_free(shelf, thread);
        };
        std::thread::spawn(work).join().expect("no panic");
    }
}

#[test]
fn child_of_threads() {
    if is_alone() {
        on_the_shelf(100);
        in_threads(1001);
    }
}

#[test]
fn threads_is_exact_where_nothing_else_runs() {
    let (passed, text) = alone("child_of_threads");
    assert!(!passed && text.contains("child_of_threads"), "{text}");
    assert!(!text.contains("of shelf"), "{text}");
    assert!(text.contains("total of host: limit 8,000 bytes, measured "), "{text}");
}

#[memprof::limit(peak = 100)]
fn switches_off() {
    memprof::disable();
    memprof::enable();
}

#[memprof::limit(peak = 100)]
fn leaves_it_off() {
    memprof::disable();
}

#[test]
fn child_that_switches() {
    if is_alone() {
        memprof::disable();
        assert!(!memprof::is_enabled());
        super::exact::ten_times();
        assert!(memprof::is_enabled());
        for work in [switches_off as fn(), leaves_it_off] {
            let text = super::support::panics(work);
            assert!(text.contains("could not be measured\n  memprof was switched off while it ran"), "{text}");
        }
    }
}

#[test]
fn a_limit_switches_measuring_on_and_notices_when_it_is_switched_off() {
    let (passed, text) = alone("child_that_switches");
    assert!(passed, "{text}");
}

#[memprof::limit(peak = 100)]
fn too_much() {
    drop(bytes(101));
}

#[test]
fn child_that_listens() {
    if is_alone() {
        memprof::on_limit(|exceeded| {
            let [excess] = exceeded.excesses() else { panic!("one limit") };
            assert_eq!(
                (excess.space(), excess.measure(), excess.limit(), excess.measured()),
                ("host", "peak", 100, 101)
            );
            assert!(exceeded.name().ends_with("too_much)"), "{}", exceeded.name());
            assert_eq!(exceeded.unmeasured().count(), 0);
            eprintln!("heard: {exceeded}");
        });
        too_much();
        eprintln!("went on");
    }
}

#[test]
fn on_limit_hears_of_it_and_the_program_goes_on() {
    let (passed, text) = alone("child_that_listens");
    assert!(passed, "{text}");
    assert!(
        text.contains("heard: memprof: ") && text.contains("measured 101, 1 over") && text.contains("went on"),
        "{text}"
    );
}
