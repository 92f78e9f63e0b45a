//! Two profiles as one: the rows of both, with the numbers of both.
//!
//! Order and parents are those that [`join`] gives, parents first; which row of one is which of the other is
//! [`Pairs`]'s. A row that one profile lacks has 0 there, and `sides` says which have it. No number is lost, so each
//! side sums to its own whole.

use super::rows::{Before, FIRST, Place, Rows, SECOND};
use crate::pairs::{Pairs, Site, join};

/// The rows of the second profile and then those that only the first has, each with the numbers of both.
pub(super) fn union<'a>(first: &Rows<'a>, second: Rows<'a>, pairs: &Pairs<'a>) -> Rows<'a> {
    let in_second = |place: Place<'a>| match place {
        Place::Site { function, file, line } => {
            let Site { function, file, line } = pairs.in_second(Site { function, file, line });
            Place::Site { function, file, line }
        }
        Place::Outside | Place::Other(_) => place,
    };
    let rows_of = |rows: &Rows<'a>| rows.places.iter().copied().zip(rows.parents.clone()).collect::<Vec<_>>();
    let firsts = rows_of(first).into_iter().map(|(place, parent)| (in_second(place), parent));
    let joined = join(firsts, rows_of(&second).into_iter());
    let mut all = second;
    let mut before =
        Before { numbers: vec![vec![0; joined.len()]; first.numbers.len()], sides: Vec::with_capacity(joined.len()) };
    for (at, row) in joined.iter().enumerate() {
        let [in_first, in_second] = row.sides;
        if let (None, Some(index)) = (in_second, in_first) {
            all.push(first.places[index], row.parent, |_| 0);
        }
        if let Some(index) = in_first {
            for (to, from) in before.numbers.iter_mut().zip(&first.numbers) {
                to[at] = from[index];
            }
        }
        let side = |index: Option<usize>, side| if index.is_some() { side } else { 0 };
        before.sides.push(side(in_first, FIRST) | side(in_second, SECOND));
    }
    all.before = Some(before);
    all
}
