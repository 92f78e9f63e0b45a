//! Reports to memprof what a resource allocates.
//!
//! Two sets of books, in one order: upstream has allocated before either knows of a block, and both have let go of it
//! before upstream frees; a refusal puts it back into both. Its own are always kept, memprof's while that measures and
//! unless interception records the block itself. Which of several over one another reports is left to [`events`], what
//! happens where memory does not suffice to [`oom`].

#![expect(unsafe_code, reason = "passes on the promise of whoever frees")]

use std::backtrace::Backtrace;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUdeviceptr;
use memprof_core::__allocator::{blind, print_line, release, unknown_free};
use memprof_core::Space;

use super::ledger::Ledger;
use super::memory::DeviceMemory;
use crate::error::Error;
use crate::events::{self, Reporting};
use crate::intercept::Freed;
use crate::{intercept, oom, reconcile, start};

mod outstanding;

pub use self::outstanding::Allocation;

/// Reports every block of `upstream` to memprof: it stands in the report under upstream's space, by the scope that
/// allocated it.
///
/// An allocation is recorded after upstream succeeded, a free before upstream takes the block back, and taken back in
/// the books if upstream refuses. Where memory does not suffice, [`on_out_of_memory`](crate::on_out_of_memory) is
/// asked, and the error says who holds it. Costs less than a microsecond a call.
///
/// It keeps books of its own too, also while memprof is off: [`allocated_bytes`](Self::allocated_bytes) and
/// [`outstanding_allocations`](Self::outstanding_allocations), with call stacks if
/// [asked for](Self::capture_stacks). A free with a wrong number of bytes frees the block, with
/// its own bytes, and is counted in [`mismatched_frees`](Self::mismatched_frees); one of a block that did not come
/// from here goes to upstream and is counted in [`unknown_frees`](Self::unknown_frees), and in memprof's own unless
/// upstream refuses.
///
/// Of several of them over one another that report to the same space, the outermost reports; each keeps its books.
///
/// # While the process is intercepted
///
/// [Interception](crate::intercept()) records what the driver does, in the spaces of devices, `managed` and `pinned`. There
/// this reports nothing meanwhile, but for blocks of 0 bytes, for which the driver is not called. What stands in those
/// spaces are then the driver's blocks: with the bytes that it was asked for, so padded ones below an
/// [`Aligned`](super::Aligned), and the blocks of a resource that hands out parts of them, whole. Any other space, as one
/// [of its own](Self::in_space), is reported here either way, for interception sees nothing of it.
///
/// Interception may begin and end while blocks are live: each goes off the books as it came on them. What was reported
/// here is taken off here. What interception recorded goes when the driver frees it. After its end that is known of
/// blocks from this crate's resources, and of those from another one that hands them out as the driver gave them, with
/// their address and bytes.
#[derive(Debug)]
pub struct Tracked<R> {
    upstream: R,
    space: Option<Space>,
    captures_stacks: bool,
    blocks: Ledger<Block>,
    /// Live blocks of 0 bytes at the null pointer, by the addresses under which memprof knows them.
    nulls: Mutex<Vec<u64>>,
    /// The address of the context whose device snapshots were last told to ask about.
    watched: AtomicUsize,
    mismatched_frees: AtomicU64,
    unknown_frees: AtomicU64,
    missed_frees: AtomicU64,
}

#[derive(Debug)]
struct Block {
    bytes: usize,
    space: Space,
    /// Whether this one or another one of its space has reported it, not interception.
    is_reported: bool,
    /// Whether interception has recorded it, too or instead, and nobody below tells of its free after interception.
    tells_of_free: bool,
    stack: Option<Arc<Backtrace>>,
}

impl<R> Tracked<R> {
    /// Reports what `upstream` allocates, in upstream's space. With `MEMPROF=1 MEMPROF_CUDA=intercept` the first one in the
    /// process installs [interception](crate::intercept()), if no context was made or tracked through this crate before.
    pub fn new(upstream: R) -> Self {
        start::intercept_if_asked();
        Self {
            upstream,
            space: None,
            captures_stacks: false,
            blocks: Ledger::new(),
            nulls: Mutex::new(Vec::new()),
            watched: AtomicUsize::new(0),
            mismatched_frees: AtomicU64::new(0),
            unknown_frees: AtomicU64::new(0),
            missed_frees: AtomicU64::new(0),
        }
    }

    /// Reports what `upstream` allocates in a space of its own, such as `Space::named("weights")`: for memory that
    /// upstream takes out of blocks which are reported already, by another one below or by
    /// [interception](crate::intercept()). In one space a part at the first byte of such a block would take its place.
    pub fn in_space(upstream: R, space: Space) -> Self {
        Self { space: Some(space), ..Self::new(upstream) }
    }

    /// Keeps the call stack of every block that is allocated from here on: RMM's `capture_stacks`. For each allocation
    /// that costs some microseconds, and for each live block a kilobyte or more; neither is in any number.
    #[must_use]
    pub fn capture_stacks(self) -> Self {
        Self { captures_stacks: true, ..self }
    }

    /// Bytes allocated and not freed.
    pub fn allocated_bytes(&self) -> usize {
        self.blocks.fold(0, |sum, _, block| sum + block.bytes)
    }

    /// The blocks allocated and not freed, in the order of their pointers; without those of 0 bytes that are null
    /// pointers.
    pub fn outstanding_allocations(&self) -> Vec<Allocation> {
        let mut allocations = self.blocks.fold(Vec::new(), |mut list, pointer, block| {
            list.push(Allocation { pointer, bytes: block.bytes, stack: block.stack.clone() });
            list
        });
        allocations.sort_unstable_by_key(|allocation| allocation.pointer);
        allocations
    }

    /// [`outstanding_allocations`](Self::outstanding_allocations) as RMM's text: a line `{pointer}: {bytes} B` each. With
    /// [`capture_stacks`](Self::capture_stacks) that line goes on with ` : callstack:`, and lines `#{number} in
    /// {function} at {place}` and a blank one follow; RMM names a frame's library in the place of its file and line.
    /// Finding the names takes milliseconds the first time.
    pub fn outstanding_allocations_str(&self) -> String {
        let _blind = blind();
        self.outstanding_allocations().iter().map(ToString::to_string).collect()
    }

    /// Writes [`outstanding_allocations_str`](Self::outstanding_allocations_str) to stderr, after `memprof: Outstanding
    /// Allocations: `.
    pub fn log_outstanding_allocations(&self) {
        let _blind = blind();
        print_line(format!("memprof: Outstanding Allocations: {}", self.outstanding_allocations_str()).trim_end());
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
        let is_reported = !events::is_left_to_interception(space);
        let tells_of_free = events::has_to_tell_of_free(pointer, bytes as u64);
        let stack = self.captures_stacks.then(outstanding::stack);
        let block = Block { bytes, space, is_reported, tells_of_free, stack };
        if self.blocks.insert(pointer, block).is_some() {
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
        let released = block.is_reported.then(|| release(block.space, pointer)).flatten();
        let unseen = block.tells_of_free.then(|| intercept::released_unseen(pointer)).flatten();
        // SAFETY: the caller's promises are upstream's.
        let freed = events::freeing_known(|| unsafe { self.upstream.deallocate(pointer, block.bytes, stream) });
        if freed.is_err() {
            self.blocks.restore(pointer, block);
            unseen.into_iter().for_each(Freed::restore);
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
        // SAFETY: the caller's promises are upstream's.
        let freed = unsafe { self.upstream.deallocate(pointer, bytes, stream) };
        match (&freed, released) {
            (Err(_), Some(released)) => released.restore(),
            (Ok(()), None) if reports.is_some() && !events::is_left_to_interception(space) => unknown_free(space),
            _ => {}
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
        let released = events::null_released(self.space(stream), address);
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
        if pointer == 0 {
            self.add_null(events::null_allocated(space));
        } else {
            events::allocated(space, pointer, bytes as u64);
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
