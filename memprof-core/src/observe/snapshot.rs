//! Taking a snapshot: reading every thread's slot while the threads go on.
//!
//! Sums only grow, so each row is read on its own, whole (see [`read`](crate::thread::read)). What is
//! open on a thread is read together with the rows of the same paths, so that no scope is counted both as open and
//! as ended. A block that is handed over from one thread to another while they are read may count as live or not.

use std::collections::{BTreeMap, HashMap};

use memprof_report::__recorder::{HostState, SnapshotParts, SpaceData};
use memprof_report::{PathRecord, Record, Snapshot, Totals};

use crate::api::ambient;
use crate::base::blind;
use crate::base::lock::{self, Lock};
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::pages;
use crate::base::state;
use crate::base::tags;
use crate::lanes::activation::Account;
use crate::lanes::lane::Lane;
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::observe::devices;
use crate::process::start;
use crate::space::level;
use crate::space::mark;
use crate::space::spaces::Space;
use crate::thread::current;
use crate::thread::picture;
use crate::thread::slot::{self, Slot, slots};

use crate::observe::rows;
use crate::observe::sums::{self, PathSums};

/// What stood in the sums at the last reset: a snapshot subtracts it.
static BASE: Lock<Base> = Lock::new(Base { calls: Vec::new(), spaces: BTreeMap::new(), host_failures: 0 });

struct Base {
    /// Activations that had ended, by path.
    calls: Vec<u64>,
    /// By space and path.
    spaces: BTreeMap<usize, HashMap<usize, PathSums>>,
    host_failures: u64,
}

/// What a snapshot asks the program's allocator for, roughly: where it has less, there is none.
const FOR_A_SNAPSHOT: usize = 1 << 16;
/// The same for each path: its sums, and a row of the site and of the path.
const FOR_A_PATH: usize = 1 << 10;

/// Everything recorded so far, with the scopes that are open counted as if they ended at this instant.
///
/// No thread is stopped: a thread that changes a number again and again while it is being read contributes the
/// scopes that it has left, and the snapshot says so in its notes. Costs some milliseconds for 10,000 paths on 64
/// threads; the snapshot's own memory is in no number.
///
/// Where a signal handler interrupted memprof on its own thread, or memprof's own work called the allocator that asks for it, there is
/// nothing to be read: the snapshot says so in a note and is empty else.
pub fn snapshot() -> Snapshot {
    if lock::holds_any() {
        return nothing_to_read("it was asked for where memprof was at work on the same thread: nothing could be read");
    }
    take()
}

/// [`snapshot`] for the recorder itself, which may hold a lock of its own that no snapshot takes.
pub(crate) fn take() -> Snapshot {
    let is_at_work = blind::is_blind();
    let _blind = blind::enter();
    let paths = PathId::count();
    if !pages::program_has(FOR_A_SNAPSHOT + paths * FOR_A_PATH) {
        return nothing_to_read("the system has no memory left: nothing could be read");
    }
    if let Some(slot) = current::own().filter(|_| !is_at_work) {
        slot.settle();
    }
    let on = start::is_announced_on();
    let base = BASE.lock();
    let calls = read_calls(paths, &base.calls);
    let mut unread = 0;
    // One for all spaces: with many paths it takes longer to get the memory than to fill it.
    let mut sums = Vec::new();
    let spaces: Vec<SpaceData> =
        sorted_spaces().into_iter().map(|space| read_space(space, &calls, &base, &mut sums, &mut unread)).collect();
    drop(base);
    let host_events = spaces.first().is_some_and(|host| host.has_events);
    let tags = tags::tags();
    let host = if host_events || tags.are_written() {
        HostState::Measured
    } else if tags.are_left_out() {
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
    Snapshot::new(SnapshotParts { enabled: on, host, spaces, devices, notes: notes(unread), scopes_entered })
}

/// A snapshot that says why there is nothing in it.
#[cold]
fn nothing_to_read(why: &str) -> Snapshot {
    let _blind = blind::enter();
    let parts = SnapshotParts {
        enabled: state::is_announced_on(),
        host: HostState::Measured,
        spaces: Vec::new(),
        devices: Vec::new(),
        notes: if pages::program_has(1 << 10) { vec![why.to_owned()] } else { Vec::new() },
        scopes_entered: true,
    };
    Snapshot::new(parts)
}

/// Forgets what was recorded: records, totals and marks. Blocks that are live stay known, scopes that are open are
/// recorded whole when they are left, and high-water marks begin again at what is live.
///
/// Does nothing where the system has no memory left for it, and where a signal handler interrupted memprof on its own thread, or memprof's own work called the allocator that asks for
/// it; the report says how often.
pub fn reset() {
    if lock::holds_any() {
        return missed::note(Refused::AtWork);
    }
    let is_at_work = blind::is_blind();
    let _blind = blind::enter();
    let paths = PathId::count();
    if !pages::program_has(FOR_A_SNAPSHOT + paths * FOR_A_PATH) {
        return missed::note(Refused::NoMemory);
    }
    if let Some(slot) = current::own().filter(|_| !is_at_work) {
        slot.settle();
    }
    let mut base = BASE.lock();
    base.calls = vec![0; paths];
    for slot in slots() {
        for (path, row) in slot.calls.iter(paths) {
            base.calls[path] = base.calls[path].wrapping_add(row.ended.get());
        }
    }
    base.spaces.clear();
    for space in Space::all() {
        let mut sums = HashMap::new();
        for slot in slots() {
            let Some(ledger) = slot.known_ledger(space) else { continue };
            // A fork's child has slots of threads that do not exist there, and were in the midst of a change.
            let mut patient = true;
            for (path, row) in ledger.rows.iter(paths) {
                let (read, whole) = if patient {
                    sums::read_row_patiently(slot, ledger, row)
                } else {
                    sums::read_row(slot, ledger, row)
                };
                patient &= whole;
                if read != PathSums::default() {
                    sums.entry(path).or_insert_with(PathSums::default).add_sums(&read);
                }
            }
        }
        base.spaces.insert(space.index(), sums);
    }
    // Futures that are open have added their polls to the rows already; those belong to what is recorded later.
    open_futures(|path, space, account| {
        let sums = base.spaces.entry(space.index()).or_default().entry(path.index()).or_default();
        sums.take_back(account);
    });
    base.host_failures = level::failures();
    drop(base);
    state::next_epoch();
    slot::announce();
    for space in Space::all().filter(|space| *space != Space::HOST) {
        mark::of(space).reset();
    }
    mark::of(Space::HOST).reset();
    let (bytes, blocks) = host_live(paths);
    picture::reset(bytes, blocks);
}

/// Gives what each open future recorded in its polls so far to `see`, by space.
fn open_futures(mut see: impl FnMut(PathId, Space, &Account)) {
    for lane in Lane::all() {
        lane.activation.see_accounts(|tag, space, account| see(tag.path(), space, account));
    }
}

/// Live bytes and blocks of the host.
fn host_live(paths: usize) -> (i64, i64) {
    let mut live = (0, 0);
    for slot in slots() {
        for (_, row) in slot.host.rows.iter(paths) {
            let [bytes, blocks] = slot.owned(row).map(u64::cast_signed);
            live = (live.0 + bytes, live.1 + blocks);
        }
    }
    live
}

/// `host` first, then by name.
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

fn read_space(space: Space, calls: &[u64], base: &Base, sums: &mut Vec<PathSums>, unread: &mut usize) -> SpaceData {
    let paths = calls.len();
    sums.clear();
    sums.resize(paths, PathSums::default());
    let polled = rows::read(space, sums, unread);
    // What was done under the contexts of futures that nobody polls is in no thread's numbers yet.
    for lane in Lane::all() {
        let Some((path, before, added)) = lane.activation.suspended(space) else { continue };
        if let Some(sums) = sums.get_mut(path.index())
            && !polled.iter().any(|polled| core::ptr::eq(*polled, lane))
        {
            sums.add_suspended(&before, &added);
        }
    }
    ambient::each_so_far(space, |path, marks, tally| {
        if let Some(sums) = sums.get_mut(path.index()) {
            sums.add_open(tally, marks);
        }
    });
    if state::epoch() > 1 {
        // A future that was suspended at the reset raises its row again at its next poll; until then, it is asked.
        open_futures(|path, of, account| {
            if let Some(sums) = sums.get_mut(path.index()).filter(|_| of == space) {
                sums.raise_to(&account.tally);
            }
        });
    }
    if let Some(base) = base.spaces.get(&space.index()) {
        for (path, base) in base {
            if let Some(sums) = sums.get_mut(*path) {
                sums.subtract(base);
            }
        }
    }
    let (totals, has_events) = if space == Space::HOST { host_totals(sums, base) } else { marked_totals(space, sums) };
    SpaceData {
        name: space.name().to_owned(),
        totals,
        has_events,
        records: flat_records(sums, calls),
        tree: tree(sums, calls),
    }
}

/// The host's totals are sums over the paths, so the two agree by construction.
fn host_totals(sums: &mut Vec<PathSums>, base: &Base) -> (Totals, bool) {
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
        [only] => only.most_net(),
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
    let has_events =
        totals.blocks_total > 0 || totals.live_blocks != 0 || totals.failed > 0 || totals.unknown_frees > 0;
    (totals, has_events)
}

/// The totals of any other space are those of its mark, and so is what each path owns.
fn marked_totals(space: Space, sums: &mut Vec<PathSums>) -> (Totals, bool) {
    let mark = mark::of(space);
    sums.iter_mut().for_each(PathSums::forget_owned);
    mark.see_owners(|path, [live, live_blocks, at_peak, at_peak_blocks]| {
        let sums = grown(sums, path);
        sums.own(live, live_blocks);
        sums.at_peak = at_peak;
        sums.at_peak_blocks = at_peak_blocks;
    });
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
    (totals, mark.has_events())
}

/// The sums of a path, which may have been made after the snapshot began: what is owned adds up all the same.
fn grown(sums: &mut Vec<PathSums>, path: PathId) -> &mut PathSums {
    if sums.len() <= path.index() {
        sums.resize(path.index() + 1, PathSums::default());
    }
    &mut sums[path.index()]
}

/// Calls of a path, none if it was made after the snapshot began.
fn calls_of(calls: &[u64], path: usize) -> u64 {
    calls.get(path).copied().unwrap_or(0)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// One record a site, in the order in which ties are shown.
fn flat_records(sums: &[PathSums], calls: &[u64]) -> Vec<Record> {
    let shown = (1..sums.len()).filter(|path| sums[*path].is_shown(calls_of(calls, *path)));
    let mut paths: Vec<(u32, usize)> = shown.map(|path| (PathId::of_index(path).site(), path)).collect();
    paths.sort_unstable();
    let by_site = paths.chunk_by(|(one, _), (other, _)| one == other);
    let mut sites: Vec<_> = by_site.filter_map(|paths| Some((Site::of_id(paths[0].0)?, paths))).collect();
    let epoch = state::epoch();
    sites.sort_by_key(|(site, _)| site.order(epoch));
    let record = |(site, paths): (&Site, &[(u32, usize)])| {
        let (mut all_calls, mut all) = (0, PathSums::default());
        for (_, path) in paths {
            all_calls += calls_of(calls, *path);
            all.merge_flat(&sums[*path]);
        }
        all.record(site, all_calls)
    };
    sites.into_iter().map(record).collect()
}

/// One record a path, parents first.
fn tree(sums: &[PathSums], calls: &[u64]) -> Vec<PathRecord> {
    let mut shown: Vec<bool> =
        sums.iter().enumerate().map(|(path, sums)| sums.is_shown(calls_of(calls, path))).collect();
    // A path has a greater number than its parent.
    for path in (1..shown.len()).rev() {
        if shown[path] {
            shown[PathId::of_index(path).parent().index()] = true;
        }
    }
    let mut places = vec![None; sums.len()];
    let mut records = Vec::new();
    for path in (1..sums.len()).filter(|path| shown[*path]) {
        let id = PathId::of_index(path);
        let Some(site) = Site::of_id(id.site()) else { continue };
        places[path] = Some(records.len());
        records.push(PathRecord::new(sums[path].record(site, calls_of(calls, path)), places[id.parent().index()]));
    }
    records
}

/// What the report says about limits that were reached.
fn notes(unread: usize) -> Vec<String> {
    let (sites, names) = Site::limits_reached();
    let limits = [
        (Space::limit_reached(), "32 spaces are recorded; further ones stand under `other`"),
        (PathId::limit_reached(), "1,048,576 paths are recorded; deeper calls count for the paths they were made from"),
        (names, "65,536 run-time names are recorded; further ones stand under `other`"),
        (sites, "1,048,576 sites are recorded; further ones stand under `other`"),
    ];
    let mut notes: Vec<String> =
        limits.iter().filter(|(reached, _)| *reached).map(|(_, note)| (*note).to_owned()).collect();
    let missed = [
        (
            Refused::AtWork,
            "calls came from a signal handler, or from an allocator, while memprof was at work on the same thread, and are not recorded",
        ),
        (Refused::NoMemory, "calls are not recorded, or not in full, as the system had no memory for it"),
    ];
    notes.extend(missed.into_iter().filter_map(|(why, note)| {
        let count = missed::count(why);
        (count > 0).then(|| format!("{count} {note}"))
    }));
    if unread > 0 {
        notes.push(format!(
            "{unread} of the threads' parts changed too fast to be read whole and hold only what was ended"
        ));
    }
    notes
}
