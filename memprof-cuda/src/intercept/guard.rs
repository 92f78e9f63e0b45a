//! How a program has it installed.
//!
//! What is counted, where, and what is not, is said once, at [`intercept`]. A guard ends what it began and nothing
//! else: not what the environment installed, and nothing in a process that was forked. Subscribing is left to
//! [`subscription`], looking for CUPTI to [`library`].

use std::path::Path;
use std::process;

use memprof_core::__allocator::{blind, print_line};

use super::library::{self, Place};
use super::subscription;
use crate::error::Error;

/// Interception, for as long as this lives. See [`intercept`].
#[must_use = "interception ends when this is dropped: bind it to a name"]
#[derive(Debug)]
pub struct Intercepted {
    /// `false`: the environment installed it, for the life of the process.
    ends: bool,
    /// Where it was installed: CUPTI, like the driver, is not to be called in a process that was forked from there.
    process: u32,
}

/// Records every allocation and free that the CUDA driver performs for anyone in the process, until the guard is
/// dropped: for candle, burn, cuBLAS, for cudarc without one type of memprof's.
///
/// ```no_run
/// let _guard = memprof_cuda::intercept()?;
/// // Whatever allocates CUDA memory from here on is attributed to the scope in which it does.
/// # Ok::<(), memprof_cuda::Error>(())
/// ```
///
/// Each call is charged where it happens: to the innermost scope of the thread that makes it. The tracked types and
/// [`Tracked`](crate::resource::Tracked) resources of this crate record nothing meanwhile in the spaces below, so that
/// nothing is counted twice; a resource's other spaces are its own to record, intercepted or not. A block that they allocated
/// before or under interception goes off the books when it is freed, under it or after it, and a call of theirs that is
/// under way when interception begins or ends is recorded once. For that last call's sake the subscription to CUPTI may
/// outlive the guard by as much.
///
/// # What is counted, and where
///
/// | memory | space | bytes |
/// |---|---|---|
/// | `cuMemAlloc`, `cuMemAllocPitch`, `cuMemAllocAsync`, `cuMemAllocFromPoolAsync` | the device's, `cuda:N` | as requested; of a pitched block, width times height |
/// | arrays and mipmapped arrays | `cuda:N` | of their elements, all levels; 0 for sparse ones |
/// | `cuMemCreate` | where its properties say: `cuda:N`, or `pinned` for the host's | as requested, once, however often it is mapped |
/// | `cuMemAllocManaged` | `managed` | as requested |
/// | `cuMemHostAlloc`, `cuMemAllocHost`, pools of host memory | `pinned` | as requested |
/// | `cuIpcOpenMemHandle` | `cuda:N`, of the current context | 0: they are the exporting process's, and in its numbers |
///
/// No bytes for which the driver gives the null pointer are no block: nothing tells the free of one from the free of
/// another, or of none. Where a tracked type or resource of this crate asked for them they are, as they record it
/// themselves. A block is freed by address, through whichever function. Physical memory of `cuMemCreate` is freed when its
/// last handle is released and its last mapping is gone. Another process's memory is one block, from when it is first
/// opened until it is closed as often as it was opened. A context that is destroyed, a primary one that is reset or
/// released for the last time, frees what was allocated or opened in it, but for physical memory and that of pools, which belong
/// to no context and stay until they are freed, and for what the tracked types allocated before interception began, which is freed when they are dropped. A
/// free is recorded before the driver's call and taken back if the driver refuses; a free of an address that nobody knows
/// is counted in `unknown_frees` once the driver has done it. An allocation that fails is counted in `failed`.
///
/// Not counted, and therefore part of what a report calls unattributed: contexts, modules, printf and device heaps,
/// local memory; memory that graphs allocate, by their nodes or where a stream is captured (on a stream that another one's event
/// has drawn into a capture, it counts from then until it is freed); imported memory of another process or interface (pool
/// pointers, shareable handles, mapped external memory; a shareable handle that is the creator's own holds its memory once
/// more; one that holds memory alone, after this process has released it, holds it unseen, in the device's unattributed bytes until
/// it is closed); multicast objects; `cuMemHostRegister`, which allocates nothing. Blocks that were allocated
/// before interception began, by others than this crate's tracked types and resources, are unknown; blocks that others free
/// after it ended stay in the books until the end, or until their address is allocated again (`missed_frees`), and opened
/// memory until its context ends.
///
/// A callback does not ask the driver what a device has in use. Snapshots do, `MEMPROF_INTERVAL` with them, the guard when it is
/// dropped, and the process as it begins to end: where no context is left by then, the report at exit says of the device what
/// is attributed, and that the rest is not known. Whatever is asked disturbs no stream's capture into a graph, and on a thread that has begun
/// one nothing is asked until it ends: a snapshot there has the last known values. What the process's end
/// releases is not freed: what is live when the process begins to end is live in the report. In a process that was forked no
/// driver is asked. A context whose device neither a call nor CUPTI has named has the
/// space `cuda:?`. An asynchronous block is of its stream's device, whichever context is current, or where its pool is, which the
/// driver is asked once if the pool was not seen to be made; but a stream that was
/// made before interception began is taken for one of the current context, as it nearly always is.
///
/// # Which CUPTI
///
/// The first of these that works with the driver: the one that the process has loaded, that of `CUDA_HOME` or
/// `CUDA_PATH`, what the loader finds as `libcupti.so`, those of `/usr/local/cuda` and `/opt/cuda`, and those of the
/// Python packages in `PYTHONPATH`, `VIRTUAL_ENV`, `CONDA_PREFIX`, `~/.local` and `/usr/local`
/// (`pip install nvidia-cuda-cupti`). To name one: [`intercept_with`]. CUDA 11.3 or later; no privilege is needed. With
/// `MEMPROF=1 MEMPROF_CUDA=intercept` it installs itself, for the life of the process, when the first context is created
/// through this crate ([`context`](crate::context)), or the first stream, context or resource is tracked
/// ([`TrackedExt`](crate::TrackedExt), [`Tracked`](crate::resource::Tracked)); a guard from here then ends nothing.
///
/// # Cost
///
/// A callback of CUPTI before and after each call that allocates or frees, with a few look-ups in tables, and nothing
/// for any other call of the driver: on the simulator, whose own callbacks are in it, 0.35 µs for an allocation and its
/// free, and 0.66 µs with eight threads on two processors (`cargo bench -p memprof-cuda --bench events`; 0.3 to 1.5 µs
/// while the machine had other work). A context that is destroyed costs a walk over all live blocks.
///
/// # Errors
///
/// No CUDA driver ([`is_no_driver`](Error::is_no_driver)), no CUPTI library (where it was searched), another tool
/// subscribed to CUPTI already (before CUDA 13.3 there is one subscriber a process: Nsight Systems, Nsight Compute,
/// the profiler of `PyTorch`, compute-sanitizer ..), a CUPTI that does not fit the driver or is too old, interception
/// already active: which of these, and what to do.
pub fn intercept() -> Result<Intercepted, Error> {
    subscription::begin(library::places, false).map(Intercepted::new)
}

/// [`intercept`], with the CUPTI library in this file, and no other.
///
/// # Errors
///
/// Those of [`intercept`]; the file cannot be loaded, or is no CUPTI library.
pub fn intercept_with(library: impl AsRef<Path>) -> Result<Intercepted, Error> {
    let places = || vec![Place::File(library.as_ref().to_owned())];
    subscription::begin(places, false).map(Intercepted::new)
}

/// What `MEMPROF=1 MEMPROF_CUDA=intercept` asks for: interception for the life of the process. If it cannot be
/// had, one line on stderr says why, and the program runs on.
pub(crate) fn install_from_environment() {
    let _blind = blind();
    if let Err(error) = subscription::begin(library::places, true) {
        print_line(&format!("memprof: MEMPROF_CUDA=intercept: {error}"));
    }
}

impl Intercepted {
    fn new(ends: bool) -> Self {
        Self { ends, process: process::id() }
    }
}

impl Drop for Intercepted {
    fn drop(&mut self) {
        if self.ends && self.process == process::id() {
            subscription::leave();
        }
    }
}
