//! A limit on a function that runs while another thread is switching memprof on.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use memprof::Space;

use crate::stepping::{At, run};

/// At each instruction comes the other thread, every so many in one run.
const APART: u64 = if cfg!(debug_assertions) { 31 } else { 3 };
const RUNS: u64 = if cfg!(debug_assertions) { 1 } else { APART };

#[memprof::limit(space = "switched on", peak = 10, total = 10, kept = 0)]
fn needs_ten(address: u64) {
    let space = Space::named("switched on");
    memprof::record_alloc(space, address, 10);
    memprof::record_free(space, address);
}

/// Whether what happens on this thread is recorded.
fn is_recorded() -> bool {
    let scope = memprof::Scope::enter(memprof::site!("looks"));
    memprof::record_alloc(Space::named("looked at"), 1, 1);
    memprof::record_free(Space::named("looked at"), 1);
    scope.finish().counters(Space::named("looked at")).total_bytes == 1
}

thread_local! {
    /// Another thread: asked by a word, it answers whether it was recorded, and ran the function, before the switch was over.
    static OTHER: Cell<Option<(SyncSender<()>, Receiver<bool>)>> = const { Cell::new(None) };
    static MET: Cell<u64> = const { Cell::new(0) };
}

/// Not once the switch is over: what comes then allocates, and this would in the midst of that.
fn ask() {
    if memprof::is_enabled() {
        return;
    }
    let Some(other) = OTHER.take() else { return };
    other.0.send(()).expect("it runs");
    MET.set(MET.get() + u64::from(other.1.recv().expect("it runs")));
    OTHER.set(Some(other));
}

#[test]
fn a_limit_is_judged_while_another_thread_is_still_switching_memprof_on() {
    let _alone = crate::alone();
    memprof::enable();
    needs_ten(0);
    let (ask_it, asked) = sync_channel::<()>(0);
    let (say, said) = sync_channel(0);
    let other = std::thread::spawn(move || {
        is_recorded();
        say.send(true).expect("it is awaited");
        while asked.recv().is_ok() {
            let in_between = is_recorded() && !memprof::is_enabled();
            if in_between {
                needs_ten(1);
            }
            say.send(in_between).expect("it is awaited");
        }
    });
    said.recv().expect("it runs");
    OTHER.set(Some((ask_it, said)));
    for first in 0..RUNS {
        memprof::disable();
        assert!(run(At::Each { first, of: APART }, ask, &mut memprof::enable) > 0, "it has more instructions");
    }
    memprof::enable();
    OTHER.set(None);
    other.join().expect("no panic, so no limit failed");
    assert!(MET.get() > 0, "no instruction at which one thread goes by it and not all were told");
}
