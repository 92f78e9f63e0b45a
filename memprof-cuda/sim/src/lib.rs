//! A CUDA driver and CUPTI without a GPU, for memprof's own tests and examples.
//!
//! The crate is two things. As a shared library it *is* the driver: `libmemprof_cuda_sim.so` exports the `cu*` functions that cudarc looks
//! up and the `cupti*` functions that interception needs. As a Rust library it finds that file and loads it, so that cudarc meets it:
//!
//! ```
//! let driver = memprof_cuda_sim::load()?; // before the first call of cudarc
//! if let Some(sim) = driver.simulator() {
//!     sim.set_memory_limit(64 << 20);
//!     assert_eq!(sim.live().devices[0].bytes, 0);
//! }
//! # Ok::<(), memprof_cuda_sim::LoadError>(())
//! ```
//!
//! # What is simulated
//!
//! Devices, contexts, streams, events, stream capture and graphs of memory, copies and fills, device, pooled, managed, pinned and registered memory, memory pools with their reserve and threshold,
//! virtual memory management, arrays (as memory), IPC handles and imported memory (as memory), modules, and kernels: host functions that a
//! test registers by name ([`Sim::register_kernel`]).
//!
//! * A device's memory is host memory. Fresh bytes are `0xCD`, freed ones `0xDD` (blocks above 2 MiB only at their two ends).
//! * Copies and fills are bounds-checked: an address in freed or foreign memory, or past a block's end, is `CUDA_ERROR_INVALID_VALUE`.
//! * A freed address is the next one given out for as many bytes. A device's limit is held to the byte; what pools reserve counts.
//! * No context: `CUDA_ERROR_INVALID_CONTEXT`. A double or foreign free: `CUDA_ERROR_INVALID_VALUE`. A device that is not there:
//!   `CUDA_ERROR_INVALID_DEVICE`. More than there is: `CUDA_ERROR_OUT_OF_MEMORY`.
//! * Zero bytes: `cuMemAlloc` refuses; `cuMemAllocAsync` gives the address 0, which every free accepts.
//! * A context that is destroyed, reset or released for the last time takes its memory, streams, events and modules along; not what pools and
//!   `cuMemCreate` gave, which belong to no context. A reset releases nothing: the primary context stays retained as often as it was.
//! * A capture prohibits others' potentially unsafe calls as `cuThreadExchangeStreamCaptureMode` is documented, and one made all the same
//!   invalidates it. Memory that a graph allocates is taken at each launch.
//! * When the process ends, contexts are shown as going, and the driver answers no more.
//! * CUPTI shows its subscribers, several if each allows others, the driver calls that concern memory and contexts, on the calling thread.
//!
//! # What is not
//!
//! Time: all work is done when it is asked for, and a stream-ordered free frees at once. Kernels and host functions in graphs, capture of
//! default streams, copies of arrays and
//! of two or three dimensions, textures, multi-process anything, `cuGetProcAddress`, peer access, and that managed memory takes a device's.
//! Physical memory shows its bytes only where it is mapped. A function that is not simulated returns `CUDA_ERROR_NOT_SUPPORTED` and says
//! its name on stderr, once.
//!
//! # Environment
//!
//! Read when the library is loaded; a value that is none of those accepted is an error of [`load`] that says which are, and of `cuInit` where
//! the library is loaded without it: `CUDA_SIM_DEVICES` (1), `CUDA_SIM_MEM` (bytes of each device, 256 MiB), `CUDA_SIM_POOLS` (1; 0: devices
//! without memory pools), `CUDA_SIM_LOG` (0; 1: every call and its result on stderr), `CUDA_SIM_LIBRARY` (where the library is).
//!
//! # How it is built
//!
//! In layers, as `mod` declares them below: a module names only its own layer and those before it, in a folder only what its `mod.rs` declares
//! before it, and methods stand in the layer of their type.
//!
//! | layer | what |
//! |---|---|
//! | `base` | settings, the types of the C border, what is said on stderr |
//! | `model` | what the driver knows and does: no pointer, no exported function |
//! | `cupti` | the callback side of CUPTI |
//! | `driver` | the exported functions, by chapter of NVIDIA's manual |
//! | `handle` | what a test loads and steers |

mod base;
mod model;

mod cupti;

mod driver;

mod handle;

pub use base::error::LoadError;
pub use handle::load::{Driver, load, load_simulator};
pub use handle::sim::{Block, BlockKind, BlockSpace, Live, Sim};
pub use model::books::Usage;
pub use model::kernel::{Dimensions, Kernel, buffer, parameter};
