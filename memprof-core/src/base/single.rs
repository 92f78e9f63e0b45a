//! Changes of a number in one instruction, so that a signal handler finds it before or after the change.
//!
//! A handler runs on the thread that it interrupts, and its own events change the same numbers. Between a load, an
//! addition and a store in three instructions, what the handler added would be lost. On x86-64 an addition to memory is
//! one instruction without a lock: other threads may read it, and none writes it. The compiler makes that instruction of
//! a relaxed load, an addition and a relaxed store where it optimises and the sum is not used otherwise; the test that
//! runs a handler at each instruction (`tests/signals`) fails if it does not. Without optimisation it is written out. On
//! other machines these are several instructions, and what a handler adds in between is lost.

#![cfg_attr(
    all(target_arch = "x86_64", debug_assertions),
    expect(unsafe_code, reason = "an addition to memory in one instruction")
)]

use core::sync::atomic::{AtomicU64, Ordering, compiler_fence};

/// Adds to a number that this thread alone writes.
#[inline(always)]
pub(crate) fn add(number: &AtomicU64, value: u64) {
    #[cfg(all(target_arch = "x86_64", debug_assertions, not(miri)))]
    // SAFETY: an aligned number that lives, which no other thread writes; an addition to eight aligned bytes is read as
    // a whole by those that read it.
    unsafe {
        core::arch::asm!("add qword ptr [{}], {}", in(reg) number.as_ptr(), in(reg) value, options(nostack));
    }
    #[cfg(not(all(target_arch = "x86_64", debug_assertions, not(miri))))]
    number.store(number.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
}

/// [`add`], seen by whoever reads the number after everything that was stored before it.
#[inline(always)]
pub(crate) fn add_release(number: &AtomicU64, value: u64) {
    // On x86-64 every store is one of those.
    #[cfg(all(target_arch = "x86_64", debug_assertions, not(miri)))]
    add(number, value);
    #[cfg(not(all(target_arch = "x86_64", debug_assertions, not(miri))))]
    number.store(number.load(Ordering::Relaxed).wrapping_add(value), Ordering::Release);
}

/// What a signal handler on this thread sees is in the order of the program, here.
#[inline(always)]
pub(crate) fn in_order() {
    compiler_fence(Ordering::AcqRel);
}
