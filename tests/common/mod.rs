//! What the test files share.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use memprof::{Context, Counters, PathRecord, Record, Scope, Site, Snapshot, Space};

/// Switching, resetting and the process-wide numbers belong to the whole process: one test at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    memprof::enable();
    memprof::reset();
    guard
}

/// A space in which nothing is recorded but by the test itself.
pub(crate) fn arena() -> Space {
    Space::named("arena")
}

pub(crate) fn site(name: &str) -> &'static Site {
    Site::named(name)
}

/// A block in the arena.
pub(crate) fn alloc(address: u64, bytes: u64) {
    memprof::record_alloc(arena(), address, bytes);
}

pub(crate) fn free(address: u64) {
    memprof::record_free(arena(), address);
}

/// `current_bytes current_blocks peak_bytes peak_blocks total_bytes total_blocks`, the order of RMM.
pub(crate) fn six(counters: Counters) -> [i64; 6] {
    [
        counters.current_bytes,
        counters.current_blocks,
        counters.peak_bytes,
        counters.peak_blocks,
        counters.total_bytes,
        counters.total_blocks,
    ]
}

/// The flat row of a site, by its name or its function's.
pub(crate) fn row(snapshot: &Snapshot, space: Space, name: &str) -> Record {
    let rows = find_rows(snapshot, space, name);
    let names = || snapshot.records(space).iter().map(|row| row.name.clone()).take(50).collect::<Vec<_>>();
    assert_eq!(rows.len(), 1, "one row is called {name:?}; these are there: {:?}", names());
    let row = rows.into_iter().next().expect("one row");
    // No activation holds more at once than it allocated.
    assert!(row.memory_peak <= row.memory_total, "{row:?}");
    row
}

/// The same in the arena, now.
pub(crate) fn rows_of(name: &str) -> Record {
    row(&memprof::snapshot(), arena(), name)
}

pub(crate) fn find_rows(snapshot: &Snapshot, space: Space, name: &str) -> Vec<Record> {
    snapshot.records(space).iter().filter(|row| is_called(&row.name, &row.function, name)).cloned().collect()
}

/// By the whole name, or by the last segments of the function's: the tests' functions stand inside others.
fn is_called(name: &str, function: &str, wanted: &str) -> bool {
    name == wanted || function == wanted || function.strip_suffix(wanted).is_some_and(|rest| rest.ends_with("::"))
}

/// The row of a path of the call tree, given by names from the outermost on.
pub(crate) fn path(snapshot: &Snapshot, space: Space, names: &[&str]) -> Option<PathRecord> {
    let tree = snapshot.tree(space);
    let mut above = None;
    let mut at = None;
    for name in names {
        at = Some(tree.iter().position(|row| row.parent == above && is_called(&row.name, &row.function, name))?);
        above = at;
    }
    at.map(|at| tree[at].clone())
}

/// Calls, peak and total: the columns of the default report.
pub(crate) fn columns(row: &Record) -> (u64, u64, u64) {
    (row.ncalls, row.memory_peak, row.memory_total)
}

/// Those of a site in the arena, now.
pub(crate) fn columns_of(name: &str) -> (u64, u64, u64) {
    columns(&rows_of(name))
}

type Job = Box<dyn FnOnce(&mut Vec<Scope>) + Send>;

/// A thread that does one thing at a time, when it is told to, and keeps a stack of open scopes.
pub(crate) struct Worker {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(crate) fn start() -> Worker {
        let (jobs, receiver) = channel::<Job>();
        let thread = std::thread::spawn(move || work(receiver));
        Worker { jobs: Some(jobs), thread: Some(thread) }
    }

    /// Under a context, from when this returns until the thread ends.
    pub(crate) fn under(context: &Context) -> Worker {
        let (jobs, receiver) = channel::<Job>();
        let context = context.clone();
        let thread = std::thread::spawn(move || context.run(|| work(receiver)));
        let worker = Worker { jobs: Some(jobs), thread: Some(thread) };
        worker.run(|_| ());
        worker
    }

    /// Runs `work` there and waits for what it returns.
    pub(crate) fn run<R: Send + 'static>(&self, work: impl FnOnce(&mut Vec<Scope>) -> R + Send + 'static) -> R {
        let (answer, result) = channel();
        let job = Box::new(move |scopes: &mut Vec<Scope>| answer.send(work(scopes)).expect("somebody waits"));
        self.jobs.as_ref().expect("it runs").send(job).expect("the worker lives");
        result.recv().expect("the worker did not panic")
    }

    /// Ends the thread, its thread-local destructors included.
    pub(crate) fn end(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the worker did not panic");
        }
    }
}

fn work(jobs: Receiver<Job>) {
    let mut scopes = Vec::new();
    for job in jobs {
        job(&mut scopes);
    }
    while scopes.pop().is_some() {}
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
