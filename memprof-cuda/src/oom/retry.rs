//! An allocation is tried, answered where it fails, and tried again.
//!
//! It ends: a callback after which nothing was freed is asked 16 times in a row and no more. The callback runs without
//! any lock of this crate's and outside of the call that failed, so it may allocate, free and replace itself; its panic
//! goes no further. Of attempts within one another on a thread only the outermost answers. Counting failures is left to
//! [`events`], what is known of them to [`facts`](super::facts), how often it is said to [`burst`].

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use cudarc::driver::CudaContext;
use memprof_core::__allocator::{blind, on_shortage, print_line};
use memprof_core::Space;

use super::burst;
use super::facts::OutOfMemory;
use crate::error::Error;
use crate::events;

/// What a program wants after it was told that memory does not suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Memory was freed, or may have been by others: try the allocation again.
    Retry,
    /// Let the allocation fail, with the report.
    GiveUp,
}

type Callback = dyn Fn(&OutOfMemory) -> Action + Send + Sync;

static CALLBACK: RwLock<Option<Arc<Callback>>> = RwLock::new(None);

/// A callback that has tried again so often, and nothing was freed meanwhile, is not asked any more.
const MOST_FRUITLESS_RETRIES: u32 = 16;

/// Asks `callback` whenever an allocation through memprof fails for want of memory, before it fails: to spill, to drop
/// a cache, and try again. The callback given last is the one that is asked.
///
/// It runs on the allocating thread, and may allocate and free as it likes; an allocation that fails within it just
/// fails. It is asked again for as long as it says [`Action::Retry`] and memory is freed between the attempts; after 16
/// attempts in a row between which none was freed, the allocation fails all the same. A panic in it is taken for
/// [`Action::GiveUp`], and said on stderr. It is asked also while memprof is off; then nobody is known to hold anything.
///
/// Where it gives up, or there is none, the error's text says who holds the memory: the [`OutOfMemory`]. The same is
/// written to stderr, while memprof measures, **once per burst**: a burst is all failures in a space from one until
/// the next allocation in that space that succeeds. In one process at most 10 are written for each space; the errors say
/// it further on.
///
/// # The host
///
/// It also hears when memory of the host is short, if the process was started with `MEMPROF=1` and its allocator is memprof's: an
/// allocation was refused that the process could ever have had, or its control group is within 2 % of its limit (then
/// [`bytes`](OutOfMemory::bytes) is 0). That is on a thread of memprof's, after the refused allocation has failed, and at most once
/// a minute: nothing is tried again, whatever it says, and the last report waits for it for 2 seconds at most.
///
/// ```no_run
/// use memprof_cuda::{Action, on_out_of_memory};
/// # struct Cache;
/// # impl Cache { fn evict(&self, _bytes: u64) -> bool { true } }
/// # let cache = Cache;
///
/// on_out_of_memory(move |problem| if cache.evict(problem.bytes) { Action::Retry } else { Action::GiveUp });
/// ```
pub fn on_out_of_memory(callback: impl Fn(&OutOfMemory) -> Action + Send + Sync + 'static) {
    let callback: Arc<Callback> = Arc::new(callback);
    let replaced = CALLBACK.write().unwrap_or_else(PoisonError::into_inner).replace(callback);
    // The program's code: not under the lock.
    drop(replaced);
    on_shortage(host);
}

/// Memory of the host is short: the callback hears of it. What it says changes nothing, as nobody waits for it.
fn host(bytes: u64, open_scopes: Vec<String>) {
    let Some(_stage) = InStage::begin(Stage::Answering) else { return };
    let Some(callback) = CALLBACK.read().unwrap_or_else(PoisonError::into_inner).clone() else { return };
    let facts = OutOfMemory { open_scopes, ..OutOfMemory::gather(Space::HOST, bytes, None) };
    ask(&*callback, &facts);
}

thread_local! {
    /// What this thread is doing here.
    static STAGE: Cell<Stage> = const { Cell::new(Stage::Idle) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// Trying an allocation whose failure will be answered.
    Attempting,
    /// Answering one.
    Answering,
}

/// Changes this thread's stage until it is dropped.
struct InStage {
    before: Stage,
}

impl InStage {
    /// `None` where another attempt or answer of this thread is around this one, or the thread is about to end.
    fn begin(stage: Stage) -> Option<Self> {
        let before = STAGE.try_with(|now| now.replace(stage)).ok()?;
        let entered = Self { before };
        (before == Stage::Idle).then_some(entered)
    }
}

impl Drop for InStage {
    fn drop(&mut self) {
        let _ = STAGE.try_with(|now| now.set(self.before));
    }
}

/// Allocates by `attempt`, again and again for as long as memory does not suffice and the program's callback says so.
///
/// Counts each failure in `space`. An error for want of memory comes back with the report, once per burst. Within
/// another attempt on the same thread it only counts: the outer one answers. `context`: the device's, if it is known.
pub(crate) fn retrying<T>(
    space: Space,
    bytes: u64,
    context: Option<&Arc<CudaContext>>,
    mut attempt: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut progress = Progress::default();
    loop {
        let (outcome, answers) = {
            let stage = InStage::begin(Stage::Attempting);
            (events::attempt(space, bytes, &mut attempt), stage.is_some())
        };
        let error = match outcome {
            Ok(allocated) => {
                succeeded(space);
                return Ok(allocated);
            }
            Err(error) => error,
        };
        if !error.is_out_of_memory() || !answers {
            return Err(error);
        }
        match answer(space, bytes, context, &error, &mut progress) {
            Verdict::Retry => {}
            Verdict::GiveUp(Some(report)) => return Err(error.with_report(report)),
            Verdict::GiveUp(None) => return Err(error),
        }
    }
}

/// An allocation in `space` succeeded: its burst of failures is over. Costs a load where there is none.
pub(crate) fn succeeded(space: Space) {
    burst::end(space);
}

/// An allocation that nobody wraps in [`retrying`] failed for want of memory, as interception sees it within the
/// driver's call: writes the report, once per burst. Asks neither the callback nor the driver. Does nothing where an
/// attempt of this thread is around, which will answer.
pub(crate) fn seen_by_interception(space: Space, bytes: u64) {
    let Some(_stage) = InStage::begin(Stage::Answering) else { return };
    let _blind = blind();
    if burst::begin(space) == burst::Say::InTheErrorAndOnStderr {
        let facts = OutOfMemory::gather(space, bytes, None);
        if facts.measuring {
            print_line(&format!("memprof: {facts}"));
        }
    }
}

enum Verdict {
    Retry,
    /// With the report, for the first failure of a burst.
    GiveUp(Option<String>),
}

fn answer(
    space: Space,
    bytes: u64,
    context: Option<&Arc<CudaContext>>,
    error: &Error,
    progress: &mut Progress,
) -> Verdict {
    let Some(_stage) = InStage::begin(Stage::Answering) else { return Verdict::GiveUp(None) };
    let callback = CALLBACK.read().unwrap_or_else(PoisonError::into_inner).clone();
    let mut known = None;
    if let Some(callback) = callback {
        let facts = OutOfMemory::gather(space, bytes, context);
        if progress.goes_on(&facts) && ask(&*callback, &facts) == Action::Retry {
            return Verdict::Retry;
        }
        known = Some(facts);
    }
    let _blind = blind();
    let say = burst::begin(space);
    if say == burst::Say::Nothing {
        return Verdict::GiveUp(None);
    }
    let facts = known.unwrap_or_else(|| OutOfMemory::gather(space, bytes, context));
    let report = facts.to_string();
    if say == burst::Say::InTheErrorAndOnStderr && facts.measuring {
        print_line(&format!("memprof: {error}\n{report}"));
    }
    Verdict::GiveUp(Some(report))
}

/// What the callback says; that it panicked is said once each time.
fn ask(callback: &Callback, facts: &OutOfMemory) -> Action {
    let asked = catch_unwind(AssertUnwindSafe(|| events::WrapperCall::outside(|| callback(facts))));
    asked.unwrap_or_else(|payload| {
        print_line("memprof: the callback of on_out_of_memory panicked, which is taken for giving up");
        // Dropping it may panic again.
        Box::leak(payload);
        Action::GiveUp
    })
}

/// Whether retrying one allocation leads anywhere.
#[derive(Default)]
struct Progress {
    fruitless: u32,
    /// Attributed bytes, and bytes that the device could hand out, at the failure before.
    before: Option<(i64, u64)>,
}

impl Progress {
    /// Whether the callback is to be asked once more.
    fn goes_on(&mut self, facts: &OutOfMemory) -> bool {
        let now = (facts.attributed, facts.available());
        if let Some(before) = self.before.replace(now) {
            let freed = now.0 < before.0 || now.1 > before.1;
            self.fruitless = if freed { 0 } else { self.fruitless + 1 };
        }
        self.fruitless < MOST_FRUITLESS_RETRIES
    }
}
