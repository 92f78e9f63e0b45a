//! Plain cudarc code, of which memprof-cuda knows nothing, attributed by function.
//!
//! `MEMPROF=1 cargo run --example intercept`: the report comes at the end, on stderr. The functions below name the
//! scope that they are; nothing else in them is memprof's. Where there is no GPU, the simulator stands in for it, and
//! says so.

#![expect(clippy::print_stdout, reason = "a program that says what it does")]

use std::error::Error;
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaSlice, CudaStream, DriverError};
use memprof_core::{Scope, Site};

fn main() -> Result<(), Box<dyn Error>> {
    memprof_cuda_sim::load()?;
    let _guard = memprof_cuda::intercept()?;
    let context = memprof_cuda::context(0)?;
    let stream = context.default_stream();
    let weights = load_weights(&stream)?;
    for batch in 0..3 {
        let sum = train_step(&stream, &weights)?;
        println!("batch {batch}: {sum}");
    }
    let sample = stage(&context)?;
    println!("staged {sample} numbers");
    Ok(())
}

/// What stays: one slice for each of four layers.
fn load_weights(stream: &Arc<CudaStream>) -> Result<Vec<CudaSlice<f32>>, DriverError> {
    let _scope = Scope::enter(Site::named("load_weights"));
    [0.25, 0.5, 1.0, 2.0].iter().map(|weight| stream.clone_htod(&vec![*weight; 65_536])).collect()
}

/// What comes and goes: the activations of each layer, of which two are alive at once.
fn train_step(stream: &Arc<CudaStream>, weights: &[CudaSlice<f32>]) -> Result<f32, DriverError> {
    let _scope = Scope::enter(Site::named("train_step"));
    let mut activations = stream.clone_htod(&vec![0.5_f32; 65_536])?;
    for layer in weights {
        activations = forward(stream, layer, &activations)?;
    }
    Ok(stream.clone_dtoh(&activations)?.iter().sum())
}

fn forward(
    stream: &Arc<CudaStream>,
    layer: &CudaSlice<f32>,
    before: &CudaSlice<f32>,
) -> Result<CudaSlice<f32>, DriverError> {
    let _scope = Scope::enter(Site::named("forward"));
    let workspace = stream.alloc_zeros::<u8>(layer.num_bytes() / 4)?;
    let after = stream.clone_dtod(before)?;
    drop(workspace);
    Ok(after)
}

/// Pinned host memory, through which data would be streamed.
fn stage(context: &Arc<CudaContext>) -> Result<usize, DriverError> {
    let _scope = Scope::enter(Site::named("stage"));
    let host = pinned(context, 1 << 16)?;
    Ok(host.len())
}

#[expect(unsafe_code, reason = "cudarc leaves it to the caller that pinned memory is set before it is read")]
fn pinned(context: &Arc<CudaContext>, numbers: usize) -> Result<cudarc::driver::PinnedHostSlice<f32>, DriverError> {
    // SAFETY: nobody reads it.
    unsafe { context.alloc_pinned::<f32>(numbers) }
}
