//! Forgetting what was recorded, while the threads go on.
//!
//! No number of another thread is set back, since only that thread may write it. Instead a reset reads all sums,
//! keeps them as the [`baseline`](super::baseline) that snapshots subtract, and begins a new *epoch*: maxima carry
//! the epoch that they are of, and an older one counts as none. A scope that is open is recorded whole when it is
//! left, as its sums are added then. What is live stays, in the owners' numbers and at the beginning of the new
//! marks.
//!
//! What an event that happens meanwhile is counted as:
//!
//! | the event comes | its sums | its maxima |
//! |---|---|---|
//! | before its row is read | are in the baseline: forgotten | are of the old epoch: forgotten |
//! | after its row is read, before the epoch changes | are recorded | are of the old epoch: forgotten |
//! | after the epoch changed | are recorded | are recorded |
//!
//! So a total is never counted twice or below 0, and a maximum of an event during the reset may be missing.

use std::collections::HashMap;

use crate::base::blind;
use crate::base::lock;
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::state;
use crate::names::path::PathId;
use crate::observe::baseline::baseline;
use crate::observe::futures::open_futures;
use crate::observe::sums::{self, PathSums};
use crate::share::settle::settle;
use crate::space::level;
use crate::space::mark;
use crate::space::spaces::Space;
use crate::thread::current;
use crate::thread::picture;
use crate::thread::slot::{self, slots};

/// Forgets what was recorded: records, totals and marks. Blocks that are live stay known, scopes that are open are
/// recorded whole when they are left, and high-water marks begin again at what is live.
///
/// Does nothing where the system has no memory left for it, and where a signal handler interrupted memprof on its
/// own thread, or memprof's own work called the allocator that asks for it; the report says how often.
///
/// It tells every thread, and reads every row, so it costs about what a snapshot costs. Snapshots and resets wait
/// for each other.
///
/// ```
/// # use memprof_core as memprof;
/// // .. warm up ..
/// memprof::reset();
/// // .. what is to be measured ..
/// let snapshot = memprof::snapshot();
/// ```
pub fn reset() {
    if lock::holds_any() {
        return missed::note(Refused::AtWork);
    }
    let is_at_work = blind::is_blind();
    let _blind = blind::enter();
    let paths = PathId::count();
    if !sums::has_memory_for(paths) {
        return missed::note(Refused::NoMemory);
    }
    if let Some(slot) = current::recording().filter(|_| !is_at_work) {
        slot.take_in_aside();
        settle(slot);
    }
    let mut base = baseline();
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

/// Live bytes and blocks of the host, summed over the rows of all threads: where its new peak begins.
fn host_live(paths: usize) -> (i64, i64) {
    let mut live = (0, 0);
    for slot in slots() {
        for (_, row) in slot.host.rows.iter(paths) {
            let [bytes, blocks] = slot.owned(row).0.map(u64::cast_signed);
            live = (live.0 + bytes, live.1 + blocks);
        }
    }
    live
}
