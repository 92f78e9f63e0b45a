//! Hand-overs that wait next to a lane's word, under a lock: what does not fit there, and every space but `host`.
//!
//! What is handed over to a lane comes off the levels of the captured scopes that the lane works for, and others
//! work for those too: were it to wait for the owner, a level would stand above what is held, and so would its
//! peak. So it is forwarded to those levels ([`Forward`]) by whoever hands over: in other spaces each hand-over, on
//! the host what comes to a [`STEP`]. Who they are stands under this lock, and whoever changes them takes out at
//! the same moment all that waits ([`Lane::forward`](super::lane::Lane)). So what waits here was forwarded to all
//! of today's, and what is in the word to nobody yet.
//!
//! Which levels those are is left to `share/forward`.
//!
//! | a hand-over | waits | is forwarded |
//! |---|---|---|
//! | of the host, small, and nobody is forwarded to | in the word | |
//! | of the host, small, with captured scopes | in the word until a step is there, then here | as it comes here |
//! | of the host, larger than the word takes | here | at once |
//! | of any other space | here | at once |

use std::sync::Arc;

use crate::base::map::Refused;
use crate::base::missed;
use crate::lanes::pending::HandOver;
use crate::space::spaces::Space;

/// What the level of a scope that others work for may lack, on the host, of what one thread holds for it; and as
/// much of what was handed over to that thread.
pub(crate) const STEP: u64 = 32 << 10;

/// Who learns at once what is handed over to a lane.
pub(crate) trait Forward: Send + Sync {
    /// Does not allocate for a hand-over of the host.
    ///
    /// Called under the lane's lock, on the thread that frees: it adds to levels, which are atomics, and takes no
    /// lock for the host.
    fn handed_over(&self, space: Space, hand_over: HandOver);
}

/// See the [module](self).
pub(super) struct Waiting {
    /// Of the host: a number of its own, so that a hand-over never allocates.
    host: HandOver,
    /// Of other spaces, few.
    others: Vec<(Space, HandOver)>,
    /// To whom what is added is forwarded; kept while what waits is taken.
    pub(super) forward_to: Option<Arc<dyn Forward>>,
}

/// Hand-overs of one space that waited.
#[derive(Clone, Copy)]
pub(crate) struct Waited {
    pub(crate) space: Space,
    pub(crate) sum: HandOver,
    /// Whether it was forwarded; else the owner publishes it as it charges it.
    pub(crate) is_forwarded: bool,
}

impl Waiting {
    pub(super) const NOTHING: Self =
        Self { host: HandOver { bytes: 0, blocks: 0 }, others: Vec::new(), forward_to: None };

    /// What waits here of a space, for one who reads and takes nothing.
    pub(super) fn of(&self, space: Space) -> HandOver {
        if space == Space::HOST {
            return self.host;
        }
        let of_space = self.others.iter().find(|(of, _)| *of == space);
        of_space.map(|(_, hand_over)| *hand_over).unwrap_or_default()
    }

    /// Adds a hand-over, and forwards it.
    pub(super) fn add(&mut self, space: Space, hand_over: HandOver) {
        if let Some(to) = &self.forward_to {
            to.handed_over(space, hand_over);
        }
        if space == Space::HOST {
            self.host = self.host.and(hand_over);
        } else if let Some((_, sum)) = self.others.iter_mut().find(|(of, _)| *of == space) {
            *sum = sum.and(hand_over);
        } else if self.others.try_reserve(1).is_ok() {
            self.others.push((space, hand_over));
        } else {
            missed::note(Refused::NoMemory);
        }
    }

    /// Takes what waits; to whom it is forwarded stays.
    pub(super) fn take(&mut self) -> Self {
        Self { host: core::mem::take(&mut self.host), others: core::mem::take(&mut self.others), forward_to: None }
    }

    /// Gives what waited to `charge`, and what stood in the word, which nobody forwarded.
    pub(super) fn see(self, in_word: HandOver, is_forwarded: bool, mut charge: impl FnMut(Waited)) {
        for (space, sum) in self.others {
            charge(Waited { space, sum, is_forwarded });
        }
        for (sum, is_forwarded) in [(self.host, is_forwarded), (in_word, false)] {
            if sum != HandOver::default() {
                charge(Waited { space: Space::HOST, sum, is_forwarded });
            }
        }
    }
}
