//! `#[limit]`: an activation that is judged when it ends.
//!
//! What is judged are the counters of that one activation, as [`counters`](crate::counters) gives them, so that
//! what other threads do at the same time does not matter. Nothing passes unmeasured: where a space was not
//! recorded for as long as the activation was open, that is a failure too. What a failure says, and who hears of
//! it, is left to [`exceeded`](crate::api::exceeded).
//!
//! Three numbers of an activation can be limited in each space; all are differences to its entry, children
//! included:
//!
//! | limit | counter | what it answers |
//! |---|---|---|
//! | `peak` | `peak_bytes` | how much memory has to be free for this function to run |
//! | `total` | `total_bytes` | how much it allocates, freed again or not |
//! | `kept` | `current_bytes` at the end | how much it leaves behind: its result, a cache, a leak |
//!
//! An activation is begun, measured and judged. *Begun* ([`Begun::now`]) switches memprof on and notes how often it
//! had been switched off. *Measured* ([`measure`]) ends what is open inside and reads the counters while the scope
//! is open still. *Judged* ([`judge`]) compares after the scope was left, so what the text allocates is in no
//! number of it.

use core::marker::PhantomData;

use crate::api::ambient::{Ambient, ambient_of};
use crate::api::exceeded::{Excess, LimitExceeded, Measure, tell};
use crate::api::scope::{Scope, counted};
use crate::base::blind;
use crate::base::state;
use crate::base::tags;
use crate::base::tally::Counters;
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::observe::snapshot;
use crate::process::start;
use crate::scope::leave;
use crate::space::mark;
use crate::space::spaces::Space;
use crate::thread::frame::Frame;
use crate::thread::slot::Slot;

/// What an activation may need in one space: what `#[limit]` expands to. All of it is known when the program is
/// compiled, so the limits of a function are one `static`.
#[derive(Clone, Copy, Debug)]
#[must_use = "it is one of the limits of an activation"]
pub struct Limit {
    space: &'static str,
    peak: Option<u64>,
    total: Option<u64>,
    kept: Option<u64>,
}

impl Limit {
    /// No limit in `space`.
    pub const fn of(space: &'static str) -> Self {
        Self { space, peak: None, total: None, kept: None }
    }

    /// The most that it may hold at once, in bytes.
    pub const fn peak(self, bytes: u64) -> Self {
        Self { peak: Some(bytes), ..self }
    }

    /// The most that it may allocate. In bytes, freed again or not.
    pub const fn total(self, bytes: u64) -> Self {
        Self { total: Some(bytes), ..self }
    }

    /// The most that it may leave. In bytes, the value that it returns included.
    pub const fn kept(self, bytes: u64) -> Self {
        Self { kept: Some(bytes), ..self }
    }
}

/// All that an activation may need.
#[derive(Debug)]
pub struct Limits {
    limits: &'static [Limit],
    /// Whether threads without a scope of their own work for it.
    pub(crate) threads: bool,
}

impl Limits {
    /// `limits`, one a space.
    pub const fn new(limits: &'static [Limit], threads: bool) -> Self {
        Self { limits, threads }
    }

    /// Measures from now on. A function with a limit switches memprof on by itself: a test needs no variable in the
    /// environment.
    pub fn switch_on() {
        if !state::is_on() || !state::is_decided() {
            let _blind = blind::enter();
            start::switch(true);
        }
    }
}

/// An activation from its begin on: whether all of it was recorded is seen at its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    /// How often measuring had been switched off when it began: a difference at the end shows a time that was not
    /// recorded, however short.
    times_off: u32,
}

impl Begun {
    /// Measures from now on, if that is not so. The times are read first, so that one that begins here is found at the end; but
    /// after the environment was, since a process that starts without `MEMPROF=1` has its first one then.
    pub(crate) fn now() -> Self {
        start::is_decided_on();
        let times_off = state::times_off();
        Limits::switch_on();
        Self { times_off }
    }

    /// Whether memprof measured from the begin until now, without a break. Not whether everybody was told so: another thread
    /// may be telling them still that it was switched on, by which this one goes already.
    fn is_whole(self) -> bool {
        state::is_on_since(self.times_off)
    }
}

/// What was measured of an activation: its path, and the counters of each space that is limited.
pub(crate) type Measured = (PathId, Vec<Counters>);

/// Ends what is open inside `frame`, and reads what it recorded.
///
/// In `kept` is what the activation holds at this moment, its result included. The frame stays open.
pub(crate) fn measure(limits: &Limits, slot: &'static Slot, frame: &'static Frame) -> Measured {
    let _blind = blind::enter();
    leave::leave_above(slot, frame);
    let counters = limits.limits.iter().map(|limit| counted(slot, frame, Space::named(limit.space)));
    (frame.path(), counters.collect())
}

/// Judges an activation that has ended; one whose scope was not recorded fails.
pub(crate) fn judge(site: &'static Site, limits: &Limits, begun: Begun, measured: Option<Measured>) {
    if let Some(exceeded) = exceeded(site, limits, begun, measured) {
        tell(&exceeded);
    }
}

/// What is to be said of an activation; `None` where it needed no more than it may and all of it was measured. Of
/// two reasons not to be measured, a time that was switched off is said: it explains the other.
fn exceeded(site: &'static Site, limits: &Limits, begun: Begun, measured: Option<Measured>) -> Option<LimitExceeded> {
    let _blind = blind::enter();
    let mut found =
        LimitExceeded { name: String::new(), excesses: Vec::new(), unmeasured: Vec::new(), threads: limits.threads };
    match measured {
        _ if !begun.is_whole() => found.unmeasured.push(
            "memprof was switched off while it ran: call memprof::disable() where no function with a limit is running".to_owned(),
        ),
        None => found.unmeasured.push(
            "its scope could not be recorded to its end: the thread is ending, a scope around it was ended first, or the system has no memory left".to_owned(),
        ),
        Some((path, counters)) => {
            for (limit, counters) in limits.limits.iter().zip(counters) {
                found.unmeasured.extend(unmeasured(limit.space, &counters));
                found.excesses.extend(excesses(limit, &counters, path));
            }
        }
    }
    if found.excesses.is_empty() && found.unmeasured.is_empty() {
        return None;
    }
    found.name = site.full_name();
    Some(found)
}

/// The limits of one space that the counters are above. A counter below 0, which frees of older memory make, is 0.
fn excesses(limit: &Limit, counters: &Counters, path: PathId) -> Vec<Excess> {
    let measures = [
        (Measure::Peak, limit.peak, counters.peak_bytes),
        (Measure::Total, limit.total, counters.total_bytes),
        (Measure::Kept, limit.kept, counters.current_bytes),
    ];
    let exceeded = measures.into_iter().filter_map(|(measure, limit, measured)| {
        let measured = u64::try_from(measured).unwrap_or(0);
        limit.filter(|limit| measured > *limit).map(|limit| (measure, limit, measured))
    });
    let space = Space::named(limit.space);
    exceeded
        .map(|(measure, limit, measured)| Excess {
            space: space.name(),
            measure,
            limit,
            measured,
            inside: inside(path, space, measure),
        })
        .collect()
}

/// The scopes below `path`, those first that account for most of what was exceeded. They are read from the records
/// of all activations since the last reset, so they show where to look, and need not add up to the one activation
/// that was judged.
fn inside(path: PathId, space: Space, measure: Measure) -> Vec<memprof_report::Record> {
    let mut records = snapshot::below(path, space);
    records.retain(|record| record.memory_total > 0 || record.live != 0);
    let most_of = |record: &memprof_report::Record| match measure {
        Measure::Peak => record.memory_peak.cast_signed(),
        Measure::Total => record.memory_total.cast_signed(),
        Measure::Kept => record.live,
    };
    records.sort_by_key(|record| core::cmp::Reverse((most_of(record), record.memory_peak)));
    records
}

/// Why a space was not measured, and what to add. A space in which anything at all was counted is measured: an
/// allocation of 0 bytes is something.
fn unmeasured(name: &str, counters: &Counters) -> Option<String> {
    if *counters != Counters::default() {
        return None;
    }
    let space = Space::named(name);
    if space == Space::HOST {
        // An allocator that always writes tags notes itself when it is asked for a block.
        let _no_matter = std::hint::black_box(Vec::<u8>::new()).try_reserve_exact(1);
        return (!tags::are_met()).then(|| {
            let why = if tags::tags().are_left_out() {
                "the process started without MEMPROF=1, and its allocator does not always write tags"
            } else {
                "no allocator reports"
            };
            format!(
                "host is not measured: {why}; add:\n    #[global_allocator]\n    static ALLOC: memprof::Alloc = memprof::Alloc::system().always();"
            )
        });
    }
    if space.name() != name {
        return Some(format!("{name} is not measured: the process has more spaces than it can tell apart"));
    }
    (!mark::of(space).is_known()).then(|| {
        format!(
            "{name} is not measured: nothing was ever reported in it; its allocator has to call:\n    \
             memprof::record_alloc(memprof::Space::named({name:?}), address, bytes);\n    \
             memprof::record_free(memprof::Space::named({name:?}), address);{}",
            if name.starts_with("cuda:") || matches!(name, "pinned" | "managed") {
                "\n  or, for what the CUDA driver allocates, with the feature `cuda`, wrap the stream with memprof::cuda, or start with MEMPROF=1 MEMPROF_CUDA=intercept"
            } else {
                ""
            }
        )
    })
}

/// Judges the activation of a function that is not a future, when it is dropped.
///
/// It judges nothing while the thread unwinds: a panic of the function's own is what is to be read, and a second
/// one would abort the process.
#[must_use = "the activation ends when it is dropped"]
pub struct Limited {
    /// Dropped first, where nothing is judged: what pools do is in the scope then.
    threads: Option<Ambient>,
    scope: Option<Scope>,
    site: &'static Site,
    limits: &'static Limits,
    begun: Begun,
    _on_this_thread: PhantomData<*const ()>,
}

impl core::fmt::Debug for Limited {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Limited").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Limited {
    /// Enters the scope.
    ///
    /// With `threads`, an ambient scope is opened in it, so that pools work for it; its row is named after the
    /// function.
    pub fn enter(site: &'static Site, limits: &'static Limits) -> Self {
        let begun = Begun::now();
        let scope = Some(Scope::enter(site));
        let threads = limits.threads.then(|| ambient_of(site.of_other_threads()));
        Self { threads, scope, site, limits, begun, _on_this_thread: PhantomData }
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.threads = None;
        let opened = self.scope.as_ref().and_then(Scope::open_frame);
        let measured = opened.map(|(slot, frame)| measure(self.limits, slot, frame));
        self.scope = None;
        judge(self.site, self.limits, self.begun, measured);
    }
}
