//! What was added to a captured scope and not taken yet: by those who have left its context, and by ambient scopes that were opened in it.
//!
//! One sum for each space, few of them. A sum says too how much of its value was forwarded to the scopes in which a future is being polled, so that
//! each byte of it is forwarded once. Under whose lock this stands, and when it is taken, is left to [`captured`](super::captured).

use crate::base::map::Refused;
use crate::base::missed;
use crate::base::tally::Tally;
use crate::space::spaces::Space;

/// What was added in a space and not taken yet.
#[derive(Clone, Copy, Default)]
pub(crate) struct Added {
    pub(crate) tally: Tally,
    /// The part of its value that was forwarded to the scopes in which the future is being polled.
    pub(crate) forwarded: [i64; 2],
}

/// See the [module](self).
pub(super) struct Additions(Vec<(Space, Added)>);

impl Additions {
    pub(super) const NONE: Self = Self(Vec::new());

    /// Folds a part in; without memory for one more space it is lost, which is noted.
    pub(super) fn fold(&mut self, space: Space, tally: &Tally) {
        if let Some((_, sum)) = self.0.iter_mut().find(|(known, _)| *known == space) {
            sum.tally.fold(tally);
        } else if self.0.try_reserve(1).is_ok() {
            self.0.push((space, Added { tally: *tally, forwarded: [0; 2] }));
        } else {
            missed::note(Refused::NoMemory);
        }
    }

    /// What was added in a space.
    pub(super) fn of(&self, space: Space) -> Option<Tally> {
        self.0.iter().find(|(known, _)| *known == space).map(|(_, added)| added.tally)
    }

    /// Takes what was added in a space.
    pub(super) fn take(&mut self, space: Space) -> Added {
        let place = self.0.iter().position(|(known, _)| *known == space);
        place.map(|place| self.0.swap_remove(place).1).unwrap_or_default()
    }

    /// Gives what was not forwarded yet to `see`, by space.
    pub(super) fn forward(&mut self, mut see: impl FnMut(Space, [i64; 2])) {
        for (space, added) in &mut self.0 {
            let value = added.tally.counters.value();
            let news = [value[0] - added.forwarded[0], value[1] - added.forwarded[1]];
            added.forwarded = value;
            see(*space, news);
        }
    }
}
