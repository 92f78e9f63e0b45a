//! Folding: of many rows, the ones that matter most stay, and the others become one row beside them, `(other)`.
//!
//! A row matters as much as the greatest share that it, with all below it, has of any measure, or that it has of a peak.
//! So a path never matters more than the one around it, and what stays is a tree. What is folded is summed where numbers
//! add up, and of a table by crate: no byte is lost, and none changes its crate.

use std::collections::HashMap;

use super::rows::{COLUMNS, Folded, Place, Rows, is_additive};
use crate::record::Field;

/// The `most` rows that matter most and what is outside any scope, in their order, and rows of [`Place::Other`] under each of them that has lost some
/// below it: one for each crate, as `of_crate` has it.
pub(super) fn fold<'a>(rows: &Rows<'a>, most: usize, mut of_crate: impl FnMut(Place<'a>) -> i64) -> Rows<'a> {
    if rows.len() <= most {
        return rows.clone();
    }
    let weights = weights(rows);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    // Of equal ones the first: a parent stands before its children.
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]).then(a.cmp(b)));
    let mut stays = vec![false; rows.len()];
    for row in &order[..most] {
        stays[*row] = true;
    }
    // It is of no crate, so it is folded into none.
    for (stays, place) in stays.iter_mut().zip(&rows.places) {
        *stays |= *place == Place::Outside;
    }
    let (mut kept, index) = rows.only(&stays);

    // The nearest path around each folded row that stays, and so where it is summed.
    let mut around: Vec<Option<usize>> = vec![None; rows.len()];
    let mut others = HashMap::new();
    for row in 0..rows.len() {
        let parent = rows.parents[row];
        around[row] = parent.and_then(|parent| if stays[parent] { Some(index[parent]) } else { around[parent] });
        if stays[row] {
            continue;
        }
        let of_crate = of_crate(rows.places[row]);
        let other = *others.entry((around[row], of_crate)).or_insert_with(|| {
            kept.push(Place::Other(of_crate), around[row], |_| 0);
            kept.len() - 1
        });
        let Folded { rows: count, owning } = &mut kept.folded[other];
        *count += 1;
        *owning += usize::from(rows.owns(row));
        add(&mut kept.numbers, other, &rows.numbers, row);
        if let (Some(to), Some(from)) = (&mut kept.before, &rows.before) {
            add(&mut to.numbers, other, &from.numbers, row);
        }
    }
    kept
}

/// Adds the numbers of a row to those of another, where numbers of several rows add up.
fn add(to: &mut [Vec<i128>], to_row: usize, from: &[Vec<i128>], from_row: usize) {
    for ((field, to), from) in COLUMNS.iter().zip(to).zip(from) {
        if is_additive(*field) {
            to[to_row] += from[from_row];
        }
    }
}

/// How much each row matters: from 0 to 1, and for a path at least as much as for those below it.
fn weights(rows: &Rows<'_>) -> Vec<f64> {
    let mut weights = vec![0.0_f64; rows.len()];
    for (column, field) in COLUMNS.iter().enumerate() {
        let sums = matches!(field, Field::AtPeak | Field::Live | Field::SelfTotal);
        if !sums && *field != Field::MemoryPeak {
            continue;
        }
        for numbers in rows.all_numbers() {
            weigh(&mut weights, rows, sums, |row| numbers[column][row]);
        }
        if let Some(before) = &rows.before {
            weigh(&mut weights, rows, sums, |row| rows.numbers[column][row] - before.numbers[column][row]);
        }
    }
    // A peak may be greater than that of the path around, and rounding does the rest.
    for row in (0..rows.len()).rev() {
        if let Some(parent) = rows.parents[row] {
            weights[parent] = weights[parent].max(weights[row]);
        }
    }
    weights
}

/// Raises each weight to the row's share of this number: of the sum over all rows, with all below it, or of the greatest.
#[expect(clippy::cast_precision_loss, reason = "shares are compared with one another; nothing is counted with them")]
fn weigh(weights: &mut [f64], rows: &Rows<'_>, sums: bool, number: impl Fn(usize) -> i128) {
    let mut parts: Vec<f64> = (0..rows.len()).map(|row| number(row).unsigned_abs() as f64).collect();
    let whole = if sums { parts.iter().sum() } else { parts.iter().copied().fold(0.0, f64::max) };
    if whole == 0.0 {
        return;
    }
    for row in (0..rows.len()).rev() {
        weights[row] = weights[row].max(parts[row] / whole);
        if let (true, Some(parent)) = (sums, rows.parents[row]) {
            parts[parent] += parts[row];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of four functions in two crates the one that owns most stays; of the others each crate keeps its sums.
    #[test]
    fn what_is_folded_of_a_table_stays_its_crates() {
        let mut rows = Rows::new();
        for (line, owned) in [(1, 10), (2, 2), (1, 5), (3, 0)] {
            rows.push(Place::of("f", if owned == 5 { "b" } else { "a" }, line), None, |field| match field {
                Field::SelfTotal => owned,
                Field::Ncalls => 1,
                _ => 0,
            });
        }
        rows.push(Place::Outside, None, |field| i128::from(field == Field::SelfTotal));
        let of_crate = |place| i64::from(place == Place::of("f", "b", 1));
        let folded = fold(&rows, 1, of_crate);
        assert_eq!(folded.places, [Place::of("f", "a", 1), Place::Outside, Place::Other(0), Place::Other(1)]);
        let nothing = Folded::default();
        assert_eq!(folded.folded, [nothing, nothing, Folded { rows: 2, owning: 1 }, Folded { rows: 1, owning: 1 }]);
        let column =
            |of: Field| COLUMNS.iter().position(|field| *field == of).map(|column| &folded.numbers[column][..]);
        assert_eq!(column(Field::SelfTotal), Some(&[10, 1, 2, 5][..]));
        // Calls do not add up.
        assert_eq!(column(Field::Ncalls), Some(&[1, 0, 0, 0][..]));
        assert_eq!(fold(&rows, 5, of_crate).places, rows.places);
    }
}
