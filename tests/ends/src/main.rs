//! A program that ends as its argument says: what tests/ends.rs starts.
//!
//! It says `ready` once it holds its 1,000 bytes, and `alive` for each line that it is given.
#![expect(unsafe_code, reason = "limits and forks of the C library")]

use std::alloc::Layout;
use std::io::{BufRead as _, Write as _};
use std::path::Path;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

#[memprof::track]
fn holds(bytes: usize) -> Vec<u8> {
    std::hint::black_box(vec![1; bytes])
}

fn say(what: &str) {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{what}").and_then(|()| stdout.flush()).expect("somebody reads");
}

/// Until stdin ends.
fn serve() {
    say("ready");
    for line in std::io::stdin().lock().lines() {
        line.expect("text");
        say("alive");
    }
}

/// Everything that there is of 256 MiB.
fn limit_memory() {
    let limit = libc::rlimit { rlim_cur: 1 << 28, rlim_max: 1 << 28 };
    // SAFETY: reads one limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

#[memprof::track]
fn fills_until_it_dies() {
    let mut held = Vec::new();
    loop {
        held.push(holds(1 << 20));
    }
}

/// Until less than 1.5 % of what this control group may have is left, says so, and dies of the rest once it is told to.
#[memprof::track]
fn fills_its_group() {
    let [folder, most] = [2, 3].map(|at| std::env::args().nth(at).expect("a folder and its limit"));
    let (folder, most) = (Path::new(&folder), most.parse::<u64>().expect("a number"));
    let number = |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let mut held = Vec::new();
    loop {
        let used = number("memory.current").or_else(|| number("memory.usage_in_bytes")).expect("a number");
        let facts = std::fs::read_to_string(folder.join("memory.stat")).expect("text");
        let of = |name: &str| facts.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        let idle = of("total_inactive_file ").or_else(|| of("inactive_file ")).expect("a number");
        if used - idle >= most - most / 1000 * 15 {
            break;
        }
        held.push(holds(64 << 10));
    }
    serve();
    fills_until_it_dies();
}

#[memprof::track]
fn fills_and_goes_on() {
    let mut held: Vec<Vec<u8>> = Vec::with_capacity(100_000);
    for bytes in (0..30).rev().map(|power| 1_usize << power) {
        let mut more = Vec::new();
        while held.len() < held.capacity() && more.try_reserve_exact(bytes).is_ok() {
            held.push(std::mem::take(&mut more));
        }
    }
    memprof::scope!("a new path");
    // Still held.
    std::process::exit(i32::from(held.is_empty()));
}

extern "C" fn cannot_unwind() {
    let _held = holds(1000);
    panic!("the program's own");
}

fn forks_a_child_that_is_killed() {
    let _held = holds(1000);
    // SAFETY: the child only waits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(holds(10));
        // SAFETY: it ends this process.
        unsafe { libc::raise(libc::SIGTERM) };
        // SAFETY: it ends the process and nothing else.
        unsafe { libc::_exit(0) }
    }
    let mut status = 0;
    // SAFETY: `status` is written; `child` is the process just forked.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGTERM, "{status}");
}

/// The child leaves a report of its own, and the parent none.
fn forks_a_child_that_exits_and_ends_at_once() {
    let _held = holds(1000);
    // SAFETY: the child only ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: nothing else runs in the child.
        unsafe { libc::exit(0) };
    }
    // SAFETY: nobody asks for the status; `child` is the process just forked.
    assert_eq!(unsafe { libc::waitpid(child, core::ptr::null_mut(), 0) }, child);
    // SAFETY: it ends the process and nothing else.
    unsafe { libc::_exit(0) }
}

fn main() {
    let what = std::env::args().nth(1).expect("what to do");
    match what.as_str() {
        "serve" => {
            let _held = holds(1000);
            serve();
        }
        "panic where it aborts" => cannot_unwind(),
        "handle_alloc_error" => {
            let _held = holds(1000);
            std::alloc::handle_alloc_error(Layout::new::<u64>());
        }
        "abort" => {
            let _held = holds(1000);
            std::process::abort();
        }
        "fill until it dies" => {
            limit_memory();
            fills_until_it_dies();
        }
        "fill a group" => fills_its_group(),
        "ask for more than there is" => {
            let _held = holds(1000);
            assert!(Vec::<u8>::new().try_reserve_exact(1 << 46).is_err());
        }
        "fill and go on" => {
            limit_memory();
            fills_and_goes_on();
        }
        "a report that takes forever" => {
            let _held = holds(1000);
            memprof_core::__allocator::on_snapshot(|| {
                // The one who waits may hold the lock on stdout: it was interrupted.
                // SAFETY: so many bytes.
                assert_eq!(unsafe { libc::write(1, c"stuck\n".as_ptr().cast(), 6) }, 6);
                loop {
                    std::thread::park();
                }
            });
            serve();
        }
        "tokio" => {
            let _held = holds(1000);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let ctrl_c = tokio::signal::ctrl_c();
                let mut ctrl_c = std::pin::pin!(ctrl_c);
                // The first poll puts the handler there.
                tokio::select! {
                    biased;
                    _ = &mut ctrl_c => {}
                    () = std::future::ready(()) => {}
                }
                say("ready");
                ctrl_c.await.expect("a signal");
            });
            say("graceful");
        }
        "signal-hook" => {
            let _held = holds(1000);
            let mut signals = signal_hook::iterator::Signals::new([libc::SIGTERM]).expect("a handler");
            say("ready");
            signals.forever().next();
            say("graceful");
        }
        "signal-hook, then the default" => {
            let _held = holds(1000);
            let mut signals = signal_hook::iterator::Signals::new([libc::SIGTERM]).expect("a handler");
            say("ready");
            signals.forever().next();
            signal_hook::low_level::emulate_default_handler(libc::SIGTERM).expect("it ends");
        }
        "ctrlc" => {
            let _held = holds(1000);
            let (give, take) = std::sync::mpsc::channel();
            ctrlc::try_set_handler(move || give.send(()).expect("somebody waits")).expect("there is no handler");
            say("ready");
            take.recv().expect("a signal");
            say("graceful");
        }
        "fork" => forks_a_child_that_is_killed(),
        "fork, and end at once" => forks_a_child_that_exits_and_ends_at_once(),
        "exec" => {
            use std::os::unix::process::ExitStatusExt as _;
            let _held = holds(1000);
            let status = std::process::Command::new("sh").args(["-c", "kill -INT $$"]).status().expect("sh");
            assert_eq!(status.signal(), Some(libc::SIGINT));
        }
        "rise" => {
            let held = holds(50_000_000);
            serve();
            drop(held);
        }
        "report in a scope" => {
            let scope = memprof::Scope::enter(memprof::site!("reports"));
            memprof::print_memory_report();
            assert_eq!(scope.counters(memprof::Space::HOST), memprof::Counters::default());
        }
        "secure" => {
            // SAFETY: it reads a number that the system gave the process.
            say(&(unsafe { libc::getauxval(libc::AT_SECURE) } != 0).to_string());
        }
        other => panic!("not known: {other}"),
    }
}
