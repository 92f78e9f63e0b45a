//! How much of a scope's own level those who share it know of.
//!
//! A captured scope has one level for all who work for it ([`level`](super::level)). A thread tells that level of its own part in
//! steps, and keeps here how far it has come, as counters that it alone writes. What was read of them at one moment is the same four
//! numbers as plain values.

use crate::base::counter::Counter;

/// What was told of a part last, and the most that was ever told of it; each in bytes and in blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Published<T = i64> {
    pub(crate) now: [T; 2],
    pub(crate) most: [T; 2],
}

impl Published<Counter> {
    pub(crate) const fn new() -> Self {
        Self { now: [Counter::new(0), Counter::new(0)], most: [Counter::new(0), Counter::new(0)] }
    }

    pub(crate) fn clear(&self) {
        for number in self.now.iter().chain(&self.most) {
            number.set(0);
        }
    }

    /// So many bytes and blocks more were told.
    pub(crate) fn add(&self, more: [i64; 2]) {
        for ((now, most), more) in self.now.iter().zip(&self.most).zip(more) {
            now.add(more.cast_unsigned());
            most.set(most.signed().max(now.signed()).cast_unsigned());
        }
    }

    pub(crate) fn get(&self) -> Published {
        Published { now: self.now.each_ref().map(Counter::signed), most: self.most.each_ref().map(Counter::signed) }
    }
}
