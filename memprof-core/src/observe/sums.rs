//! What was recorded for one path in one space, summed over the threads.
//!
//! Plain values that are added and subtracted: threads, what is open, less the baseline, and at the end one path
//! into the site's flat row. Live numbers know no reset, so what a path owns is kept apart from what it allocated
//! in this epoch.
//!
//! | | comes from | added over threads | less the baseline | in the flat row |
//! |---|---|---|---|---|
//! | self total, blocks, temporary | rows | yes | yes | added |
//! | sums of activations | rows, and what is open | yes | yes | added, less `inner` |
//! | peak, largest | rows of this epoch, and what is open | the greatest | | the greatest |
//! | live | allocated less freed, ever | yes | no | added |
//! | at the peak | picture or mark | set once | | added |

use memprof_report::Record;

use crate::base::pages;
use crate::base::state;
use crate::base::tally::{Tally, Totals};
use crate::lanes::account::Account;
use crate::lanes::kind::{NODE_OPEN, SITE_OPEN};
use crate::names::site::Shown;
use crate::thread::ledger::Ledger;
use crate::thread::row::{Row, RowCopy};
use crate::thread::slot::Slot;

/// How often a row is read again at once. A thread that is met in the midst of a change so often was interrupted
/// there. An event is some 30 instructions, so a reader that meets one finds the next gap within a few tries.
pub(super) const TRIES: u32 = 256;

/// What a snapshot asks the program's allocator for, roughly: where it has less, there is none.
const FOR_A_SNAPSHOT: usize = 1 << 16;
/// The same for each path: its sums, and a row of the site and of the path, with what the site is called.
const FOR_A_PATH: usize = 1280;

/// Whether the program has the memory to read so many paths.
pub(super) fn has_memory_for(paths: usize) -> bool {
    pages::program_has(FOR_A_SNAPSHOT + paths * FOR_A_PATH)
}

/// What the threads recorded for one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PathSums {
    /// What the path itself allocated in this epoch, its children not included.
    pub(super) self_total: u64,
    pub(super) self_blocks: u64,
    /// What was freed of the path's blocks since the beginning, by whomever.
    freed_bytes: u64,
    freed_blocks: u64,
    /// What the path allocated since the beginning, as live numbers know no reset.
    owned_bytes: u64,
    owned_blocks: u64,
    /// Blocks that were freed by their thread before its next allocation.
    temporary: u64,
    /// Sums over the activations, children included.
    sums: Totals,
    /// What of `sums` the site's flat row leaves out.
    inner: Totals,
    /// The greatest of any activation in this epoch; likewise `largest`, of a single block.
    peak: u64,
    largest: u64,
    /// What the path owned at the mark.
    pub(super) at_peak: i64,
    pub(super) at_peak_blocks: i64,
}

/// What one thread recorded in a row, and whether it was read whole.
#[inline]
pub(super) fn read_row(slot: &Slot, ledger: &Ledger, row: &Row) -> (PathSums, bool) {
    let (copy, whole) = slot.read(ledger, TRIES, || row.copy());
    (PathSums::of(&copy), whole)
}

/// [`read_row`] of a thread that may have been interrupted in the midst of a change: it gets its turns to go on.
pub(super) fn read_row_patiently(slot: &Slot, ledger: &Ledger, row: &Row) -> (PathSums, bool) {
    /// 64 turns for everybody else.
    const PATIENCE: u32 = 64 * 64;
    let (copy, whole) = slot.read_patiently(ledger, PATIENCE, || row.copy());
    (PathSums::of(&copy), whole)
}

/// What one thread freed of a row's path, bytes and blocks, and whether it was read whole.
pub(super) fn read_freed(slot: &Slot, ledger: &Ledger, row: &Row) -> ([u64; 2], bool) {
    slot.read(ledger, TRIES, || row.copy_freed())
}

impl PathSums {
    /// What a row says now: its maxima count in the epoch that they are of.
    #[inline]
    pub(super) fn of(row: &RowCopy) -> Self {
        let this_epoch = row.epoch == u64::from(state::epoch());
        let ([bytes, blocks], [freed_bytes, freed_blocks]) = (row.allocated, row.freed);
        Self {
            self_total: bytes,
            self_blocks: blocks,
            owned_bytes: bytes,
            owned_blocks: blocks,
            freed_bytes,
            freed_blocks,
            temporary: row.temporary,
            sums: row.sums,
            inner: row.inner,
            peak: if this_epoch { row.peak } else { 0 },
            largest: if this_epoch { row.largest } else { 0 },
            ..Self::default()
        }
    }

    /// Adds what another thread recorded for the same path.
    #[inline]
    pub(super) fn add(&mut self, other: &Self) {
        self.owned_bytes = self.owned_bytes.wrapping_add(other.owned_bytes);
        self.owned_blocks = self.owned_blocks.wrapping_add(other.owned_blocks);
        self.add_freed(&[other.freed_bytes, other.freed_blocks]);
        self.add_sums(other);
        self.raise(other);
    }

    /// Adds what can be subtracted again: for the base that a reset keeps.
    pub(super) fn add_sums(&mut self, other: &Self) {
        self.self_total = self.self_total.wrapping_add(other.self_total);
        self.self_blocks = self.self_blocks.wrapping_add(other.self_blocks);
        self.temporary = self.temporary.wrapping_add(other.temporary);
        self.sums.add(&other.sums);
        self.inner.add(&other.inner);
    }

    /// Keeps the greater of both.
    fn raise(&mut self, other: &Self) {
        self.peak = self.peak.max(other.peak);
        self.largest = self.largest.max(other.largest);
    }

    pub(super) fn add_freed(&mut self, freed: &[u64; 2]) {
        self.freed_bytes = self.freed_bytes.wrapping_add(freed[0]);
        self.freed_blocks = self.freed_blocks.wrapping_add(freed[1]);
    }

    /// Adds an open activation as if it had ended, with the flags of its frame.
    pub(super) fn add_open(&mut self, tally: &Tally, flags: u64) {
        self.add_totals(&tally.totals(), flags);
        self.raise_to(tally);
    }

    /// Adds an open poll as if it had ended, with the flags of its frame.
    pub(super) fn add_poll(&mut self, tally: &Tally, flags: u64) {
        self.add_totals(&tally.poll_totals(), flags);
    }

    /// A node that is open further down has its totals there already: its activation counts as part of that one. Of
    /// a site that is open further down, the path's row gets them, and the flat row not.
    fn add_totals(&mut self, totals: &Totals, flags: u64) {
        if flags & NODE_OPEN == 0 {
            self.sums.add(totals);
            if flags & SITE_OPEN != 0 {
                self.inner.add(totals);
            }
        }
    }

    /// Ends an open future: adds what was `added` to it beside its polls, which recorded `before` and stand in the
    /// sums already.
    pub(super) fn end_future(&mut self, before: &Account, added: &Tally) {
        self.sums.add(&added.poll_totals());
        let [calls, flat_calls] = before.kept().map(|kept| u64::from(kept + added.kept() > 0));
        self.sums.kept_calls = self.sums.kept_calls.wrapping_add(calls);
        self.inner.kept_calls = self.inner.kept_calls.wrapping_add(calls.wrapping_sub(flat_calls));
        let mut whole = before.tally;
        // Its peak may be below its value: see `Shared::complete`.
        if *added != Tally::default() {
            whole.fold(added);
        }
        self.raise_to(&whole);
    }

    pub(super) fn raise_to(&mut self, tally: &Tally) {
        self.peak = self.peak.max(tally.counters.peak_bytes.cast_unsigned());
        self.largest = self.largest.max(tally.largest);
    }

    /// Takes out what an open future has added so far.
    pub(super) fn take_back(&mut self, account: &Account) {
        self.sums.subtract(&account.counted());
        self.inner.subtract(&account.inner());
    }

    /// Takes off what stood here at the last reset; what is live stays.
    pub(super) fn subtract(&mut self, base: &Self) {
        self.self_total = self.self_total.wrapping_sub(base.self_total);
        self.self_blocks = self.self_blocks.wrapping_sub(base.self_blocks);
        self.temporary = self.temporary.wrapping_sub(base.temporary);
        self.sums.subtract(&base.sums);
        self.inner.subtract(&base.inner);
    }

    /// What the path owns: allocated less freed. May be below 0 for a moment, where a block's free was read and its
    /// allocation not.
    pub(super) fn live(&self) -> i64 {
        self.owned_bytes.wrapping_sub(self.freed_bytes).cast_signed()
    }

    pub(super) fn live_blocks(&self) -> i64 {
        self.owned_blocks.wrapping_sub(self.freed_blocks).cast_signed()
    }

    /// Its frees are counted already.
    pub(super) fn forget_freed(&mut self) {
        (self.freed_bytes, self.freed_blocks) = (0, 0);
    }

    /// What is owned is known from elsewhere, and set next.
    pub(super) fn forget_owned(&mut self) {
        self.own(0, 0);
    }

    /// Sets what the path owns now.
    pub(super) fn own(&mut self, live: i64, live_blocks: i64) {
        (self.owned_bytes, self.freed_bytes) = (live.cast_unsigned(), 0);
        (self.owned_blocks, self.freed_blocks) = (live_blocks.cast_unsigned(), 0);
    }

    /// Whether the path was called, owns something, or did at the mark.
    pub(super) fn is_shown(&self, calls: u64) -> bool {
        calls > 0 || self.live() != 0 || self.live_blocks() != 0 || self.at_peak != 0 || self.at_peak_blocks != 0
    }

    /// Adds another path of the same site, without what was inside another activation of the site.
    pub(super) fn merge_flat(&mut self, other: &Self) {
        let mut flat = *other;
        flat.sums.subtract(&other.inner);
        flat.inner = Totals::default();
        self.add(&flat);
        self.at_peak += other.at_peak;
        self.at_peak_blocks += other.at_peak_blocks;
    }

    #[expect(
        clippy::assigning_clones,
        reason = "there is no room to use again: `clone_from` would ask for it in two steps"
    )]
    pub(super) fn record(&self, site: &Shown, calls: u64) -> Record {
        let mut record = Record::default();
        record.name = site.name.clone();
        record.file = site.file.clone();
        record.line = site.line;
        record.function = site.function.clone();
        record.ncalls = calls;
        record.memory_peak = self.peak;
        record.memory_total = self.sums.bytes;
        record.blocks_total = self.sums.blocks;
        record.self_total = self.self_total;
        record.self_blocks = self.self_blocks;
        record.reallocs = self.sums.reallocs;
        record.failed = self.sums.failed;
        record.kept = self.sums.kept.cast_signed();
        record.kept_calls = self.sums.kept_calls;
        record.live = self.live();
        record.live_blocks = self.live_blocks();
        record.at_peak = u64::try_from(self.at_peak).unwrap_or(0);
        record.at_peak_blocks = u64::try_from(self.at_peak_blocks).unwrap_or(0);
        record.temporary = self.temporary;
        record.largest = self.largest;
        record
    }
}
