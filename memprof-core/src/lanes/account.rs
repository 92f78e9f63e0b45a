//! Accounts: what a tracked future recorded in one space, over the polls that have ended.
//!
//! Besides the sum, an account knows what part of it the rows of paths leave out, as another activation of the same
//! node or site was open around that poll. A snapshot takes what an open future has added so far back out of the
//! rows: until it is dropped, it is counted as the one activation that it is.
//!
//! An example: `walk` is an `async fn` that awaits itself, and each poll of the inner one allocates 10 bytes.
//!
//! | | the outer future | the inner future, in a poll of the outer |
//! |---|---|---|
//! | its account's sum | 10, by folding the inner poll | 10 |
//! | added to the row of the path | 10 | nothing: the node is open further down (`NODE_OPEN`) |
//! | `inside.node` of its account | 0 | 10 |
//!
//! So when the inner future is still open at a snapshot, taking back its `counted` 0 leaves the row as it is.

use crate::base::counter::{Counter, Sequence};
use crate::base::memory::Blank as _;
use crate::base::single::Alone;
use crate::base::tally::{TALLY_WORDS, Tally, TotalCounters, Totals};
use crate::lanes::kind::{NODE_OPEN, SITE_OPEN};

/// What a future recorded in one space: the sum of its polls by the contract's formula, so its peak is that of the
/// whole future, and not of any one poll.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Account {
    pub(crate) tally: Tally,
    inside: Inside,
}

/// What a future leaves behind in one space.
#[derive(Debug, PartialEq)]
pub(crate) struct LeftBehind {
    /// See [`Account::kept`].
    pub(crate) kept: [i64; 2],
    pub(crate) peak_bytes: i64,
    pub(crate) largest: u64,
}

/// Totals of the polls of a future inside another activation of its site: of those that were not added to the path's
/// row, because the node was open, and of those that the site's flat row leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Inside {
    node: Totals,
    site: Totals,
}

/// The [`Account`] of `host`, to be read by any thread. 17 words behind one sequence: whoever polls the future
/// writes them, and that is one thread at a time; a snapshot copies them and tries again if a poll ended meanwhile.
pub(crate) struct HostAccount {
    sequence: Sequence,
    tally: [Counter; TALLY_WORDS],
    inside_node: TotalCounters,
    inside_site: TotalCounters,
}

impl Account {
    /// Adds a poll, with the flags of its frame.
    pub(crate) fn fold(&mut self, poll: &Tally, flags: u64) {
        self.tally.fold(poll);
        self.inside.fold(poll, flags);
    }

    /// Totals of what was added to the path's row.
    pub(crate) fn counted(&self) -> Totals {
        let mut counted = self.tally.poll_totals();
        counted.subtract(&self.inside.node);
        counted
    }

    /// The part of [`counted`](Self::counted) that the site's flat row leaves out.
    pub(crate) fn inner(&self) -> Totals {
        self.inside.site
    }

    /// What the future leaves behind if it ends now, in bytes: of what was added to the path's row, and of what was
    /// added to the site's flat one.
    pub(crate) fn kept(&self) -> [i64; 2] {
        let (kept, inner) = (self.counted().kept, self.inner().kept);
        [kept, kept.wrapping_sub(inner)].map(u64::cast_signed)
    }

    /// What the future leaves to the row of its path if it ends now.
    #[inline]
    pub(crate) fn left_behind(&self) -> LeftBehind {
        LeftBehind { kept: self.kept(), peak_bytes: self.tally.counters.peak_bytes, largest: self.tally.largest }
    }
}

impl Inside {
    fn fold(&mut self, poll: &Tally, flags: u64) {
        let sums = match flags {
            _ if flags & NODE_OPEN != 0 => &mut self.node,
            _ if flags & SITE_OPEN != 0 => &mut self.site,
            _ => return,
        };
        sums.add(&poll.poll_totals());
    }
}

impl HostAccount {
    #[expect(clippy::declare_interior_mutable_const, reason = "each use is a new value")]
    pub(super) const BLANK: Self = Self {
        sequence: Sequence::new(),
        tally: [const { Counter::new(0) }; TALLY_WORDS],
        inside_node: TotalCounters::BLANK,
        inside_site: TotalCounters::BLANK,
    };

    /// Folds in one poll, and gives the sum. Written within the sequence, so a reader sees all of a poll or nothing
    /// of it.
    ///
    /// The sums of polls inside another activation are written where there is one; most futures have none, and pay
    /// a comparison.
    #[inline]
    pub(super) fn fold(&self, poll: &Tally, flags: u64) -> Tally {
        let mut tally = self.tally();
        tally.fold(poll);
        self.sequence.begin_write();
        set(&self.tally, tally.words());
        if flags & (NODE_OPEN | SITE_OPEN) != 0 {
            let mut inside = self.inside();
            inside.fold(poll, flags);
            self.set_inside(&inside);
        }
        self.sequence.end_write();
        tally
    }

    /// Begins [`fold`](Self::fold) of a poll that was inside no other activation, without reallocations or failures: unit by unit, so that
    /// few registers do.
    #[inline(always)]
    pub(super) fn begin_fold(&self) {
        self.sequence.begin_write();
    }

    #[inline(always)]
    pub(crate) fn fold_bytes(&self, value: i64, peak: i64, allocated: u64, alone: Alone) {
        let [bytes, _, peak_bytes, _, total_bytes, ..] = &self.tally;
        fold_unit([bytes, peak_bytes, total_bytes], value, peak, allocated, alone);
    }

    #[inline(always)]
    pub(crate) fn fold_blocks(&self, value: i64, peak: i64, allocated: u64, alone: Alone) {
        let [_, blocks, _, peak_blocks, _, total_blocks, ..] = &self.tally;
        fold_unit([blocks, peak_blocks, total_blocks], value, peak, allocated, alone);
    }

    #[inline(always)]
    pub(crate) fn raise_largest(&self, largest: u64, alone: Alone) {
        let [.., of_future] = &self.tally;
        of_future.raise_own(largest, alone);
    }

    /// Ends what [`begin_fold`](Self::begin_fold) began, and gives the peak in bytes of the future, and its largest block.
    #[inline(always)]
    pub(crate) fn end_fold(&self, alone: Alone) -> (i64, u64) {
        let [_, _, peak_bytes, .., largest] = &self.tally;
        self.sequence.end_write();
        (peak_bytes.own_signed(alone), largest.own(alone))
    }

    /// The account, with what `with` gives at the same moment.
    pub(super) fn read<R: PartialEq>(&self, mut with: impl FnMut() -> R) -> Option<(R, Account)> {
        /// A reader meets one poll in a thousand as it ends.
        const TRIES: u32 = 1_000;
        let (read, whole) = self.sequence.read(TRIES, || (with(), self.copy()));
        whole.then_some(read)
    }

    /// Begins anew for the next future and gives what this one leaves, if it recorded anything. `with` runs at the same moment for
    /// a reader, who so finds the future's tag together with its numbers, or neither.
    #[inline]
    pub(super) fn clear(&self, with: impl FnOnce()) -> Option<LeftBehind> {
        // Many futures end without an event.
        let tally = self.tally();
        self.sequence.begin_write();
        with();
        let left = (tally != Tally::default()).then(|| {
            let left = Account { tally, inside: self.inside() }.left_behind();
            set(&self.tally, Tally::default().words());
            self.set_inside(&Inside::default());
            left
        });
        self.sequence.end_write();
        left
    }

    /// Number by number; the caller makes sure that they belong together.
    fn copy(&self) -> Account {
        Account { tally: self.tally(), inside: self.inside() }
    }

    #[inline]
    fn tally(&self) -> Tally {
        Tally::of_words(self.tally.each_ref().map(Counter::get))
    }

    fn inside(&self) -> Inside {
        Inside { node: self.inside_node.get(), site: self.inside_site.get() }
    }

    fn set_inside(&self, inside: &Inside) {
        self.inside_node.set(&inside.node);
        self.inside_site.set(&inside.site);
    }
}

/// The contract's rule for one unit: the future's value, peak and total, and those of a poll.
#[inline(always)]
fn fold_unit([value, peak, total]: [&Counter; 3], of_poll: i64, peak_of_poll: i64, allocated: u64, alone: Alone) {
    let reached = value.own_signed(alone) + peak_of_poll;
    if reached > peak.own_signed(alone) {
        peak.set(reached.cast_unsigned());
    }
    value.add(of_poll.cast_unsigned());
    total.add(allocated);
}

#[inline]
fn set<const WORDS: usize>(counters: &[Counter; WORDS], words: [u64; WORDS]) {
    counters.iter().zip(words).for_each(|(counter, word)| counter.set(word));
}
