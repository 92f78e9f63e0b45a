//! What one thread holds of the host, whoever owns it: its part in the process's high-water mark.
//!
//! A thread's *net* is what it allocated less what it freed. That is the level of its ledger, but for what the level
//! does not see, or sees without an event of the thread (a block freed for another thread, a hand-over that came in);
//! those are rare, so the difference is kept here and an event has the ledger to change and nothing else. The net is
//! published in steps of [`STEP`]; when that is looked at is left to [`watch`](crate::thread::watch).

use crate::base::counter::Counter;
use crate::base::memory::Blank;
use crate::space::level;

/// What a thread's net bytes may differ by from what it published.
pub(crate) const STEP: i64 = 64 << 10;

/// See the [module](self). All numbers are signed.
pub(crate) struct HostNet {
    /// The net less the level of the ledger.
    pub(super) offset_bytes: Counter,
    pub(super) offset_blocks: Counter,
    pub(super) published_bytes: Counter,
    pub(super) published_blocks: Counter,
    /// The most that the net came to in `epoch`.
    pub(super) most_bytes: Counter,
    pub(super) most_blocks: Counter,
    pub(super) epoch: Counter,
    /// Levels of the ledger: below the one and above the other, a captured scope is to be told what this thread holds.
    pub(super) shared_low: Counter,
    pub(super) shared_high: Counter,
}

impl Blank for HostNet {
    const BLANK: Self = Self {
        offset_bytes: Counter::new(0),
        offset_blocks: Counter::new(0),
        published_bytes: Counter::new(0),
        published_blocks: Counter::new(0),
        most_bytes: Counter::new(0),
        most_blocks: Counter::new(0),
        epoch: Counter::new(0),
        shared_low: Counter::new(i64::MIN.cast_unsigned()),
        shared_high: Counter::new(i64::MAX.cast_unsigned()),
    };
}

impl HostNet {
    /// Whether this thread ever had an event on the host.
    pub(crate) fn used(&self) -> bool {
        [&self.most_blocks, &self.offset_blocks, &self.offset_bytes].iter().any(|number| number.get() != 0)
    }

    /// An event of a thread that has ended, in the slot that all of those share.
    pub(crate) fn add_shared(&self, bytes: i64, blocks: i64) {
        self.offset_bytes.add_shared(bytes.cast_unsigned());
        self.offset_blocks.add_shared(blocks.cast_unsigned());
        self.most_blocks.add_shared(1);
        level::publish(bytes, blocks);
    }

    /// Takes over what `other` has beyond its ledger and has published, and leaves it with nothing.
    pub(super) fn take_from(&self, other: &Self) {
        for (to, from) in [
            (&self.offset_bytes, &other.offset_bytes),
            (&self.offset_blocks, &other.offset_blocks),
            (&self.published_bytes, &other.published_bytes),
            (&self.published_blocks, &other.published_blocks),
        ] {
            to.add(from.get());
            from.set(0);
        }
        other.most_bytes.set(0);
        other.most_blocks.set(0);
    }

    /// Publishes what the net is now.
    pub(super) fn publish(&self, (bytes, blocks): (i64, i64)) {
        level::publish(bytes - self.published_bytes.signed(), blocks - self.published_blocks.signed());
        self.published_bytes.set(bytes.cast_unsigned());
        self.published_blocks.set(blocks.cast_unsigned());
    }
}
