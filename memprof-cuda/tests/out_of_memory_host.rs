//! Memory of the host that is short: the program hears of it on memprof's own thread, and can let go of something.
#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "limits the address space")]

use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use memprof_core::{Scope, Site, Space};
use memprof_cuda::{Action, on_out_of_memory};

#[global_allocator]
static ALLOC: memprof_core::Alloc = memprof_core::Alloc::system();

const CHILD: &str = "OUT_OF_MEMORY_HOST_CHILD";
const MIB: u32 = 1 << 20;

/// 1 GiB for the process, of which a cache holds 600 MiB and nobody has 500 more.
fn fills(panics: bool) {
    let limit = libc::rlimit { rlim_cur: 1 << 30, rlim_max: 1 << 30 };
    // SAFETY: reads one limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    // With 24 bytes of the vector around it and 48 of the lock and the counts.
    let cache = {
        let _scope = Scope::enter(Site::named("fills the cache"));
        Arc::new(Mutex::new(vec![Vec::<u8>::with_capacity(600 * MIB as usize)]))
    };
    let (send, receive) = channel();
    let allocating = thread::current().id();
    on_out_of_memory(move |problem| {
        cache.lock().expect("no panic").clear();
        let before = memprof_core::counters(Space::HOST).total_bytes;
        drop(std::hint::black_box(Vec::<u8>::with_capacity(100)));
        let counted = memprof_core::counters(Space::HOST).total_bytes - before;
        send.send((thread::current().id(), counted, problem.clone())).expect("it is awaited");
        assert!(!panics, "the program's own");
        Action::Retry
    });
    let _outer = Scope::enter(Site::named("load"));
    let _inner = Scope::enter(Site::named("parse"));
    assert!(Vec::<u8>::new().try_reserve_exact(500 * MIB as usize).is_err(), "it is not tried again");
    let (by, counted, problem) = receive.recv().expect("it hears");
    assert_ne!(by, allocating);
    assert_eq!(counted, 100, "what is done there is recorded");
    assert_eq!((problem.space, problem.bytes, problem.measuring), (Space::HOST, u64::from(500 * MIB), true));
    assert_eq!(problem.open_scopes, ["parse", "load"]);
    assert_eq!(
        (problem.owners[0].path.as_str(), problem.owners[0].bytes),
        ("fills the cache", i64::from(600 * MIB) + 72)
    );
    assert!(!problem.to_string().contains("device"), "{problem}");
    // There is room now; and a minute of silence.
    assert!(Vec::<u8>::new().try_reserve_exact(500 * MIB as usize).is_ok());
}

fn child(test: &str) -> String {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    let output =
        child.args(["--exact", test, "--nocapture"]).env(CHILD, "1").env("MEMPROF", "1").output().expect("it runs");
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{}: {text}{}", output.status, String::from_utf8_lossy(&output.stdout));
    text
}

#[test]
fn the_callback_hears_of_the_host_on_another_thread_and_cannot_retry() {
    if std::env::var_os(CHILD).is_some() {
        fills(false);
        return;
    }
    let text = child("the_callback_hears_of_the_host_on_another_thread_and_cannot_retry");
    assert_eq!(text.matches("memprof: out of memory in host: 524,288,000 bytes requested").count(), 1, "{text}");
}

#[test]
fn a_callback_that_panics_takes_nothing_with_it() {
    if std::env::var_os(CHILD).is_some() {
        fills(true);
        return;
    }
    let text = child("a_callback_that_panics_takes_nothing_with_it");
    assert!(text.contains("memprof: the callback of on_out_of_memory panicked"), "{text}");
    assert!(text.contains("Memory Profiling\n================\n"), "the report at exit comes as ever: {text}");
}
