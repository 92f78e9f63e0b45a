//! An allocator that makes the call of the cell, and what the environment says of that cell.
#![expect(unsafe_code, reason = "an allocator, signals, forks and the environment of the C library")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::cells::{FUNCTIONS, raise};

#[global_allocator]
static ALLOC: memprof::Alloc<Hooked> = memprof::Alloc::new(Hooked).always();

/// The system's allocator, which calls memprof wherever it is called, if the environment asks for it.
struct Hooked;

/// Calls so far.
pub(super) static IN_ALLOCATOR: AtomicUsize = AtomicUsize::new(0);
pub(super) static SIGNAL_IN_ALLOCATOR: AtomicBool = AtomicBool::new(false);
pub(super) static FORK_HOOKS: AtomicUsize = AtomicUsize::new(0);

pub(super) const FUNCTION: &str = "FUNCTION_OF_THE_CELL";
pub(super) const PLACE: &str = "PLACE_OF_THE_CELL";

/// What the environment says, without an allocation.
fn setting(name: &std::ffi::CStr) -> Option<&'static str> {
    // SAFETY: a string that ends in 0.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: a string that ends in 0, which nobody changes.
    unsafe { std::ffi::CStr::from_ptr(value) }.to_str().ok()
}

pub(super) fn function() -> Option<fn()> {
    let name = setting(c"FUNCTION_OF_THE_CELL")?;
    FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, call)| *call)
}

fn hook() {
    thread_local!(static INSIDE: Cell<bool> = const { Cell::new(false) });
    static FORKS: AtomicBool = AtomicBool::new(false);
    let Some(place) = setting(c"PLACE_OF_THE_CELL") else { return };
    if place == "a fork's hooks" && !FORKS.swap(true, Ordering::Relaxed) {
        extern "C" fn fork_hook() {
            if let Some(call) = function() {
                call();
            }
            FORK_HOOKS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: functions that take and give nothing. Before the first event of memprof.
        assert_eq!(unsafe { libc::pthread_atfork(Some(fork_hook), Some(fork_hook), Some(fork_hook)) }, 0);
    }
    let in_allocator = place == "the wrapped allocator, from the first allocation on";
    let signal = SIGNAL_IN_ALLOCATOR.load(Ordering::Relaxed);
    if !in_allocator && !signal || INSIDE.replace(true) {
        return;
    }
    // A snapshot at each of them would take its time.
    let calls = IN_ALLOCATOR.fetch_add(1, Ordering::Relaxed);
    if calls > 100 && !calls.is_multiple_of(97) {
        // Not this time.
    } else if signal {
        raise(libc::SIGUSR1);
    } else if let Some(call) = function() {
        call();
    }
    INSIDE.set(false);
}

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Hooked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hook();
        // SAFETY: handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        hook();
        // SAFETY: handed on.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        hook();
        // SAFETY: handed on.
        unsafe { System.realloc(block, layout, bytes) }
    }
}
