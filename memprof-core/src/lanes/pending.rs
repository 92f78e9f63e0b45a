//! Hand-overs on their way: the one word of a lane that says what waits for its owner.
//!
//! Whoever frees a block away from its home adds the block's bytes and a 1 to the home's word, with one
//! `fetch_add`, and is done. The owner takes the word out whole when it charges what waits. What does not fit, and
//! every space but `host`, waits next to the word ([`waiting`](super::waiting)); the word says that there is more.
//!
//! ```text
//! bit 63    62      61 .. 22        21 .. 0
//! ENDED    MORE     bytes (40)      blocks (22)
//! ```
//!
//! That a lane has ended is a bit of the same word, so the end and the counts change at one moment: whoever adds
//! learns from the word that stood there before whether the addition will be found. What becomes of it then is left
//! to [`lane`](super::lane).
//!
//! The counts do not overflow into each other: whoever finds a part half full moves the counts out (`Lane::spill`),
//! unless the lock is held. To fill the other half, two million blocks or 256 GiB would have to be freed while a
//! thread is stopped in the few instructions under that lock.
//!
//! Why these widths. A free of less than 256 GiB fits the word, so all but the largest blocks take the one
//! addition. 22 bits of blocks hold four million frees between two looks of the owner; half of that is the bound at
//! which somebody moves them out, so the other half is room for those who add meanwhile.
//!
//! The two ends of a hand-over, by which of the two comes first to the word:
//!
//! | the one who frees | the owner, or whoever ends the lane | the hand-over |
//! |---|---|---|
//! | adds | takes | is charged by the owner |
//! | adds | ends | was in the word that the end took out: it goes to the heir, or to nobody where there is none |
//! | finds it ended, having added | ends before | reached nobody: whoever freed follows the heir; what it added stands in a word that nobody reads, until the lane is taken anew |

use core::sync::atomic::{AtomicU64, Ordering};

/// The lane has ended: nobody will take out what is added.
const ENDED: u64 = 1 << 63;
/// More waits next to the word.
const MORE: u64 = 1 << 62;
const BLOCKS_BITS: u32 = 22;
const BLOCKS_MASK: u64 = (1 << BLOCKS_BITS) - 1;
const BYTES_MASK: u64 = (1 << 40) - 1;

/// Half of what each part holds, or less: what is more does not go into the word, and a word that has as much is
/// emptied.
const HALF_OF_BLOCKS: u64 = 1 << (BLOCKS_BITS - 1);
/// See [`HALF_OF_BLOCKS`].
pub(super) const HALF_OF_BYTES: u64 = 1 << 38;

/// A number of blocks with their bytes, on their way to a lane. One that is taken back is a hand-over of negative
/// numbers, as two's complement: all that follows adds up with wrapping arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HandOver {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
}

impl HandOver {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { bytes: self.bytes.wrapping_add(other.bytes), blocks: self.blocks.wrapping_add(other.blocks) }
    }

    /// What it adds to a level: what was freed, with its sign.
    pub(crate) fn to_level(self) -> [i64; 2] {
        [self.bytes, self.blocks].map(|freed| freed.wrapping_neg().cast_signed())
    }

    /// Whether it may be added to the word.
    pub(super) fn fits(self) -> bool {
        self.bytes < HALF_OF_BYTES && self.blocks < HALF_OF_BLOCKS
    }
}

/// See the [module](self). Any thread changes it.
pub(super) struct Pending(AtomicU64);

/// The word as it stood at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    pub(super) fn has_ended(self) -> bool {
        self.0 & ENDED != 0
    }

    /// Whether nothing waits, and the lane has not ended.
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether further hand-overs wait next to the word.
    pub(super) fn has_more(self) -> bool {
        self.0 & MORE != 0
    }

    /// What waits in the word itself, all of it of the host. Of a word that has ended, what was added too late.
    pub(super) fn counts(self) -> HandOver {
        HandOver { bytes: self.0 >> BLOCKS_BITS & BYTES_MASK, blocks: self.0 & BLOCKS_MASK }
    }

    /// Whether the counts are to be moved out of the word to which `added` was added: it is half full, or has
    /// `most` bytes.
    pub(super) fn is_due(self, added: HandOver, most: u64) -> bool {
        let counts = self.counts();
        counts.blocks >= HALF_OF_BLOCKS || counts.bytes.saturating_add(added.bytes) >= most
    }
}

impl Pending {
    #[expect(clippy::declare_interior_mutable_const, reason = "each use is a new value")]
    pub(super) const NOTHING: Self = Self(AtomicU64::new(0));

    /// Whether nothing waits and the lane has not ended; where that is read wrongly, the next one who looks finds it.
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// [`is_empty`](Self::is_empty) in the one order of what is added and of the lane's alarm.
    pub(super) fn is_empty_in_order(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }

    /// The word now. Whoever sees an end in it also sees to whom the lane was left.
    pub(super) fn read(&self) -> Word {
        Word(self.0.load(Ordering::Acquire))
    }

    /// A lane that nobody else knows of begins with nothing.
    pub(super) fn begin(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Adds a hand-over that fits, and gives the word before: if that has ended, nobody will find what was added.
    pub(super) fn add(&self, HandOver { bytes, blocks }: HandOver) -> Word {
        Word(self.0.fetch_add(bytes << BLOCKS_BITS | blocks, Ordering::SeqCst))
    }

    /// Says that there is more next to the word, and gives the word before.
    pub(super) fn note_more(&self) -> Word {
        Word(self.0.fetch_or(MORE, Ordering::SeqCst))
    }

    /// Takes everything out, and gives it; on a lane that runs, where its owner calls this.
    pub(super) fn take_running(&self) -> Word {
        Word(self.0.swap(0, Ordering::AcqRel))
    }

    /// Takes everything out and gives it, unless the lane has ended.
    pub(super) fn take(&self) -> Option<Word> {
        self.replace(0)
    }

    /// Takes the counts out, to be put next to the word, unless the lane has ended.
    pub(super) fn take_counts(&self) -> Option<Word> {
        self.replace(MORE)
    }

    /// The lane ends: takes everything out, and gives it. What is added from now on finds the bit.
    pub(super) fn end(&self) -> Word {
        Word(self.0.swap(ENDED, Ordering::AcqRel))
    }

    /// One exchange, tried again while others add: the only loop on this word, and no one is waited for in it.
    fn replace(&self, with: u64) -> Option<Word> {
        let if_running = |word: u64| (word & ENDED == 0).then_some(with);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, if_running).ok().map(Word)
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCKS_MASK, HALF_OF_BLOCKS, HALF_OF_BYTES, HandOver, Pending};

    fn block(bytes: u64) -> HandOver {
        HandOver { bytes, blocks: 1 }
    }

    #[test]
    fn a_word_keeps_bytes_and_blocks_apart() {
        let pending = Pending::NOTHING;
        for bytes in [0, 1, HALF_OF_BYTES - 1] {
            pending.add(block(bytes));
        }
        pending.note_more();
        let word = pending.read();
        assert_eq!(word.counts(), HandOver { bytes: HALF_OF_BYTES, blocks: 3 });
        assert!(word.has_more() && !word.has_ended() && !pending.is_empty());
        assert_eq!(pending.take(), Some(word));
        assert!(pending.is_empty());
    }

    #[test]
    fn what_does_not_fit_into_half_of_the_word_goes_elsewhere() {
        for (bytes, blocks, fits) in [
            (0, HALF_OF_BLOCKS - 1, true),
            (0, HALF_OF_BLOCKS, false),
            (HALF_OF_BYTES - 1, 0, true),
            (HALF_OF_BYTES, 0, false),
            (1_u64.wrapping_neg(), 1_u64.wrapping_neg(), false),
        ] {
            assert_eq!(HandOver { bytes, blocks }.fits(), fits, "{bytes} bytes, {blocks} blocks");
        }
    }

    #[test]
    fn a_word_is_emptied_while_there_is_room_for_as_much_again() {
        let pending = Pending::NOTHING;
        let before = pending.add(HandOver { bytes: 0, blocks: HALF_OF_BLOCKS - 1 });
        assert!(!before.is_due(block(0), HALF_OF_BYTES));
        assert!(!pending.add(block(0)).is_due(block(0), HALF_OF_BYTES), "it had less than half before");
        let before = pending.add(block(0));
        assert!(before.is_due(block(0), HALF_OF_BYTES));
        assert!(pending.read().counts().blocks < BLOCKS_MASK);
        assert_eq!(pending.take_counts().expect("it runs").counts().blocks, HALF_OF_BLOCKS + 1);
        assert!(pending.read().has_more(), "it says where they went");
        assert!(pending.add(block(99)).is_due(block(99), 99), "or once it has the bytes of a step");
        let taken_back = HandOver { bytes: 5_u64.wrapping_neg(), blocks: 1_u64.wrapping_neg() };
        assert!(pending.note_more().is_due(taken_back, HALF_OF_BYTES), "negative numbers are far more than fits");
    }

    /// A hand-over is two steps (look whether the lane has ended; add), an end is one. Whatever the order, the
    /// block is found once: by the end, or by the one who handed over.
    #[test]
    fn a_hand_over_and_the_end_of_a_lane_find_each_other_in_every_order() {
        for end_at in 0..=2 {
            let pending = Pending::NOTHING;
            let mut found = Vec::new();
            let mut goes_to_heir = false;
            for step in 0..=2 {
                if step == end_at {
                    found.push(("end", pending.end().counts()));
                }
                match step {
                    0 => goes_to_heir = pending.read().has_ended(),
                    1 if !goes_to_heir => goes_to_heir = pending.add(block(10)).has_ended(),
                    _ => {}
                }
            }
            if goes_to_heir {
                found.push(("heir", block(10)));
            }
            found.retain(|(_, counts)| *counts != HandOver::default());
            let [(_, counts)] = found[..] else { panic!("end before step {end_at}: {found:?}") };
            assert_eq!(counts, block(10));
            assert!(pending.take().is_none(), "nobody looks there again");
        }
    }
}
