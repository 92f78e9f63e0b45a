//! Events of any allocator but the global one, as a program or another crate of ours records them.
//!
//! An allocator that the program wraps may report from inside of the recorder, where that makes something for the
//! program, such as a snapshot: then the thread is blind. What is allocated there is memprof's own memory, and in
//! no number; its block stands in the table all the same, so that its free is no unknown one. A known block that is
//! freed there is freed as if memprof were off. What an event changes is left to `events/blocks`.
//!
//! One block goes through these states; the address is its name:
//!
//! | | unknown | live | freed |
//! |---|---|---|---|
//! | `record_alloc` | becomes live | the free was missed: counted as freed, in `missed_frees`, then live again | becomes live |
//! | `record_free` | counted in `unknown_frees` | becomes freed | as unknown: nobody remembers it |
//! | `record_alloc_failure` | counted in `failed` | likewise | likewise |

use crate::api::host;
use crate::api::target::target;
use crate::base::blind;
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::state;
use crate::events::blocks::{self, Block};
use crate::lanes::tag::Tag;
use crate::space::mark::{self, MOST_BYTES};
use crate::space::spaces::Space;

/// Records that a block was allocated: call it after the allocator succeeded.
///
/// For any allocator but the global one: an arena, `mmap`, a C library, a device. Thread-safe, never panics, never
/// fails the caller; costs some 200 ns while memprof measures, and a load and a branch while it does not. Any
/// number is an address, 0 too. If a block is known to be live at that address, its free was missed: it is freed
/// first, and counted in `missed_frees`. A space counts 2^63 - 1 bytes in the life of the process (half as many are
/// counted here of [`Space::HOST`]); what does not fit any more counts as a block of what is left. Events of
/// [`Space::HOST`] come from [`Alloc`](crate::Alloc); one that is recorded here stands beside those.
///
/// ```
/// # use memprof_core as memprof;
/// let arena = memprof::Space::named("arena");
/// memprof::record_alloc(arena, 0x1000, 4096);
/// memprof::record_free(arena, 0x1000);
/// ```
pub fn record_alloc(space: Space, address: u64, bytes: u64) {
    if !state::is_on() {
        return;
    }
    if space == Space::HOST {
        return record_host_alloc(address, bytes);
    }
    let Some(target) = target(space) else { return record_own_alloc(space, address) };
    let _blind = blind::enter();
    let tag = target.tag();
    if tag == Tag::UNKNOWN {
        return missed::note(Refused::NoMemory);
    }
    if let Some(missed) = blocks::remove(space, address) {
        target.missed(space, address, &missed);
    }
    let (owner, bytes) = mark::of(space).allocated(tag.path(), bytes);
    target.allocated(space, address, bytes);
    let block = Block { bytes, tag: tag.with_path(owner), by: target.slot() };
    match blocks::insert(space, address, block) {
        None => {}
        // Another thread recorded the same address at the same moment.
        Some(Ok(raced)) => target.missed(space, address, &raced),
        // Its free could not be known.
        Some(Err(())) => {
            target.freed(space, address, &block);
        }
    }
}

/// A block of memprof's own, which is in no number.
#[cold]
fn record_own_alloc(space: Space, address: u64) {
    // It may be off, or the thread may not be recorded.
    if blind::is_blind() {
        blocks::insert(space, address, Block { bytes: 0, tag: Tag::UNKNOWN, by: None });
    }
}

/// Records that a block is being freed: call it before the allocator takes it back, so that no other thread can get
/// the address first.
///
/// An unknown address is counted in `unknown_frees` while memprof measures, and otherwise ignored. A known block
/// lowers what its space and its owner hold also while memprof is off; no scope sees it then.
///
/// Whose the block is, and how many bytes it has, is remembered, so neither has to be said. It may be freed on any
/// thread. Costs as much as [`record_alloc`].
pub fn record_free(space: Space, address: u64) {
    let on = state::is_on();
    if !on && !blocks::is_used() {
        return;
    }
    if space == Space::HOST {
        return record_host_free(address, on);
    }
    let counted_in = if on { target(space) } else { None };
    let _blind = blind::enter();
    match (blocks::remove(space, address), counted_in) {
        (Some(block), _) if block.tag == Tag::UNKNOWN => {}
        (Some(block), Some(target)) => {
            target.freed(space, address, &block);
        }
        (Some(block), None) => blocks::freed_while_off(space, &block),
        (None, Some(_)) => mark::of(space).unknown_frees += 1,
        (None, None) => {}
    }
}

/// Records that an allocation of `bytes` failed: it is counted in `failed`, and changes nothing else.
///
/// Call it instead of [`record_alloc`], where the allocator gave nothing. The failure counts for the innermost open
/// scope, and for those around it. In [`Space::HOST`] it also has memprof say who holds the memory, at most once a
/// minute.
///
/// ```
/// # use memprof_core as memprof;
/// fn allocate(bytes: u64) -> Option<u64> {
///     None // an arena that is full
/// }
///
/// let arena = memprof::Space::named("arena");
/// match allocate(4096) {
///     Some(address) => memprof::record_alloc(arena, address, 4096),
///     None => memprof::record_alloc_failure(arena, 4096),
/// }
/// ```
pub fn record_alloc_failure(space: Space, bytes: u64) {
    if !state::is_on() {
        return;
    }
    if space == Space::HOST {
        return host::failed(bytes);
    }
    let Some(target) = target(space) else { return };
    let _blind = blind::enter();
    target.failed(space);
}

/// A host block of another allocator stands in the table, and is counted as the global allocator's blocks are.
///
/// Table and mark have locks that keep the thread blind; the event itself stands outside of them, since a blind
/// thread's events are unknown.
fn record_host_alloc(address: u64, bytes: u64) {
    let missed = blocks::remove(Space::HOST, address);
    if let Some(missed) = missed.filter(|missed| missed.tag != Tag::UNKNOWN) {
        mark::of(Space::HOST).missed_frees += 1;
        host::freed_slowly(address, missed.bytes, missed.tag);
    }
    if blind::is_blind() {
        return record_own_alloc(Space::HOST, address);
    }
    let bytes = mark::of(Space::HOST).fitting(bytes, MOST_BYTES / 2);
    let tag = host::allocated_slowly(address, bytes);
    if tag == Tag::UNKNOWN {
        return;
    }
    let refused = blocks::insert(Space::HOST, address, Block { bytes, tag, by: None });
    if let Some(Err(())) = refused {
        host::freed_slowly(address, bytes, tag);
    }
}

/// The free of such a block. A host block that is not in the table may be one of the global allocator, whose tag
/// stands in front of it: that one is not to be recorded here, and counts as unknown.
fn record_host_free(address: u64, on: bool) {
    match blocks::remove(Space::HOST, address) {
        Some(block) => host::freed_slowly(address, block.bytes, block.tag),
        None if on && !blind::is_blind() => mark::of(Space::HOST).unknown_frees += 1,
        None => {}
    }
}

/// Counts a free of an address that nobody recorded, while memprof measures.
///
/// For an allocator that finds out by itself that it never saw the block, such as one that keeps a table of its
/// own.
pub fn unknown_free(space: Space) {
    if state::is_on() {
        mark::of(space).unknown_frees += 1;
    }
}
