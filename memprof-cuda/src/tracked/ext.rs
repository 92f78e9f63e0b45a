//! How a stream or a context becomes tracked.
//!
//! It stands on cudarc's `Arc`s of a stream and of a context. Interception that the environment asks for is installed
//! here too, for programs that make their context without [`context`](crate::context).

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaStream};

use super::context::TrackedContext;
use super::stream::TrackedStream;
use crate::start;

/// The one word: `stream.tracked()` allocates as `stream` does, and memprof knows by whom.
///
/// ```no_run
/// use memprof_cuda::TrackedExt as _;
///
/// let stream = memprof_cuda::context(0)?.default_stream().tracked();
/// let ones = stream.clone_htod(&[1.0_f32; 1024])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait TrackedExt {
    /// What tracks it.
    type Tracked;

    /// The same stream or context, with allocations that memprof knows. Costs a lock; keep the result.
    fn tracked(&self) -> Self::Tracked;
}

impl TrackedExt for Arc<CudaStream> {
    type Tracked = TrackedStream;

    fn tracked(&self) -> TrackedStream {
        start::intercept_if_asked();
        TrackedStream::new(Self::clone(self))
    }
}

impl TrackedExt for Arc<CudaContext> {
    type Tracked = TrackedContext;

    fn tracked(&self) -> TrackedContext {
        start::intercept_if_asked();
        TrackedContext::new(Self::clone(self))
    }
}
