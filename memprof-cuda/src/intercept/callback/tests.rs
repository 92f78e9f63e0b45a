//! The callback, called with what CUPTI would give: what the simulator does not have, and what should never come.

use core::ffi::c_void;
use core::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use memprof_core::{Space, Totals};

use super::callback;
use crate::events;
use crate::intercept::contexts;
use crate::intercept::ffi::{self, CallbackData};

const CONTEXT: u64 = 0x7007;
/// A device that no other test of this process uses.
const DEVICE: u32 = 14;

fn totals() -> Totals {
    memprof_core::snapshot().totals(Space::device(DEVICE))
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    memprof_core::enable();
    events::set_intercepted(true);
    contexts::learn(CONTEXT, DEVICE);
    alone
}

/// A call as CUPTI shows it.
struct Shown<const N: usize> {
    id: u32,
    arguments: [u64; N],
    shared: u64,
    result: u32,
}

impl<const N: usize> Shown<N> {
    fn new(id: u32, arguments: [u64; N]) -> Self {
        Self { id, arguments, shared: 0, result: 0 }
    }

    fn show(&mut self, site: u32) {
        let context = usize::try_from(CONTEXT).unwrap_or(0);
        let data = CallbackData {
            site,
            function: ptr::null(),
            arguments: ptr::from_ref(&self.arguments).cast(),
            result: &raw const self.result,
            symbol: ptr::null(),
            context: ptr::with_exposed_provenance_mut(context),
            context_id: 0,
            shared: &raw mut self.shared,
            correlation_id: 0,
        };
        // SAFETY: null, and data of a driver call with all that it points to.
        unsafe { callback(ptr::null_mut(), ffi::DRIVER_API, self.id, ptr::from_ref(&data).cast()) };
    }

    /// The whole call, which gives this result.
    fn run(mut self, result: u32) {
        self.show(0);
        self.result = result;
        self.show(1);
    }
}

fn word<T>(of: &T) -> u64 {
    ptr::from_ref(of).expose_provenance() as u64
}

#[test]
fn mipmapped_arrays_count_all_levels() {
    let _alone = alone();
    let before = totals();
    // Width, height and depth; 32-bit floats by one channel; no flags.
    let (array, shape) = (0x7100_u64, [8_u64, 8, 0, 1 << 32 | 32, 0]);
    Shown::new(347, [word(&array), word(&shape), 2]).run(0);
    assert_eq!(totals().live - before.live, 256 + 64);
    Shown::new(349, [array]).run(0);
    assert_eq!((totals().live, totals().unknown_frees), (before.live, before.unknown_frees));
}

#[test]
fn memory_of_graphs_and_of_other_processes_is_known_and_not_counted() {
    let _alone = alone();
    let before = totals();
    let mut node = [0_u64; 15];
    node[14] = 0x7200;
    Shown::new(638, [0, 0, 0, 0, word(&node)]).run(0);
    let imported = 0x7300_u64;
    Shown::new(616, [word(&imported), 0, 0]).run(0);
    Shown::new(600, [0x7200, 0]).run(0);
    Shown::new(245, [imported]).run(0);
    let after = totals();
    assert_eq!((after.blocks_total, after.unknown_frees), (before.blocks_total, before.unknown_frees));
}

#[test]
fn either_function_that_opens_memory_of_others_gives_one_block_of_no_bytes() {
    let _alone = alone();
    let before = totals();
    let address = 0x7250_u64;
    // The handle is 64 bytes between the place for the address and the flags.
    for open in [329, 567] {
        Shown::new(open, [word(&address), 9, 9, 9, 9, 9, 9, 9, 9, 1]).run(0);
        assert_eq!((totals().live_blocks, totals().live), (before.live_blocks + 1, before.live));
    }
    Shown::new(330, [address]).run(0);
    assert_eq!(totals().live_blocks, before.live_blocks + 1);
    Shown::new(330, [address]).run(0);
    assert_eq!((totals().live_blocks, totals().unknown_frees), (before.live_blocks, before.unknown_frees));
}

#[test]
fn an_end_without_its_beginning_changes_nothing() {
    let _alone = alone();
    let address = 0x7400_u64;
    Shown::new(243, [word(&address), 100]).run(0);
    let before = totals();
    for shared in [0, 1, u64::MAX, word(&address)] {
        let mut free = Shown::new(245, [address]);
        free.shared = shared;
        free.show(1);
    }
    assert_eq!((totals().live, totals().unknown_frees), (before.live, before.unknown_frees));
    Shown::new(245, [address]).run(0);
    assert_eq!(totals().live, before.live - 100);
}

#[test]
fn what_is_not_watched_or_null_is_passed_over() {
    let _alone = alone();
    let before = totals();
    Shown::new(9_999, [0]).run(0);
    Shown::new(243, [0, 100]).run(0);
    Shown::new(272, [0, 0]).run(2);
    for domain in [ffi::DRIVER_API, ffi::RESOURCE, 77] {
        // SAFETY: null data is passed over.
        unsafe { callback(ptr::null_mut(), domain, 2, ptr::null::<c_void>()) };
    }
    assert_eq!((totals().live, totals().failed), (before.live, before.failed + 1));
}

#[test]
fn a_free_while_the_driver_goes_away_stands() {
    let _alone = alone();
    let address = 0x7500_u64;
    Shown::new(243, [word(&address), 100]).run(0);
    let held = totals().live;
    Shown::new(245, [address]).run(4);
    assert_eq!(totals().live, held - 100);
}

#[test]
fn a_pool_of_host_memory_counts_as_pinned() {
    let _alone = alone();
    // Kind, handle types, location: pinned, none, the host.
    let (pool, properties, address) = (0x7600_u64, [1_u32, 0, 2, 0], 0x7601_u64);
    Shown::new(607, [word(&pool), word(&properties)]).run(0);
    let before = memprof_core::snapshot().totals(Space::PINNED).live;
    Shown::new(611, [word(&address), 70, pool, 0]).run(0);
    assert_eq!(memprof_core::snapshot().totals(Space::PINNED).live - before, 70);
    Shown::new(600, [address, 0]).run(0);
    assert_eq!(memprof_core::snapshot().totals(Space::PINNED).live, before);
}
