//! CUDA memory for [memprof](https://docs.rs/memprof): which function holds the GPU's memory.
//!
//! `cuda:0` stands in the report beside `host`, by function: what each allocated on the device, how much it held at
//! most, and what it still holds. For code that uses [cudarc](https://docs.rs/cudarc) that is one word,
//! [`tracked`](TrackedExt::tracked):
//!
//! ```no_run
//! use memprof_cuda::TrackedExt as _;
//!
//! # mod memprof { pub use memprof_core::*; }
//! fn upload(stream: &memprof_cuda::TrackedStream) -> Result<f32, cudarc::driver::DriverError> {
//!     let _scope = memprof::Scope::enter(memprof::Site::named("upload")); // or #[memprof::track] on the function
//!     let weights = stream.clone_htod(&[1.0_f32; 1024])?; // 4,096 bytes of `upload` in `cuda:0`
//!     let back = stream.clone_dtoh(&weights)?; // cudarc's own method takes the tracked slice
//!     Ok(back[0])
//! }
//!
//! let stream = memprof_cuda::context(0)?.default_stream().tracked();
//! upload(&stream)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Three ways to be measured
//!
//! * [`TrackedStream`] and its slices: your own cudarc code. Nothing but cudarc is needed.
//! * [`resource`]: for those who write allocators, resources and adaptors to put together.
//! * [`intercept()`]: every allocation that the driver performs for anybody in the process, other libraries included.
//!   While it is on, the first two leave the driver's memory to it, so that nothing is counted twice; a resource's own named
//!   spaces go on beside it.
//!
//! # What is measured
//!
//! | memory | from | space |
//! |---|---|---|
//! | device | `alloc`, `alloc_zeros`, `clone_htod`, `clone_dtod`, `null`, `try_clone`, `clone` | `cuda:N` |
//! | device, from a memory pool of yours | [`alloc_from_pool`](TrackedStream::alloc_from_pool) | `cuda:N` |
//! | device, mapped | [`map`](TrackedStream::map) | `cuda:N` |
//! | host, pinned | [`pinned`](TrackedStream::pinned), [`alloc_pinned`](TrackedContext::alloc_pinned) | `pinned` |
//! | managed | [`managed`](TrackedStream::managed), [`alloc_unified`](TrackedContext::alloc_unified) | `managed` |
//!
//! Bytes are those requested, at the moment of the call; that the driver's pool takes more from the device, or gives
//! it back later, stands in the snapshot's line of the device: what its driver says is in use and in reserve, and
//! what of it nobody accounts for. Where the driver cannot be asked any more, as at the exit of most programs, these
//! are the last known values, and what was unattributed is so by what was attributed then. Each snapshot asks, and so
//! each report of `MEMPROF_INTERVAL`; so do the end of interception, the drop of what is tracked and holds a context
//! last, and tracked allocations and frees, every 10 ms at most.
//!
//! When memory runs out, stderr says who holds it, once; [`on_out_of_memory`] lets the program act instead.
//!
//! # What is not
//!
//! * External memory that is imported ([`CudaContext::import_external_memory`]): it is somebody else's.
//! * What a captured graph allocates when it is launched, contexts, modules, a kernel's own heap: the driver's.
//! * A slice that its context is destroyed under stays on the books until it is dropped; if its memory is a pool's, as cudarc's
//!   is where the device has pools, for good: the driver keeps such memory, and nobody can free it through that slice.
//! * What a memory pool of the program's own holds in reserve, unless it is the device's current one, a tracked slice out
//!   of it is alive, or it was made while interception is on: no other pool is known to be there.
//!
//! Of these, [interception](intercept()) sees what the driver does on a call; the rest is the device's *unattributed*
//! bytes.
//!
//! # Requirements
//!
//! To build: no CUDA toolkit; this crate chooses neither a CUDA version nor how cudarc finds the driver, so your own
//! choice of cudarc's features stands. To run: NVIDIA's driver. Without one, [`context`] says so in an [`Error`], where
//! cudarc panics.
//!
//! # How it is built
//!
//! In layers, as `mod` declares them below: a module names only its own layer and those before it, in a folder only what its
//! `mod.rs` declares before it, and methods stand in the layer of their type.
//!
//! | layer | what |
//! |---|---|
//! | `error`, `scatter`, `spaces` | the one error; how tables find an address; spaces of devices |
//! | `pools` | the memory pools that are there for certain |
//! | `driver` | finding the driver's library and what it lacks |
//! | `waiting` | errors that wait in a context for the program |
//! | `relaxed`, `captures`, `ending` | asking so that no capture is disturbed; which streams are captured; that the process has begun to end |
//! | `events` | who records a call: a wrapper or interception |
//! | `asking` | whether the driver may be asked on memprof's own account |
//! | `reconcile` | asking the driver what a device has in use |
//! | `oom` | when memory runs out |
//! | `intercept` | every call of the driver, whoever makes it |
//! | `start` | a context, and interception where the environment asks for it |
//! | `resource`, `tracked` | what programs allocate through; neither names the other |
//!
//! [`CudaContext::import_external_memory`]: cudarc::driver::CudaContext::import_external_memory

mod error;
mod scatter;
mod spaces;

mod pools;

mod driver;

mod relaxed;
mod waiting;

mod captures;
mod ending;

mod events;

mod asking;

mod reconcile;

mod oom;

mod intercept;

mod start;

pub mod resource;
mod tracked;

pub use error::Error;
pub use intercept::{Intercepted, intercept, intercept_with};
pub use oom::{Action, OutOfMemory, Owner, on_out_of_memory};
pub use start::context;
pub use tracked::{
    TrackedContext, TrackedExt, TrackedMapping, TrackedPinnedSlice, TrackedSlice, TrackedStream, TrackedUnifiedSlice,
};
