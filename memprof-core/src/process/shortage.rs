//! Memory of the host that runs out: who holds it is said on stderr, at most once a minute.
//!
//! Two things show it. Upstream refuses an allocation: the thread that met it notes that here ([`note_refusal`])
//! and has memprof's own thread woken; it allocates nothing and takes no lock. Or a control group is within 2 % of
//! its limit, past which the system kills: memprof's own thread looks every so often ([`Shortage::look`]), if there
//! was a limit when it started. What of a group the system can take back at once, files that were not used lately,
//! does not count as used.
//!
//! A request above all that the process can ever have is no shortage: a program that finds out what it gets makes
//! those.
//!
//! Whoever asked to hear of it ([`on_shortage`]) is called then, on memprof's own thread: it cannot have the allocation tried again, which
//! has failed long since, and may let go of what it does not need.
//!
//! A text:
//!
//! ```text
//! memprof: out of memory in host: 1,073,741,824 bytes requested
//! largest owners of host, live bytes:
//!     805,306,368 src/cache.rs:40(Cache::insert)
//!      16,777,216 (outside any scope)
//! open scopes, innermost first:
//!     src/cache.rs:40(Cache::insert) < src/main.rs:12(main)
//! ```

use core::fmt::Write as _;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;
use std::time::Instant;

use memprof_report::thousands;

use crate::base::lock::Lock;
use crate::base::pages;
use crate::base::platform;
use crate::base::resident::Groups;
use crate::base::state;
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::observe::snapshot;
use crate::space::spaces::Space;
use crate::thread::slot::Slot;

/// How often control groups are looked at.
const EVERY: Duration = Duration::from_millis(100);
/// How long nothing is said after something was.
const SILENCE: Duration = Duration::from_mins(1);
/// The part of a limit that is left when it is said that it is near: one in so many. Late enough that a program
/// which fills its limit on purpose seldom hears of it, early enough to say it before the system kills.
const LEFT: u64 = 50;
/// Owners that are named; the rest is summed up in a line.
const OWNERS: usize = 10;
/// What the text asks the program's allocator for, at most, besides the snapshot's own.
const FOR_A_TEXT: usize = 256 << 10;
/// Stacks of open scopes that are named.
const STACKS: usize = 10;

/// The most that the process can ever have, but for a limit of its address space.
static MOST: AtomicU64 = AtomicU64::new(u64::MAX);
/// The last refusal that was noted: bytes, and the path that was open.
static BYTES: AtomicU64 = AtomicU64::new(0);
static PATH: AtomicU32 = AtomicU32::new(0);

/// Notes that upstream refused so many bytes where `path` is open. `false`: no machine has so many.
pub(crate) fn note_refusal(path: PathId, bytes: u64) -> bool {
    let is_one = bytes <= MOST.load(Ordering::Relaxed).min(platform::address_space());
    if is_one {
        BYTES.store(bytes, Ordering::Relaxed);
        PATH.store(path.bits(), Ordering::Release);
    }
    is_one
}

/// Is told how many bytes were refused, and which scopes were open there, innermost first; 0 and none where a control group is nearly full.
type Listener = fn(u64, Vec<String>);

static LISTENER: Lock<Option<Listener>> = Lock::new(None);

/// Has `listener` called when memory of the host is short, on memprof's own thread and at most once a minute, after it was said on
/// stderr. So only where that thread is: in a process that was started with `MEMPROF=1`. What it does is recorded.
///
/// One listener; the last one that asked.
pub fn on_shortage(listener: Listener) {
    *LISTENER.lock() = Some(listener);
}

/// A shortage that was said.
pub(crate) struct Said {
    bytes: u64,
    open: Vec<String>,
}

impl Said {
    /// Calls whoever asked for it. The thread is not blind.
    pub(crate) fn tell(self) {
        let listener = *LISTENER.lock();
        if let Some(listener) = listener {
            listener(self.bytes, self.open);
        }
    }
}

/// What memprof's own thread knows of it.
pub(crate) struct Shortage {
    groups: Groups,
    /// Whether there was a limit when it began; one that is set later is not looked for.
    has_limit: bool,
    /// When something was said last.
    said: Option<Instant>,
}

impl Shortage {
    /// Looks for the limits of this process, and for how much the machine has.
    pub(crate) fn begin() -> Self {
        let groups = Groups::of_this_process();
        let limit = groups.limit();
        let most = [platform::memory(), limit].into_iter().flatten().min();
        MOST.store(most.unwrap_or(u64::MAX), Ordering::Relaxed);
        Self { groups, has_limit: limit.is_some(), said: None }
    }

    /// How often to [`look`](Self::look); `None` for never.
    pub(crate) fn every(&self) -> Option<Duration> {
        self.has_limit.then_some(EVERY)
    }

    /// Says who holds the memory if a control group is nearly full.
    pub(crate) fn look(&mut self) -> Option<Said> {
        if !self.has_limit || self.is_silent() {
            return None;
        }
        let [used, limit] = self.groups.fullest()?;
        if used < limit - limit / LEFT {
            return None;
        }
        let (used, limit) = (thousands(used), thousands(limit));
        let paths = Slot::all().map(|slot| slot.top().path()).collect();
        self.say(0, &format!("{used} of the {limit} bytes that its control group may have are used"), paths)
    }

    /// Says who holds the memory, since upstream refused some.
    pub(crate) fn report_refusal(&mut self) -> Option<Said> {
        if self.is_silent() {
            return None;
        }
        let path = PathId::from_bits(PATH.load(Ordering::Acquire));
        let bytes = BYTES.load(Ordering::Relaxed);
        self.say(bytes, &format!("out of memory in host: {} bytes requested", thousands(bytes)), vec![path])
    }

    fn is_silent(&self) -> bool {
        self.said.is_some_and(|said| said.elapsed() < SILENCE)
    }

    /// Says it, at most as long as there is memory for the text. Nothing more is said for [`SILENCE`], also if this
    /// failed.
    fn say(&mut self, bytes: u64, what: &str, paths: Vec<PathId>) -> Option<Said> {
        self.said = Some(Instant::now());
        if !pages::program_has(FOR_A_TEXT) {
            platform::print("memprof: out of memory in host, and too little is left to say who holds it\n");
            return None;
        }
        let mut text = format!("memprof: {what}");
        write_owners(&mut text);
        let refused_at = paths.first().filter(|_| bytes > 0).copied();
        write_open_scopes(&mut text, paths);
        text.push('\n');
        platform::print(&text);
        Some(Said { bytes, open: refused_at.map(names).unwrap_or_default() })
    }
}

/// Who holds the host's memory now, most first, by a snapshot.
fn write_owners(text: &mut String) {
    let snapshot = snapshot::take(state::is_announced_on());
    let outside = snapshot.totals(Space::HOST).no_scope_live;
    let rows = snapshot.records(Space::HOST).iter().map(|row| (row.live, row.name.clone()));
    let mut owners: Vec<_> =
        rows.chain([(outside, "(outside any scope)".to_owned())]).filter(|(live, _)| *live > 0).collect();
    owners.sort_by_key(|(live, _)| core::cmp::Reverse(*live));
    if owners.is_empty() {
        text.push_str("\nnobody is known to hold memory of host");
        return;
    }
    text.push_str("\nlargest owners of host, live bytes:");
    let number = |live: i64| thousands(live).to_string();
    let width = owners.first().map_or(0, |(live, _)| number(*live).len());
    for (live, name) in owners.iter().take(OWNERS) {
        // Writing to a string does not fail.
        let _fits = write!(text, "\n    {:>width$} {name}", number(*live));
    }
    if let Some(more) = owners.get(OWNERS..).filter(|more| !more.is_empty()) {
        let live = number(more.iter().map(|(live, _)| live).sum());
        let _fits = write!(text, "\n    and {} more, with {live} bytes", more.len());
    }
}

/// Which scopes are open at these paths, a line each.
fn write_open_scopes(text: &mut String, mut paths: Vec<PathId>) {
    paths.retain(|path| *path != PathId::ROOT);
    paths.sort_unstable_by_key(|path| path.index());
    paths.dedup();
    if paths.is_empty() {
        text.push_str("\nno scope is open");
        return;
    }
    text.push_str("\nopen scopes, innermost first:");
    for path in paths.iter().take(STACKS) {
        let _fits = write!(text, "\n    {}", names(*path).join(" < "));
    }
    if paths.len() > STACKS {
        let _fits = write!(text, "\n    and {} more", paths.len() - STACKS);
    }
}

/// The scopes of a path, innermost first.
fn names(path: PathId) -> Vec<String> {
    let above = core::iter::successors(Some(path), |path| Some(path.parent()));
    above
        .take_while(|path| *path != PathId::ROOT)
        .filter_map(|path| Site::of_id(path.site()).map(Site::full_name))
        .collect()
}
