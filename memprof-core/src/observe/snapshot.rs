//! Taking a snapshot: reading every thread's slot while the threads go on.
//!
//! Sums only grow, so each row is read on its own, whole (see [`read`](crate::thread::read)). What is
//! open on a thread is read together with the rows of the same paths, so that no scope is counted both as open and
//! as ended. A block that is handed over from one thread to another while they are read may count as live or not.
//!
//! The numbers of a space come about in this order, each step on top of the one before:
//!
//! 1. the rows of all threads, with what is open on each as if it ended now ([`rows`]);
//! 2. futures that nobody polls, and what was done under their contexts since ([`futures`]);
//! 3. ambient scopes that are open ([`ambient::each_so_far`]);
//! 4. less what stood there at the last reset ([`baseline`](super::baseline));
//! 5. who owned what at the mark: of the host from its picture, of other spaces from the mark;
//! 6. totals of the space; records by site and by path ([`records`](super::records)).
//!
//! It takes memory for each path, from the program's allocator while the thread is blind; where there is none, the
//! snapshot says so and is empty. Threads are never stopped or waited for; what could not be read whole is counted
//! and said.
//!
//! For 10,000 paths on 64 threads it takes some 45 ms (`cargo bench --bench limits`), and half a KiB a path while it
//! is at work. Most of the time is for cache lines that other processors wrote last.

use memprof_report::__recorder::{HostState, SnapshotParts, SpaceData};
use memprof_report::{Process, Record, Snapshot, Totals};

use crate::base::blind;
use crate::base::identity;
use crate::base::lock;
use crate::base::pages;
use crate::base::resident;
use crate::base::state;
use crate::base::tags;
use crate::names::path::PathId;
use crate::observe::baseline::{Baseline, baseline};
use crate::observe::devices;
use crate::observe::futures;
use crate::observe::notes::notes;
use crate::observe::records::{Names, flat_records, records_below, tree};
use crate::observe::rows;
use crate::observe::sums::{self, PathSums};
use crate::share::ambient;
use crate::share::settle::settle;
use crate::space::level;
use crate::space::mark::{self, Mark};
use crate::space::spaces::Space;
use crate::thread::current;
use crate::thread::picture;
use crate::thread::slot::{Slot, slots};

/// Everything recorded so far, with the scopes that are open counted as if they ended at this instant. `on`: whether
/// memprof measures, for the snapshot to say.
pub(crate) fn take(on: bool) -> Snapshot {
    let is_at_work = blind::is_blind();
    let _blind = blind::enter();
    let paths = PathId::count();
    if !sums::has_memory_for(paths) {
        return nothing_to_read("the system has no memory left: nothing could be read");
    }
    if let Some(slot) = current::recording().filter(|_| !is_at_work) {
        slot.take_in_aside();
        settle(slot);
    }
    let base = baseline();
    let calls = read_calls(paths, &base.calls);
    let mut unread = 0;
    // One for all spaces: with many paths it takes longer to get the memory than to fill it.
    let (mut sums, mut names) = (Vec::new(), Names::default());
    let mut read = |space| read_space(space, &calls, &base, (&mut sums, &mut names), &mut unread);
    let spaces: Vec<SpaceData> = sorted_spaces().into_iter().map(&mut read).collect();
    drop(base);
    let host_events = spaces.first().is_some_and(|host| host.has_events);
    let host = if host_events || tags::are_met() {
        HostState::Measured
    } else if tags::tags().are_left_out() {
        HostState::Untagged
    } else {
        HostState::NoAllocator
    };
    let scopes_entered = calls.iter().any(|calls| *calls > 0);
    let mut devices = devices::ask();
    devices.retain_mut(|device| {
        let space = spaces.iter().find(|space| space.name == device.space);
        device.attribute(space.map_or(0, |space| space.totals.live));
        // Of a device that could never be asked, there is something to say only if it was used.
        device.total > 0 || space.is_some_and(|space| space.has_events)
    });
    Snapshot::new(SnapshotParts {
        enabled: on,
        host,
        scopes_entered,
        was_off: state::was_off(),
        process: identity::process(),
        resident: resident::now(),
        notes: notes(unread),
        spaces,
        devices,
    })
}

/// In the order of the report: `host` first, then by name.
fn sorted_spaces() -> Vec<Space> {
    let mut spaces: Vec<Space> = Space::all().collect();
    spaces.sort_by_key(|space| (*space != Space::HOST, space.name()));
    spaces
}

/// Activations since the last reset, those that are open included, by path.
fn read_calls(paths: usize, base: &[u64]) -> Vec<u64> {
    let mut calls = vec![0_u64; paths];
    for slot in slots() {
        for (path, row) in slot.calls.iter(paths) {
            calls[path] = calls[path].wrapping_add(row.calls.get());
        }
    }
    for (calls, base) in calls.iter_mut().zip(base) {
        *calls = calls.wrapping_sub(*base);
    }
    calls
}

/// What was recorded in a space below a path, one record a site; nothing where there is no memory to read it.
///
/// For a limit that was exceeded, to say who needed the memory.
pub(crate) fn below(path: PathId, space: Space) -> Vec<Record> {
    let _blind = blind::enter();
    let paths = PathId::count();
    if lock::holds_any() || !sums::has_memory_for(paths) {
        return Vec::new();
    }
    let base = baseline();
    let calls = read_calls(paths, &base.calls);
    let mut sums = Vec::new();
    read_sums(space, &calls, &base, &mut sums, &mut 0);
    if space != Space::HOST {
        own_by_mark(&mark::of(space), &mut sums);
    }
    records_below(path, &sums, &calls)
}

/// All that is said of one space. `sums` is the room for it, and whatever is in it is overwritten; `names` are kept for the next.
fn read_space(
    space: Space,
    calls: &[u64],
    base: &Baseline,
    (sums, names): (&mut Vec<PathSums>, &mut Names),
    unread: &mut usize,
) -> SpaceData {
    let name = space.name().to_owned();
    if space != Space::HOST && is_untouched(space) {
        sums.clear();
        sums.resize(calls.len(), PathSums::default());
        let records = flat_records(sums, calls, names);
        // Its tree would name every path again: it is made of the host's, if somebody asks for it.
        return SpaceData { name, totals: Totals::default(), has_events: false, records, tree: Vec::new() };
    }
    read_sums(space, calls, base, sums, unread);
    let (totals, has_events) = if space == Space::HOST { host_totals(sums, base) } else { marked_totals(space, sums) };
    let records = flat_records(sums, calls, names);
    SpaceData { name, totals, has_events, records, tree: tree(sums, calls, names) }
}

/// Whether nothing ever happened in a space.
fn is_untouched(space: Space) -> bool {
    slots().all(|slot| slot.known_ledger(space).is_none()) && !mark::of(space).is_known()
}

/// What was recorded for each path in a space since the last reset.
fn read_sums(space: Space, calls: &[u64], base: &Baseline, sums: &mut Vec<PathSums>, unread: &mut usize) {
    let paths = calls.len();
    sums.clear();
    sums.resize(paths, PathSums::default());
    let polled = rows::read(space, sums, unread);
    // What futures that nobody polls keep is in no thread's numbers yet, nor is what was done under their contexts;
    // and one that was suspended at a reset raises its row again at its next poll.
    futures::suspended(space, &polled, |path, before, added| {
        if let Some(sums) = sums.get_mut(path.index()) {
            sums.end_future(before, added);
        }
    });
    ambient::each_so_far(space, |path, marks, tally| {
        if let Some(sums) = sums.get_mut(path.index()) {
            sums.add_open(tally, marks);
        }
    });
    if let Some(base) = base.spaces.get(&space.index()) {
        for (path, base) in base {
            if let Some(sums) = sums.get_mut(*path) {
                sums.subtract(base);
            }
        }
    }
}

/// The host's totals are sums over the paths, so the two agree by construction. The peak is the greatest of what
/// the threads published, what the picture adds up to, and what is live now: each of the three was held, and each
/// may be ahead of the others by less than a step a thread.
fn host_totals(sums: &mut Vec<PathSums>, base: &Baseline) -> (Totals, bool) {
    picture::see_picture(|path, bytes, blocks| {
        let sums = grown(sums, path);
        sums.at_peak = bytes;
        sums.at_peak_blocks = blocks;
    });
    let used: Vec<&Slot> = slots().filter(|slot| slot.net.used()).collect();
    let add = |of: fn(&PathSums) -> i64| sums.iter().map(of).sum::<i64>();
    let (live, live_blocks) = (add(PathSums::live), add(PathSums::live_blocks));
    let (peak, peak_blocks) = match used[..] {
        // While only one thread ever allocated, it knows the peak itself.
        [only] => match only.read(&only.host, sums::TRIES, || only.most_net()) {
            (most, true) => most,
            _ => level::published_peak(),
        },
        _ => level::published_peak(),
    };
    let at_peak_level = add(|sums| sums.at_peak);
    let total = add(|sums| sums.self_total.cast_signed());
    let blocks_total = add(|sums| sums.self_blocks.cast_signed());
    let recorded = mark::of(Space::HOST);
    let root = sums.first().copied().unwrap_or_default();
    let mut totals = Totals::default();
    totals.live = live;
    totals.live_blocks = live_blocks;
    totals.peak = unsigned(peak.max(at_peak_level).max(live));
    totals.peak_blocks = unsigned(peak_blocks.max(live_blocks));
    totals.at_peak_level = unsigned(at_peak_level);
    totals.total = unsigned(total);
    totals.blocks_total = unsigned(blocks_total);
    totals.failed = level::failures().saturating_sub(base.host_failures);
    totals.unknown_frees = recorded.unknown_frees;
    totals.missed_frees = recorded.missed_frees;
    totals.no_scope_live = root.live();
    totals.no_scope_total = root.self_total;
    totals.no_scope_at_peak = unsigned(root.at_peak);
    totals.no_scope_live_blocks = root.live_blocks();
    totals.no_scope_blocks = root.self_blocks;
    totals.no_scope_at_peak_blocks = unsigned(root.at_peak_blocks);
    if used.len() > 1 {
        // The slot that ended threads share publishes every event at once.
        totals.peak_threads = used.iter().filter(|slot| !core::ptr::eq(**slot, Slot::ended())).count() as u64;
    }
    let has_events =
        totals.blocks_total > 0 || totals.live_blocks != 0 || totals.failed > 0 || totals.unknown_frees > 0;
    (totals, has_events)
}

/// The totals of any other space are those of its mark, and so is what each path owns.
fn marked_totals(space: Space, sums: &mut Vec<PathSums>) -> (Totals, bool) {
    let mark = mark::of(space);
    own_by_mark(&mark, sums);
    let root = sums.first().copied().unwrap_or_default();
    let mut totals = Totals::default();
    totals.live = mark.live;
    totals.live_blocks = mark.live_blocks;
    totals.peak = unsigned(mark.peak);
    totals.peak_blocks = unsigned(mark.peak_blocks);
    totals.at_peak_level = unsigned(mark.peak);
    totals.total = mark.total;
    totals.blocks_total = mark.blocks_total;
    totals.failed = mark.failed;
    totals.unknown_frees = mark.unknown_frees;
    totals.missed_frees = mark.missed_frees;
    totals.no_scope_live = root.live();
    totals.no_scope_total = mark.no_scope_total;
    totals.no_scope_at_peak = unsigned(root.at_peak);
    totals.no_scope_live_blocks = root.live_blocks();
    let in_scopes = sums.iter().skip(1).map(|sums| sums.self_blocks).fold(0, u64::wrapping_add);
    totals.no_scope_blocks = mark.blocks_total.saturating_sub(in_scopes);
    totals.no_scope_at_peak_blocks = unsigned(root.at_peak_blocks);
    (totals, mark.has_events())
}

/// What each path owns in a space, and owned at its mark.
fn own_by_mark(mark: &Mark, sums: &mut Vec<PathSums>) {
    sums.iter_mut().for_each(PathSums::forget_owned);
    mark.see_owners(|path, [live, live_blocks, at_peak, at_peak_blocks]| {
        let sums = grown(sums, path);
        sums.own(live, live_blocks);
        sums.at_peak = at_peak;
        sums.at_peak_blocks = at_peak_blocks;
    });
}

/// The sums of a path, which may have been made after the snapshot began: what is owned adds up all the same.
fn grown(sums: &mut Vec<PathSums>, path: PathId) -> &mut PathSums {
    if sums.len() <= path.index() {
        sums.resize(path.index() + 1, PathSums::default());
    }
    &mut sums[path.index()]
}

/// A snapshot that says why there is nothing in it.
#[cold]
pub(crate) fn nothing_to_read(why: &str) -> Snapshot {
    let _blind = blind::enter();
    let parts = SnapshotParts {
        enabled: state::is_announced_on(),
        host: HostState::Measured,
        spaces: Vec::new(),
        devices: Vec::new(),
        was_off: state::was_off(),
        process: Process::default(),
        resident: None,
        notes: if pages::program_has(1 << 10) { vec![why.to_owned()] } else { Vec::new() },
        scopes_entered: true,
    };
    Snapshot::new(parts)
}

/// A number that is below 0 for a moment at most, while a hand-over is read, as 0.
fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
