//! Reports to memprof what a resource allocates.

#![expect(unsafe_code, reason = "passes on the promise of whoever frees")]

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUdeviceptr;
use memprof_core::__allocator::{blind, unknown_free};
use memprof_core::Space;

use super::DeviceMemory;
use super::ledger::Ledger;
use crate::{Error, events, oom, reconcile};

/// Reports every block of `upstream` to memprof: it stands in the report under upstream's space, by the scope that
/// allocated it.
///
/// An allocation is recorded after upstream succeeded, a free before upstream takes the block back, and taken back in
/// the books if upstream refuses. Where memory does not suffice, [`on_out_of_memory`](crate::on_out_of_memory) is
/// asked, and the error says who holds it. Costs less than a microsecond a call.
///
/// It keeps books of its own too, also while memprof is off: [`allocated_bytes`](Self::allocated_bytes) and
/// [`outstanding_allocations`](Self::outstanding_allocations). A free with a wrong number of bytes frees the block, with
/// its own bytes, and is counted in [`mismatched_frees`](Self::mismatched_frees); one of a block that did not come
/// from here goes to upstream and is counted in [`unknown_frees`](Self::unknown_frees).
///
/// Of several of them over one another that report to the same space, the outermost reports; each keeps its books.
/// While the process is [intercepted](crate::intercept), they only keep their books: interception sees the driver's
/// calls.
#[derive(Debug)]
pub struct Tracked<R> {
    upstream: R,
    space: Option<Space>,
    blocks: Ledger<Block>,
    /// Live blocks of 0 bytes at the null pointer, by the addresses under which memprof knows them.
    nulls: Mutex<Vec<u64>>,
    /// The address of the context whose device snapshots were last told to ask about.
    watched: AtomicUsize,
    mismatched_frees: AtomicU64,
    unknown_frees: AtomicU64,
    missed_frees: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    bytes: usize,
    space: Space,
}

/// A live block of a [`Tracked`] resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allocation {
    /// Where it is on the device.
    pub pointer: CUdeviceptr,
    /// The bytes that were asked for.
    pub bytes: usize,
}

impl<R> Tracked<R> {
    /// Reports what `upstream` allocates, in upstream's space.
    pub fn new(upstream: R) -> Self {
        Self {
            upstream,
            space: None,
            blocks: Ledger::new(),
            nulls: Mutex::new(Vec::new()),
            watched: AtomicUsize::new(0),
            mismatched_frees: AtomicU64::new(0),
            unknown_frees: AtomicU64::new(0),
            missed_frees: AtomicU64::new(0),
        }
    }

    /// Reports what `upstream` allocates in a space of its own, such as `Space::named("weights")`: for memory that
    /// upstream takes out of blocks which are reported already.
    pub fn in_space(upstream: R, space: Space) -> Self {
        Self { space: Some(space), ..Self::new(upstream) }
    }

    /// Bytes allocated and not freed.
    pub fn allocated_bytes(&self) -> usize {
        self.blocks.fold(0, |sum, _, block| sum + block.bytes)
    }

    /// The blocks allocated and not freed, in the order of their pointers; without those of 0 bytes that are null
    /// pointers.
    pub fn outstanding_allocations(&self) -> Vec<Allocation> {
        let mut allocations = self.blocks.fold(Vec::new(), |mut list, pointer, block| {
            list.push(Allocation { pointer, bytes: block.bytes });
            list
        });
        allocations.sort_unstable_by_key(|allocation| allocation.pointer);
        allocations
    }

    /// [`outstanding_allocations`](Self::outstanding_allocations) as text, a line `{pointer}: {bytes} B` each.
    pub fn outstanding_allocations_str(&self) -> String {
        let mut text = String::new();
        for Allocation { pointer, bytes } in self.outstanding_allocations() {
            let _ = writeln!(text, "{pointer:#x}: {bytes} B");
        }
        text
    }

    /// Frees that named other bytes than the block has.
    pub fn mismatched_frees(&self) -> u64 {
        self.mismatched_frees.load(Ordering::Relaxed)
    }

    /// Frees of blocks that did not come from here, or were freed before.
    pub fn unknown_frees(&self) -> u64 {
        self.unknown_frees.load(Ordering::Relaxed)
    }

    /// Blocks whose pointer upstream handed out again though they were not freed through here.
    pub fn missed_frees(&self) -> u64 {
        self.missed_frees.load(Ordering::Relaxed)
    }

    /// What this allocates from.
    pub fn upstream(&self) -> &R {
        &self.upstream
    }
}

impl<R: DeviceMemory> Tracked<R> {
    /// Allocates; only the outermost one of a space reports.
    fn allocate_unreported(&self, bytes: usize, space: Space, stream: &Arc<CudaStream>) -> Result<u64, Error> {
        let pointer = self.upstream.allocate(bytes, stream)?;
        if pointer == 0 {
            return Ok(pointer);
        }
        if self.blocks.insert(pointer, Block { bytes, space }).is_some() {
            self.missed_frees.fetch_add(1, Ordering::Relaxed);
        }
        Ok(pointer)
    }

    /// Has snapshots say how the memory of the stream's device adds up.
    fn watch(&self, stream: &CudaStream) {
        let context = Arc::as_ptr(stream.context()).addr();
        if memprof_core::is_enabled() && self.watched.load(Ordering::Relaxed) != context {
            reconcile::watch(stream.context());
            self.watched.store(context, Ordering::Relaxed);
        }
    }

    /// Frees a block that is in this one's books, with the bytes that it has.
    unsafe fn deallocate_known(
        &self,
        pointer: CUdeviceptr,
        block: Block,
        stream: &Arc<CudaStream>,
    ) -> Result<(), Error> {
        // Another one in the same space may have released it: then there is nothing to release.
        let released = events::released(block.space, pointer);
        // SAFETY: the caller's promises are upstream's.
        let freed = unsafe { self.upstream.deallocate(pointer, block.bytes, stream) };
        if freed.is_err() {
            self.blocks.restore(pointer, block);
            if let Some(released) = released {
                released.restore();
            }
        }
        freed
    }

    /// Frees a pointer that is in nobody's books here; memprof may know it all the same.
    unsafe fn deallocate_unknown(
        &self,
        pointer: CUdeviceptr,
        bytes: usize,
        stream: &Arc<CudaStream>,
    ) -> Result<(), Error> {
        self.unknown_frees.fetch_add(1, Ordering::Relaxed);
        let space = self.space(stream);
        let reports = Reporting::begin(space);
        let released = events::released(space, pointer);
        if released.is_none() && reports.is_some() && !events::is_intercepted() {
            unknown_free(space);
        }
        // SAFETY: the caller's promises are upstream's.
        let freed = unsafe { self.upstream.deallocate(pointer, bytes, stream) };
        if let (Err(_), Some(released)) = (&freed, released) {
            released.restore();
        }
        freed
    }

    /// Frees a block of 0 bytes at the null pointer.
    unsafe fn deallocate_null(&self, stream: &Arc<CudaStream>) -> Result<(), Error> {
        let address = self.nulls().pop();
        let Some(address) = address else {
            // SAFETY: the caller's promises are upstream's.
            return unsafe { self.upstream.deallocate(0, 0, stream) };
        };
        let released = events::released(self.space(stream), address);
        // SAFETY: the caller's promises are upstream's.
        let freed = unsafe { self.upstream.deallocate(0, 0, stream) };
        if freed.is_err() {
            self.add_null(address);
            if let Some(released) = released {
                released.restore();
            }
        }
        freed
    }

    fn nulls(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        self.nulls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_null(&self, address: u64) {
        let _blind = blind();
        self.nulls().push(address);
    }
}

impl<R: DeviceMemory> DeviceMemory for Tracked<R> {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        let _call = events::WrapperCall::begin();
        let space = self.space(stream);
        let Some(_reports) = Reporting::begin(space) else {
            return self.allocate_unreported(bytes, space, stream);
        };
        let attempt = || self.allocate_unreported(bytes, space, stream);
        let pointer = oom::retrying(space, bytes as u64, Some(stream.context()), attempt)?;
        self.watch(stream);
        let address = if pointer == 0 { null_address() } else { pointer };
        events::allocated(space, address, bytes as u64);
        if pointer == 0 {
            self.add_null(address);
        }
        Ok(pointer)
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        let _call = events::WrapperCall::begin();
        if pointer == 0 && bytes == 0 {
            // SAFETY: the caller's promises.
            return unsafe { self.deallocate_null(stream) };
        }
        let Some(block) = self.blocks.remove(pointer) else {
            // SAFETY: the caller's promises.
            return unsafe { self.deallocate_unknown(pointer, bytes, stream) };
        };
        if block.bytes != bytes {
            self.mismatched_frees.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller's promises.
        unsafe { self.deallocate_known(pointer, block, stream) }
    }

    fn space(&self, stream: &CudaStream) -> Space {
        self.space.unwrap_or_else(|| self.upstream.space(stream))
    }

    fn alignment(&self) -> usize {
        self.upstream.alignment()
    }
}

/// An address that no allocator hands out: blocks of 0 bytes at the null pointer are as many as were allocated.
fn null_address() -> u64 {
    static USED: AtomicU64 = AtomicU64::new(0);
    !USED.fetch_add(1, Ordering::Relaxed)
}

thread_local! {
    /// The spaces for which a resource is reporting on this thread.
    static REPORTING: RefCell<Vec<Space>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, what is below on this thread does not report to its space.
struct Reporting;

impl Reporting {
    /// `None` where a resource above reports already, or the thread is about to end.
    fn begin(space: Space) -> Option<Self> {
        let begin = |spaces: &RefCell<Vec<Space>>| {
            let mut spaces = spaces.try_borrow_mut().ok()?;
            if spaces.contains(&space) {
                return None;
            }
            let _blind = blind();
            spaces.push(space);
            Some(Self)
        };
        REPORTING.try_with(begin).ok().flatten()
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        let _ = REPORTING.try_with(|spaces| spaces.try_borrow_mut().map(|mut spaces| spaces.pop()));
    }
}
