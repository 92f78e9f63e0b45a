//! A range of addresses with host memory behind it, touched only where used.
//!
//! A freed address is given out again at once, to the next request of as many bytes (rounded to 512): last freed, first reused.
//! So books that are closed too late meet an address that is already someone else's.
#![expect(unsafe_code, reason = "maps and fills the host memory that stands for a device's")]

use std::collections::HashMap;
use std::ptr;

/// What addresses are multiples of, and what blocks are rounded to.
const ALIGNMENT: u64 = 512;

/// What fresh memory holds.
pub(crate) const FRESH: u8 = 0xCD;

/// What freed memory holds.
pub(crate) const FREED: u8 = 0xDD;

/// Bytes up to which a block is poisoned whole; a larger one at its two ends, this much of each, so that it stays untouched.
const POISONED: usize = 1 << 20;

/// The addresses that one arena may span, if the host grants them; half, and half again, if not.
const SPAN: u64 = 1 << 40;

/// The least that an arena tries to have.
const LEAST_SPAN: u64 = 1 << 26;

/// Addresses with memory behind them. Unmapped never: an arena lives as long as the library.
pub(crate) struct Arena {
    next: u64,
    end: u64,
    freed: HashMap<u64, Vec<u64>>,
}

impl Arena {
    /// Reserves a span of addresses; an arena without one when the host grants none.
    pub(crate) fn new() -> Self {
        let mut span = SPAN;
        while span >= LEAST_SPAN {
            if let Some(start) = map(span) {
                return Self { next: start, end: start + span, freed: HashMap::new() };
            }
            span /= 2;
        }
        Self { next: 0, end: 0, freed: HashMap::new() }
    }

    /// An address with this many bytes behind it, filled with [`FRESH`]. `None`: none is left.
    pub(crate) fn take(&mut self, bytes: u64) -> Option<u64> {
        let address = self.take_untouched(bytes, 1)?;
        poison(address, bytes, FRESH);
        Some(address)
    }

    /// Like [`take`](Self::take), with an alignment, and the memory as it is.
    pub(crate) fn take_untouched(&mut self, bytes: u64, alignment: u64) -> Option<u64> {
        let room = rounded(bytes)?;
        let freed = self.freed.get_mut(&room);
        if let Some(address) = freed.and_then(|freed| freed.pop_if(|address| address.is_multiple_of(alignment))) {
            return Some(address);
        }
        let address = self.next.checked_next_multiple_of(alignment.max(ALIGNMENT))?;
        let next = address.checked_add(room)?;
        if next > self.end {
            return None;
        }
        self.next = next;
        Some(address)
    }

    /// Takes the bytes back and fills them with [`FREED`].
    pub(crate) fn give(&mut self, address: u64, bytes: u64) {
        poison(address, bytes, FREED);
        if let Some(room) = rounded(bytes) {
            self.freed.entry(room).or_default().push(address);
        }
    }
}

fn rounded(bytes: u64) -> Option<u64> {
    bytes.max(1).checked_next_multiple_of(ALIGNMENT)
}

fn map(span: u64) -> Option<u64> {
    let span = usize::try_from(span).ok()?;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping anywhere; it touches nothing that is there.
    let start = unsafe { libc::mmap(ptr::null_mut(), span, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if start == libc::MAP_FAILED { None } else { Some(start.expose_provenance() as u64) }
}

/// Fills a block with `value`: whole, or a large one at its two ends, and what lies between goes back to the host.
pub(crate) fn poison(address: u64, bytes: u64, value: u8) {
    let bytes = bytes as usize;
    if bytes <= 2 * POISONED {
        fill(address, &[value], bytes);
        return;
    }
    fill(address, &[value], POISONED);
    fill(address + (bytes - POISONED) as u64, &[value], POISONED);
    discard(address + POISONED as u64, bytes - 2 * POISONED);
}

/// Gives the pages that lie wholly within back to the host: they read as zero afterwards.
fn discard(address: u64, bytes: usize) {
    const PAGE: u64 = 4096;
    let start = address.next_multiple_of(PAGE);
    let end = (address + bytes as u64) / PAGE * PAGE;
    if end > start {
        // SAFETY: whole pages within an arena's mapping, of a block that nobody else owns.
        let _pages_stay = unsafe { libc::madvise(pointer(start).cast(), (end - start) as usize, libc::MADV_DONTNEED) };
    }
}

/// Repeats `pattern` over `bytes` bytes. The caller has checked that they lie within a block.
pub(crate) fn fill(address: u64, pattern: &[u8], bytes: usize) {
    if let [value] = pattern {
        // SAFETY: within a block of an arena, as the caller has checked, under the lock.
        unsafe { pointer(address).write_bytes(*value, bytes) };
        return;
    }
    for start in (0..bytes).step_by(pattern.len()) {
        copy(address + start as u64, pattern.as_ptr().expose_provenance() as u64, pattern.len().min(bytes - start));
    }
}

/// Copies bytes. The caller has checked the device's side; the host's side is the program's promise to the driver.
pub(crate) fn copy(to: u64, from: u64, bytes: usize) {
    // SAFETY: device addresses lie within a block, as the caller has checked; host addresses are promised by the program, as to a real driver.
    unsafe { ptr::copy(pointer(from).cast_const(), pointer(to), bytes) };
}

fn pointer(address: u64) -> *mut u8 {
    ptr::with_exposed_provenance_mut(address as usize)
}
