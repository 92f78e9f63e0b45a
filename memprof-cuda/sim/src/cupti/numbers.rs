//! Which numbers CUPTI has for functions of the driver, as of CUDA 13.5.
//!
//! Only whether there is a function of a number: which number a simulated function has stands in its definition
//! (`driver!`).

use std::ops::RangeInclusive;

/// The first number that no function has, past the last.
const SIZE: u32 = 877; // cuda 13.5: CUPTI_DRIVER_TRACE_CBID_SIZE

/// Numbers below [`SIZE`] that `cupti_driver_cbid.h` 13.5 gives no function's name but `cuda` and the number:
/// `scripts/cuda-headers` compares them.
#[rustfmt::skip]
const UNNAMED: [RangeInclusive<u32>; 52] = [
    25..=25, 28..=28, 30..=30, 32..=32, 34..=34, 36..=36, 41..=41, 44..=44, 46..=46, 48..=48, 50..=50, 52..=52, 59..=59, 61..=61,
    63..=63, 65..=65, 70..=70, 72..=72, 74..=74, 76..=76, 78..=78, 80..=80, 82..=82, 96..=96, 98..=98, 104..=104, 131..=131,
    191..=193, 195..=195, 197..=208, 215..=215, 217..=217, 219..=219, 221..=221, 223..=223, 225..=225, 227..=234, 248..=248,
    271..=271, 315..=317, 375..=376, 464..=465, 469..=469, 559..=560, 786..=788, 793..=794, 806..=806, 817..=819, 823..=830,
    833..=834, 862..=862, 868..=876,
];

/// Whether a function of the driver has this number. CUPTI may answer `CUPTI_ERROR_INVALID_PARAMETER` for one that a domain lacks.
pub(crate) fn is_named(number: u32) -> bool {
    (1..SIZE).contains(&number) && !UNNAMED.iter().any(|range| range.contains(&number))
}

#[cfg(test)]
mod tests {
    use super::is_named;

    #[test]
    fn numbers_without_a_function_are_known() {
        assert!([1, 29, 243, 863, 867].into_iter().all(is_named));
        assert!(![0, 271, 868, 876, 877, u32::MAX].into_iter().any(is_named));
    }
}
