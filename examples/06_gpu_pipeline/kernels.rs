//! The kernels: as PTX for a GPU, and as host functions of the same names for the simulator, to which PTX means nothing.
//!
//! | kernel | arguments | each thread |
//! |---|---|---|
//! | `filter_rows` | values, rows, count, height | adds its row to `rows` if it has a value |
//! | `take_rows` | values, rows, taken, count | sets one of `taken` to the value in its row |
//! | `aggregate` | groups, distances, delays, totals, height | adds its row to the three totals of its group |
//! | `join_rows` | keys, others, rows, count, other count | sets one of `rows` to where its key is in `others`, or -1 |
//!
//! Heights and counts at the end are `i32`s; a kernel has as many threads as its first one says. All else is device memory
//! of so many `i32`s, but for `others`, of the other count; `count` of `filter_rows`, of one, at first 0; `values` of
//! `take_rows`, which reaches past all of `rows`; and `totals`, of three for each group.

#![expect(unsafe_code, reason = "reads the arguments of a launch")]
#![expect(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "rows are numbered by an i32, from 0")]

use std::ffi::c_void;

use memprof_cuda_sim::{Dimensions, Sim, buffer, parameter};

/// Stands where a value is missing; also in `kernels.ptx`.
pub(crate) const MISSING: i32 = i32::MIN;

pub(crate) const PTX: &str = include_str!("kernels.ptx");

type Parameters = *const *mut c_void;

pub(crate) fn register(simulator: Sim) {
    simulator.register_kernel("filter_rows", filter_rows);
    simulator.register_kernel("take_rows", take_rows);
    simulator.register_kernel("aggregate", aggregate);
    simulator.register_kernel("join_rows", join_rows);
}

/// The argument at `index`, memory of as many numbers as the argument at `count` says.
unsafe fn column<'a>(parameters: Parameters, index: usize, count: usize) -> &'a mut [i32] {
    // SAFETY: an `i32`, as the table says.
    let count = unsafe { parameter::<i32>(parameters, count) };
    // SAFETY: so many numbers, as the table says; a launch gives no memory twice.
    unsafe { buffer(parameters, index, usize::try_from(count).unwrap_or(0)) }
}

/// What a column is indexed by reaches to.
fn past_the_last(indices: &[i32]) -> usize {
    indices.iter().max().map_or(0, |last| *last as usize + 1)
}

unsafe extern "C" fn filter_rows(parameters: Parameters, _grid: Dimensions, _block: Dimensions) {
    // SAFETY: as the table says.
    let values = unsafe { column(parameters, 0, 3) };
    // SAFETY: as the table says.
    let rows = unsafe { column(parameters, 1, 3) };
    // SAFETY: as the table says.
    let count = unsafe { &mut buffer::<i32>(parameters, 2, 1)[0] };
    for (row, value) in (0..).zip(values) {
        if *value != MISSING {
            rows[*count as usize] = row;
            *count += 1;
        }
    }
}

unsafe extern "C" fn take_rows(parameters: Parameters, _grid: Dimensions, _block: Dimensions) {
    // SAFETY: as the table says.
    let rows = unsafe { column(parameters, 1, 3) };
    // SAFETY: as the table says, all rows are in it.
    let values = unsafe { buffer::<i32>(parameters, 0, past_the_last(rows)) };
    // SAFETY: as the table says.
    let taken = unsafe { column(parameters, 2, 3) };
    for (taken, row) in taken.iter_mut().zip(rows) {
        *taken = values[*row as usize];
    }
}

unsafe extern "C" fn aggregate(parameters: Parameters, _grid: Dimensions, _block: Dimensions) {
    // SAFETY: as the table says.
    let groups = unsafe { column(parameters, 0, 4) };
    // SAFETY: as the table says.
    let distances = unsafe { column(parameters, 1, 4) };
    // SAFETY: as the table says.
    let delays = unsafe { column(parameters, 2, 4) };
    // SAFETY: as the table says, there are three totals for each group.
    let totals = unsafe { buffer::<i32>(parameters, 3, 3 * past_the_last(groups)) };
    for ((group, distance), delay) in groups.iter().zip(distances).zip(delays) {
        let first = 3 * *group as usize;
        totals[first] += 1;
        totals[first + 1] += *distance;
        totals[first + 2] += *delay;
    }
}

unsafe extern "C" fn join_rows(parameters: Parameters, _grid: Dimensions, _block: Dimensions) {
    // SAFETY: as the table says.
    let keys = unsafe { column(parameters, 0, 3) };
    // SAFETY: as the table says.
    let others = unsafe { column(parameters, 1, 4) };
    // SAFETY: as the table says.
    let rows = unsafe { column(parameters, 2, 3) };
    for (row, key) in rows.iter_mut().zip(keys) {
        *row = others.iter().rposition(|other| other == key).map_or(-1, |found| found as i32);
    }
}
