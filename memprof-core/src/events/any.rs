//! Events of a slot that took note of everything, by whichever path is due: for tests, as `api/host` has it for the allocator.

use crate::events::host::{self, Event};
use crate::events::look;
use crate::thread::slot::Slot;

/// Where the blocks stand: nobody looks.
const ADDRESS: u64 = 64;

pub(crate) fn alloc(slot: &'static Slot, bytes: u64) {
    match host::allocated(slot, ADDRESS, bytes) {
        Event::Done(_) => {}
        Event::LimitCrossed(_) => look::host_limit_crossed(slot),
        Event::First(_) => {
            let first = host::allocated_first(slot, ADDRESS, bytes);
            if first.or_else(|| host::allocated_above(slot, ADDRESS, bytes)).is_none() {
                host::allocated_slowly(slot, ADDRESS, bytes);
            }
        }
        Event::Slow => panic!("the slot took note of everything"),
    }
}

/// Of a block that the top frame's path owns.
pub(crate) fn free(slot: &'static Slot, bytes: u64) {
    let tag = slot.top().tag();
    match host::freed(slot, slot.ready_tag(), ADDRESS, bytes, tag) {
        Event::Done(()) => {}
        Event::LimitCrossed(()) => look::host_limit_crossed_by_free(slot, bytes),
        Event::First(_) | Event::Slow => {
            if !host::freed_first(slot, ADDRESS, bytes, tag) {
                host::freed_slowly(slot, ADDRESS, bytes, tag).expect("memory");
            }
        }
    }
}

/// Likewise.
pub(crate) fn realloc(slot: &'static Slot, from: u64, to: u64) {
    let tag = slot.top().tag();
    let ready = Some(slot.ready_tag()).filter(|tag| !tag.is_none());
    match ready.or_else(|| host::touch_first(slot, to)) {
        Some(mine) => {
            if host::reallocated(slot, mine, ADDRESS, from, to, tag) {
                look::host_limit_crossed(slot);
            }
        }
        None => _ = host::reallocated_slowly(slot, ADDRESS, from, to, tag).expect("memory"),
    }
}
