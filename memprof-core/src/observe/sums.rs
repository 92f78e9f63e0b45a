//! What was recorded for one path in one space, summed over the threads.

use memprof_report::Record;

use crate::base::pages;
use crate::base::state;
use crate::base::tally::Tally;
use crate::lanes::activation::Account;
use crate::lanes::kind::{NODE_OPEN, SITE_OPEN};
use crate::names::site::Site;
use crate::thread::ledger::{Ledger, Row};
use crate::thread::slot::Slot;

/// How often a row is read again at once. A thread that is met in the midst of a change so often was interrupted there.
pub(super) const TRIES: u32 = 256;

/// What a snapshot asks the program's allocator for, roughly: where it has less, there is none.
const FOR_A_SNAPSHOT: usize = 1 << 16;
/// The same for each path: its sums, and a row of the site and of the path.
const FOR_A_PATH: usize = 1 << 10;

/// Whether the program has the memory to read so many paths.
pub(super) fn has_memory_for(paths: usize) -> bool {
    pages::program_has(FOR_A_SNAPSHOT + paths * FOR_A_PATH)
}

/// What the threads recorded for one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PathSums {
    pub(super) self_total: u64,
    pub(super) self_blocks: u64,
    freed_bytes: u64,
    freed_blocks: u64,
    /// What the path allocated since the beginning, as live numbers know no reset.
    owned_bytes: u64,
    owned_blocks: u64,
    temporary: u64,
    sums: Inclusive,
    inner: Inclusive,
    peak: u64,
    largest: u64,
    pub(super) at_peak: i64,
    pub(super) at_peak_blocks: i64,
}

/// Sums that include children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Inclusive {
    bytes: u64,
    blocks: u64,
    reallocs: u64,
    failed: u64,
}

impl Inclusive {
    fn of(words: &[u64]) -> Self {
        Self { bytes: words[0], blocks: words[1], reallocs: words[2], failed: words[3] }
    }

    fn change(&mut self, other: &Self, change: fn(u64, u64) -> u64) {
        self.bytes = change(self.bytes, other.bytes);
        self.blocks = change(self.blocks, other.blocks);
        self.reallocs = change(self.reallocs, other.reallocs);
        self.failed = change(self.failed, other.failed);
    }
}

/// The words of a row in the order in which [`PathSums::of_words`] wants them.
#[inline(always)]
pub(super) fn copy_row(row: &Row) -> [u64; ROW_WORDS] {
    [
        row.alloc_bytes.get(),
        row.alloc_blocks.get(),
        row.temporary.get(),
        row.sums.bytes.get(),
        row.sums.blocks.get(),
        row.sums.reallocs.get(),
        row.sums.failed.get(),
        row.inner.bytes.get(),
        row.inner.blocks.get(),
        row.inner.reallocs.get(),
        row.inner.failed.get(),
        row.peak.get(),
        row.largest.get(),
        row.epoch.get(),
        row.freed_bytes.get(),
        row.freed_blocks.get(),
    ]
}

/// Words that [`copy_row`] makes.
pub(super) const ROW_WORDS: usize = 16;

/// What one thread recorded in a row, and whether it was read whole.
#[inline]
pub(super) fn read_row(slot: &Slot, ledger: &Ledger, row: &Row) -> (PathSums, bool) {
    let (words, whole) = slot.read(ledger, TRIES, || copy_row(row));
    (PathSums::of_words(&words), whole)
}

/// [`read_row`] of a thread that may have been interrupted in the midst of a change: it gets its turns to go on.
pub(super) fn read_row_patiently(slot: &Slot, ledger: &Ledger, row: &Row) -> (PathSums, bool) {
    /// 64 turns for everybody else.
    const PATIENCE: u32 = 64 * 64;
    let (words, whole) = slot.read_patiently(ledger, PATIENCE, || copy_row(row));
    (PathSums::of_words(&words), whole)
}

/// What one thread freed of a row's path, bytes and blocks, and whether it was read whole.
pub(super) fn read_freed(slot: &Slot, ledger: &Ledger, row: &Row) -> ([u64; 2], bool) {
    slot.read(ledger, TRIES, || [row.freed_bytes.get(), row.freed_blocks.get()])
}

impl PathSums {
    #[inline]
    pub(super) fn of_words(words: &[u64]) -> Self {
        let this_epoch = words[13] == u64::from(state::epoch());
        Self {
            self_total: words[0],
            self_blocks: words[1],
            owned_bytes: words[0],
            owned_blocks: words[1],
            temporary: words[2],
            sums: Inclusive::of(&words[3..7]),
            inner: Inclusive::of(&words[7..11]),
            peak: if this_epoch { words[11] } else { 0 },
            largest: if this_epoch { words[12] } else { 0 },
            freed_bytes: words[14],
            freed_blocks: words[15],
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
        self.sums.change(&other.sums, u64::wrapping_add);
        self.inner.change(&other.inner, u64::wrapping_add);
    }

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
        if flags & NODE_OPEN == 0 {
            let open = Inclusive::of(&tally.totals());
            self.sums.change(&open, u64::wrapping_add);
            if flags & SITE_OPEN != 0 {
                self.inner.change(&open, u64::wrapping_add);
            }
        }
        self.raise_to(tally);
    }

    /// Adds what was `added` to a future since its polls, which recorded `before`.
    pub(super) fn add_suspended(&mut self, before: &Tally, added: &Tally) {
        self.sums.change(&Inclusive::of(&added.totals()), u64::wrapping_add);
        let mut whole = *before;
        whole.fold(added);
        self.raise_to(&whole);
    }

    pub(super) fn raise_to(&mut self, tally: &Tally) {
        self.peak = self.peak.max(tally.counters.peak_bytes.cast_unsigned());
        self.largest = self.largest.max(tally.largest);
    }

    /// Takes out what an open future has added so far.
    pub(super) fn take_back(&mut self, account: &Account) {
        self.sums.change(&Inclusive::of(&account.counted()), u64::wrapping_sub);
        self.inner.change(&Inclusive::of(&account.inner()), u64::wrapping_sub);
    }

    /// Takes off what stood here at the last reset; what is live stays.
    pub(super) fn subtract(&mut self, base: &Self) {
        self.self_total = self.self_total.wrapping_sub(base.self_total);
        self.self_blocks = self.self_blocks.wrapping_sub(base.self_blocks);
        self.temporary = self.temporary.wrapping_sub(base.temporary);
        self.sums.change(&base.sums, u64::wrapping_sub);
        self.inner.change(&base.inner, u64::wrapping_sub);
    }

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
        flat.sums.change(&other.inner, u64::wrapping_sub);
        flat.inner = Inclusive::default();
        self.add(&flat);
        self.at_peak += other.at_peak;
        self.at_peak_blocks += other.at_peak_blocks;
    }

    pub(super) fn record(&self, site: &Site, calls: u64) -> Record {
        let mut record = Record::default();
        record.name = site.full_name();
        record.file = site.file();
        record.line = site.line();
        record.function = site.label();
        record.ncalls = calls;
        record.memory_peak = self.peak;
        record.memory_total = self.sums.bytes;
        record.blocks_total = self.sums.blocks;
        record.self_total = self.self_total;
        record.self_blocks = self.self_blocks;
        record.reallocs = self.sums.reallocs;
        record.failed = self.sums.failed;
        record.live = self.live();
        record.live_blocks = self.live_blocks();
        record.at_peak = u64::try_from(self.at_peak).unwrap_or(0);
        record.at_peak_blocks = u64::try_from(self.at_peak_blocks).unwrap_or(0);
        record.temporary = self.temporary;
        record.largest = self.largest;
        record
    }
}
