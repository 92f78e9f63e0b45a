//! Levels: what a captured scope holds together with those who work for it, and the most that this came to.
//!
//! Who works for a scope, its own lane included, adds what it does to the level: every event in most spaces, what
//! comes to [a step](crate::lanes::waiting::STEP) on the host. So `peak` is to the byte in the former, and on the
//! host may lack less than a step for each thread. An example on the host, in KiB, with a step of 32; the scope's
//! own lane holds 100 when it is captured:
//!
//! | event | own level, peak | added to the level | now | peak | others | lowest |
//! |---|---|---|---|---|---|---|
//! | captured | 100, 100 | | 100 | 100 | 0 | 0 |
//! | a helper allocates 40 | | 40 | 140 | 140 | 40 | 0 |
//! | the scope allocates 20 | 120, 120 | nothing: 20 is no step | 140 | 140 | 40 | 0 |
//! | the helper frees 80 of the scope's | | -80 | 60 | 140 | -40 | -40 |
//! | the scope allocates 90 | 210, 210 | 110 | 170 | 170 | -40 | -40 |
//!
//! Before the last event 160 had been held at most, and `peak` said 140: that is within the step. The scope's own
//! peak and `lowest` are a second witness: what the scope held together with the others was never less than
//! `own peak + lowest`, here 210 - 40. Where the others freed nothing of the scope's, `lowest` is 0, and a scope
//! loses no byte of its own peak by being captured.

use core::sync::atomic::{AtomicI64, Ordering};

use crate::base::tally::Counters;

/// The sum over the capturing lane and all threads under the context. Pairs are in bytes and in blocks.
pub(crate) struct Level {
    bytes: Sum,
    blocks: Sum,
}

/// See [`Level`].
struct Sum {
    /// What is held now, all parts together.
    now: AtomicI64,
    /// The most that it came to; for a future, since its last poll.
    peak: AtomicI64,
    /// The part of the others, which the scope's own lane does not see until it takes it in; [`CLOSED`] and less once
    /// the scope was left.
    others: AtomicI64,
    /// The least that `others` came to; for a future, since its last poll. The sum was never further below what the
    /// own lane held. So the own peak and this make a peak that the sum had at least, to the byte where the others
    /// freed nothing of the scope's, while `peak` lacks what is less than a step.
    lowest: AtomicI64,
}

impl Level {
    #[expect(clippy::declare_interior_mutable_const, reason = "each use is a new value")]
    pub(crate) const ZERO: Self = Self { bytes: Sum::ZERO, blocks: Sum::ZERO };

    /// Begins with what the scope's own lane holds, and held at most: nobody else had a part in that. A future held
    /// `before` when the poll began in which it is captured.
    pub(crate) fn begin(&self, before: &Counters, own: &Counters) {
        self.bytes.begin(before.current_bytes, own.current_bytes, own.peak_bytes);
        self.blocks.begin(before.current_blocks, own.current_blocks, own.peak_blocks);
    }

    pub(crate) fn add(&self, [bytes, blocks]: [i64; 2]) {
        self.bytes.add(bytes);
        self.blocks.add(blocks);
    }

    /// Adds to the part of the others, to be added to the whole as well; gives what was added: nothing if the scope was
    /// left.
    pub(crate) fn add_others(&self, [bytes, blocks]: [i64; 2]) -> [i64; 2] {
        [self.bytes.add_others(bytes), self.blocks.add_others(blocks)]
    }

    /// The peaks are at least this much above what is held now.
    pub(crate) fn raise_above(&self, [bytes, blocks]: [i64; 2]) {
        self.bytes.raise_above(bytes);
        self.blocks.raise_above(blocks);
    }

    /// The peaks, above `before`, of a scope whose own lane recorded `own`.
    pub(crate) fn peak(&self, own: &Counters, before: &Counters) -> [i64; 2] {
        let bytes = self.bytes.peak(own.peak_bytes, before.current_bytes);
        [bytes, self.blocks.peak(own.peak_blocks, before.current_blocks)]
    }

    /// What those others hold that are still under the context, if those that are not any more added `finished`.
    pub(crate) fn unfinished(&self, finished: &Counters) -> [i64; 2] {
        [self.bytes.unfinished(finished.current_bytes), self.blocks.unfinished(finished.current_blocks)]
    }

    /// A poll ends, and takes in what the others `finished`: the next one has a peak of its own.
    pub(crate) fn begin_next_poll(&self, finished: &Counters) {
        self.bytes.begin_next_poll(finished.current_bytes);
        self.blocks.begin_next_poll(finished.current_blocks);
    }

    /// The scope was left; gives the part of the others.
    pub(crate) fn close(&self) -> [i64; 2] {
        [self.bytes.close(), self.blocks.close()]
    }

    pub(crate) fn is_untouched(&self) -> bool {
        self.bytes.is_untouched() && self.blocks.is_untouched()
    }
}

/// Far below all that `others` can be.
const CLOSED: i64 = i64::MIN / 2;

impl Sum {
    #[expect(clippy::declare_interior_mutable_const, reason = "each use is a new value")]
    const ZERO: Self =
        Self { now: AtomicI64::new(0), peak: AtomicI64::new(0), others: AtomicI64::new(0), lowest: AtomicI64::new(0) };

    fn begin(&self, before: i64, own: i64, own_peak: i64) {
        self.now.store(before + own, Ordering::Release);
        self.peak.store(before + own_peak, Ordering::Release);
    }

    fn add(&self, more: i64) {
        let now = self.now.fetch_add(more, Ordering::AcqRel) + more;
        if more > 0 {
            self.peak.fetch_max(now, Ordering::AcqRel);
        }
    }

    /// Nothing is added once the scope was left. That is decided by this one word, so that whoever closes it knows what
    /// the scopes around it have got.
    fn add_others(&self, more: i64) -> i64 {
        let others = self.others.fetch_add(more, Ordering::AcqRel) + more;
        if others < CLOSED / 2 {
            return 0;
        }
        self.lowest.fetch_min(others, Ordering::AcqRel);
        more
    }

    /// A peak that one part reached between two steps: it is above what stands here by what it had not published
    /// then.
    fn raise_above(&self, more: i64) {
        self.peak.fetch_max(self.now.load(Ordering::Acquire) + more, Ordering::AcqRel);
    }

    /// The greater of the two witnesses, above `before`: what the level came to, and what the own lane and the
    /// others had at least.
    fn peak(&self, own_peak: i64, before: i64) -> i64 {
        let at_least = own_peak + self.lowest.load(Ordering::Acquire);
        (self.peak.load(Ordering::Acquire) - before).max(at_least).max(0)
    }

    /// What the others hold beyond what they have added: 0 once the scope was left, as it is nobody's then.
    fn unfinished(&self, added: i64) -> i64 {
        let others = self.others.load(Ordering::Acquire);
        if others < CLOSED / 2 { 0 } else { others - added }
    }

    /// The next poll's peak begins at what is held as it begins. What the poll took in is the own lane's from here
    /// on, and no longer the others'.
    fn begin_next_poll(&self, taken: i64) {
        let others = self.others.fetch_sub(taken, Ordering::AcqRel) - taken;
        self.lowest.store(others, Ordering::Release);
        self.peak.store(self.now.load(Ordering::Acquire), Ordering::Release);
    }

    fn close(&self) -> i64 {
        self.others.swap(CLOSED, Ordering::AcqRel)
    }

    /// Whether nobody ever published here. `others` may be 0 again; one of the three then says that it was not.
    fn is_untouched(&self) -> bool {
        [&self.now, &self.peak, &self.lowest].iter().all(|number| number.load(Ordering::Acquire) == 0)
    }
}
