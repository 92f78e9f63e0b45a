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
fn nodes_of_graphs_are_read_where_each_version_of_the_call_has_them() {
    let _alone = alone();
    let before = totals();
    // The kind of node, 10 for memory; its address is 128 bytes on.
    let mut node = [0_u64; 17];
    (node[0], node[16]) = (10, 0x7210);
    Shown::new(712, [0, 0, 0, 0, word(&node)]).run(0);
    Shown::new(245, [0x7210]).run(0);
    for id in [723, 863] {
        node[16] += 1;
        Shown::new(id, [0, 0, 0, 0, 0, word(&node)]).run(0);
        Shown::new(245, [node[16]]).run(0);
    }
    let after = totals();
    assert_eq!((after.blocks_total, after.unknown_frees), (before.blocks_total, before.unknown_frees));
    // A kernel's node, whose words mean other things.
    (node[0], node[16]) = (0, 0x7220);
    Shown::new(712, [0, 0, 0, 0, word(&node)]).run(0);
    Shown::new(245, [0x7220]).run(0);
    assert_eq!(totals().unknown_frees, before.unknown_frees + 1);
}

#[test]
fn functions_of_32_bits_are_counted_as_those_of_64() {
    let _alone = alone();
    let before = totals();
    // Addresses and bytes of 32 bits: the other half of each word is somebody else's.
    let (plain, pitched) = (0x71_u32, 0x72_u32);
    Shown::new(29, [word(&plain), 0xFFFF_FFFF_0000_0064]).run(0);
    Shown::new(31, [word(&pitched), 0, (3 << 32) + 40]).run(0);
    assert_eq!((totals().live - before.live, totals().live_blocks - before.live_blocks), (100 + 120, 2));
    for address in [plain, pitched] {
        Shown::new(33, [0xFFFF_FFFF_0000_0000 | u64::from(address)]).run(0);
    }
    assert_eq!((totals().live, totals().unknown_frees), (before.live, before.unknown_frees));
    // Width, height, format (8-bit) and channels; then width, height, depth, format, channels and flags.
    let (flat, shape) = ([10_u32, 10, 1, 1], [10_u32, 10, 10, 1, 1, 0]);
    let arrays = [0x7110_u64, 0x7120];
    Shown::new(87, [word(&arrays[0]), word(&flat)]).run(0);
    Shown::new(90, [word(&arrays[1]), word(&shape)]).run(0);
    assert_eq!(totals().live - before.live, 100 + 1000);
    for array in arrays {
        Shown::new(89, [array]).run(0);
    }
    assert_eq!((totals().live, totals().unknown_frees), (before.live, before.unknown_frees));
}

#[test]
fn a_multicast_object_is_released_as_memory_is_and_has_none() {
    let _alone = alone();
    let before = totals();
    let handle = 0x7510_u64;
    Shown::new(706, [word(&handle), 0]).run(0);
    Shown::new(550, [handle]).run(0);
    let after = totals();
    assert_eq!((after.blocks_total, after.unknown_frees), (before.blocks_total, before.unknown_frees));
}

#[test]
fn physical_memory_lives_while_a_sparse_array_shows_it() {
    let _alone = alone();
    let before = totals();
    // Pinned, no handle types, on the device.
    let (handle, array, properties) = (0x7520_u64, 0x7530_u64, [1_u32, 0, 1, DEVICE]);
    Shown::new(549, [word(&handle), 4096, word(&properties)]).run(0);
    // Array, no kind of part, four words of part; operation, handle, and the rest.
    let map = |operation: u64, handle| [0, array, 0, 5, 6, 7, 8, operation, handle, 0, 0, 0_u64];
    Shown::new(584, [word(&map(1, handle)), 1, 0]).run(0);
    Shown::new(550, [handle]).run(0);
    assert_eq!(totals().live - before.live, 4096, "it is mapped");
    Shown::new(585, [word(&map(2, 0)), 1, 0]).run(0);
    assert_eq!(totals().live, before.live);
    Shown::new(549, [word(&handle), 4096, word(&properties)]).run(0);
    Shown::new(584, [word(&map(1, handle)), 1, 0]).run(0);
    Shown::new(550, [handle]).run(0);
    Shown::new(89, [array]).run(0);
    assert_eq!(totals().live, before.live, "it goes with the array");
}

/// The free of what a mapping ends is recorded before the driver's call, so that whoever is given its handle next finds it free.
#[test]
fn memory_that_a_sparse_array_shows_no_longer_ends_before_the_call_and_lives_on_if_that_is_refused() {
    const REFUSED: u32 = 1;
    let _alone = alone();
    let before = totals();
    let (handle, array, properties) = (0x7525_u64, 0x7535_u64, [1_u32, 0, 1, DEVICE]);
    let map = |operation: u64, handle| [0, array, 0, 5, 6, 7, 8, operation, handle, 0, 0, 0_u64];
    let (shows, shows_no_longer) = (map(1, handle), map(2, 0));
    Shown::new(549, [word(&handle), 4096, word(&properties)]).run(0);
    Shown::new(584, [word(&shows), 1, 0]).run(0);
    Shown::new(550, [handle]).run(0);
    // Mapped away, and the array destroyed: each is refused at first.
    let ends = || [Shown::new(584, [word(&shows_no_longer), 1, 0]), Shown::new(89, [array, 0, 0])];
    for mut end in ends() {
        end.show(0);
        assert_eq!(totals().live, before.live, "ended by {}", end.id);
        end.result = REFUSED;
        end.show(1);
        assert_eq!(totals().live - before.live, 4096, "{} was refused", end.id);
    }
    // Another thread's memory gets the handle before the call is shown to be over.
    let [mut end, _] = ends();
    end.show(0);
    Shown::new(549, [word(&handle), 100, word(&properties)]).run(0);
    end.show(1);
    assert_eq!((totals().live - before.live, totals().missed_frees), (100, before.missed_frees));
    Shown::new(550, [handle]).run(0);
    assert_eq!((totals().live, totals().unknown_frees), (before.live, before.unknown_frees));
}

#[test]
fn the_default_stream_is_of_the_current_context_whatever_has_been_shown_to_be_made() {
    let _alone = alone();
    let before = totals();
    let other = 0x7017_u64;
    contexts::learn(other, DEVICE + 1);
    let context = ptr::with_exposed_provenance_mut(usize::try_from(other).unwrap_or(0));
    let data = ffi::ResourceData { context, handle: ptr::null_mut(), descriptor: ptr::null_mut() };
    // SAFETY: a resource's data.
    unsafe { callback(ptr::null_mut(), ffi::RESOURCE, ffi::STREAM_CREATED, ptr::from_ref(&data).cast()) };
    let address = 0x7540_u64;
    Shown::new(598, [word(&address), 70, 0]).run(0);
    assert_eq!(totals().live - before.live, 70, "not on the device of the context that was shown");
    Shown::new(600, [address, 0]).run(0);
}

#[test]
fn what_was_known_of_handles_is_forgotten_when_interception_begins_again() {
    let _alone = alone();
    contexts::learn(0x7550, 3);
    contexts::learn_pool(0x7560, Space::PINNED);
    contexts::prepare();
    assert_eq!((contexts::device_of(0x7550, None), contexts::pool_space(0x7560)), (None, None));
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

/// "Decrements the usage count of the context, and destroys the context if the usage count goes to 0" (`cuda.h` 13.5:7607, cuCtxDetach).
#[test]
fn a_context_that_is_detached_from_has_not_ended() {
    let _alone = alone();
    let address = 0x7570_u64;
    Shown::new(243, [word(&address), 100]).run(0);
    let held = totals().live;
    Shown::new(13, [CONTEXT]).run(0);
    assert_eq!(totals().live, held);
    Shown::new(245, [address]).run(0);
    assert_eq!(totals().live, held - 100);
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
