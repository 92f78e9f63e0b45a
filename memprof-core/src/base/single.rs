//! Changes of a number in one instruction, so that a signal handler finds it before or after the change.
//!
//! A handler runs on the thread that it interrupts, and its own events change the same numbers. Between a load, an
//! addition and a store in three instructions, what the handler added would be lost. On x86-64 an addition to memory is
//! one instruction without a lock: other threads may read it, and none writes it. The compiler makes that instruction of
//! a relaxed load, an addition and a relaxed store where it optimises and the sum is not used otherwise; the test that
//! runs a handler at each instruction (`tests/signals`) fails if it does not. Without optimisation it is written out. On
//! other machines these are several instructions, and what a handler adds in between is lost.
//!
//! While a record is being changed, not even a handler comes in between ([`Alone`]), and its numbers can be read as plain ones.

#![expect(unsafe_code, reason = "an addition to memory in one instruction; plain reads of what nobody else writes")]

use core::marker::PhantomData;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering, compiler_fence};

/// This thread is in the midst of a change of its record, so that nobody but the code that holds this writes the record's numbers: other threads
/// only read them, and a signal handler on this thread finds the change, and is recorded elsewhere (`thread/top`).
///
/// What that is good for: the compiler makes a plain read one with the instruction that uses it, such as a comparison, and leaves it out where
/// it is not used; it does neither with a load of an atomic. An ordinary tracked call has some thirty of those.
#[derive(Clone, Copy)]
pub(crate) struct Alone(PhantomData<*const ()>);

impl Alone {
    /// # Safety
    ///
    /// * This thread has begun a change of its record, of which a signal handler sees that it is under way.
    /// * Whoever gets this reads by it only numbers that its own record leads to, and only until that change is over.
    #[inline(always)]
    pub(crate) const unsafe fn begin() -> Self {
        Self(PhantomData)
    }
}

/// A number of the record that is being changed.
#[inline(always)]
pub(crate) fn read(number: &AtomicU64, _: Alone) -> u64 {
    // SAFETY: an aligned number that lives; by the promise of `Alone::begin` nobody writes it meanwhile, so this is no data race.
    unsafe { number.as_ptr().read() }
}

/// A pointer of the record that is being changed.
#[inline(always)]
pub(crate) fn read_pointer<T>(pointer: &AtomicPtr<T>, _: Alone) -> *mut T {
    // SAFETY: as in `read`.
    unsafe { pointer.as_ptr().read() }
}

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
