//! A context whose allocations memprof knows.
//!
//! It adds nothing to cudarc's context and holds it as any clone does. Memory is made by [`pinned`], [`managed`] and
//! the streams that it gives; that its device is in snapshots, and asked before the context ends with this, is
//! [`reconcile`]'s.

#![expect(unsafe_code, reason = "cudarc's methods that give unset memory are unsafe, and so are these")]

use std::ops::Deref;
use std::sync::Arc;

use cudarc::driver::{CudaContext, DeviceRepr, DriverError, sys};

use super::managed::{self, TrackedUnifiedSlice};
use super::pinned::{self, TrackedPinnedSlice};
use super::stream::TrackedStream;
use crate::error::Error;
use crate::{driver, reconcile};

/// A [`CudaContext`] whose streams are tracked, and whose pinned and managed memory memprof knows.
///
/// It derefs to `Arc<CudaContext>`. The methods below are cudarc's, with the same arguments; those
/// that allocate, or that the driver may lack, give an [`Error`], as [`TrackedStream`]'s do.
///
/// ```no_run
/// use memprof_cuda::TrackedExt as _;
///
/// let context = memprof_cuda::context(0)?.tracked();
/// let zeros = context.default_stream().alloc_zeros::<f32>(1024)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrackedContext {
    context: Arc<CudaContext>,
}

impl TrackedContext {
    pub(super) fn new(context: Arc<CudaContext>) -> Self {
        reconcile::watch(&context);
        Self { context }
    }

    /// See [`CudaContext::default_stream`].
    pub fn default_stream(&self) -> TrackedStream {
        TrackedStream::new(self.context.default_stream())
    }

    /// See [`CudaContext::per_thread_stream`].
    pub fn per_thread_stream(&self) -> TrackedStream {
        TrackedStream::new(self.context.per_thread_stream())
    }

    /// See [`CudaContext::new_stream`].
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn new_stream(&self) -> Result<TrackedStream, DriverError> {
        self.context.new_stream().map(TrackedStream::new)
    }

    /// See [`CudaContext::new_stream_with_priority`].
    ///
    /// # Errors
    ///
    /// The driver's, or that it lacks this function, which an old one does.
    pub fn new_stream_with_priority(&self, priority: i32) -> Result<TrackedStream, Error> {
        driver::require(&["cuStreamCreateWithPriority"])?;
        let stream = self.context.new_stream_with_priority(priority);
        stream
            .map(TrackedStream::new)
            .map_err(|error| Error::call(format!("make a stream of priority {priority}"), error))
    }

    /// See [`CudaContext::alloc_pinned`]. Its bytes stand in the space `pinned`.
    ///
    /// # Errors
    ///
    /// As [`TrackedStream::alloc`].
    ///
    /// # Safety
    ///
    /// The memory is unset.
    pub unsafe fn alloc_pinned<T: DeviceRepr>(&self, len: usize) -> Result<TrackedPinnedSlice<T>, Error> {
        // SAFETY: the caller sets the memory.
        unsafe { self.alloc_pinned_with_flags(len, sys::CU_MEMHOSTALLOC_WRITECOMBINED) }
    }

    /// See [`CudaContext::alloc_pinned_with_flags`].
    ///
    /// # Errors
    ///
    /// As [`TrackedStream::alloc`].
    ///
    /// # Safety
    ///
    /// The memory is unset.
    pub unsafe fn alloc_pinned_with_flags<T: DeviceRepr>(
        &self,
        len: usize,
        flags: u32,
    ) -> Result<TrackedPinnedSlice<T>, Error> {
        // SAFETY: the caller sets the memory.
        unsafe { pinned::alloc(&self.context.default_stream(), len, flags) }
    }

    /// See [`CudaContext::alloc_unified`]. Its bytes stand in the space `managed`.
    ///
    /// # Errors
    ///
    /// As [`TrackedStream::alloc`].
    ///
    /// # Safety
    ///
    /// The memory is unset.
    pub unsafe fn alloc_unified<T: DeviceRepr>(
        &self,
        len: usize,
        attach_global: bool,
    ) -> Result<TrackedUnifiedSlice<T>, Error> {
        // SAFETY: the caller sets the memory.
        unsafe { managed::alloc(&self.context, len, attach_global) }
    }
}

impl Drop for TrackedContext {
    fn drop(&mut self) {
        reconcile::freed(&self.context, None, Arc::strong_count(&self.context) == 1);
    }
}

impl Deref for TrackedContext {
    type Target = Arc<CudaContext>;

    fn deref(&self) -> &Arc<CudaContext> {
        &self.context
    }
}
