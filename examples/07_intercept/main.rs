//! Somebody else's CUDA code, by function: one line intercepts every allocation that the driver performs.
//!
//! ```text
//! cargo run --release -p example-intercept              # prints what it computed
//! MEMPROF=1 cargo run --release -p example-intercept    # and, at exit, the memory report on stderr
//! ```
//!
//! Below `main` there is plain cudarc: no type of memprof, and no stream that is `tracked()`. A library in the process that
//! allocates through the driver would be seen the same way. A GPU needs CUPTI, which comes with CUDA; where there is no
//! GPU, the simulator of this repository stands in for both, and says so.
//!
//! Look for: in `cuda:0`, `train` peaks with the 1 MiB of `load_weights` and one `train_step` side by side; `forward` needs
//! a layer's activations and their workspace above what it was given. `upload` stands in `pinned` too. What the
//! device uses is what the driver said when interception ended.

use std::error::Error;
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaSlice, CudaStream, DriverError};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

fn main() -> Result<(), Box<dyn Error>> {
    memprof_cuda_sim::load()?;
    let context = CudaContext::new(0)?;
    // Dropped first: its end asks the driver, so the report at exit knows what the device had in use.
    let _guard = memprof::cuda::intercept()?;
    train(&context)?;
    Ok(())
}

#[memprof::track]
#[expect(clippy::print_stdout, reason = "what the program is for")]
fn train(context: &Arc<CudaContext>) -> Result<(), DriverError> {
    let stream = context.default_stream();
    let weights = load_weights(&stream)?;
    for batch in 0..3_u8 {
        let sum = train_step(&stream, &weights, f32::from(batch))?;
        println!("batch {batch}: {sum}");
    }
    Ok(())
}

/// What stays: 256 KiB for each of four layers.
#[memprof::track]
fn load_weights(stream: &Arc<CudaStream>) -> Result<Vec<CudaSlice<f32>>, DriverError> {
    [0.25, 0.5, 1.0, 2.0].iter().map(|weight| stream.clone_htod(&vec![*weight; 65_536])).collect()
}

/// What comes and goes: the activations of each layer, of which two are alive at once.
#[memprof::track]
fn train_step(stream: &Arc<CudaStream>, weights: &[CudaSlice<f32>], input: f32) -> Result<f32, DriverError> {
    let mut activations = upload(stream, input)?;
    for layer in weights {
        activations = forward(stream, layer, &activations)?;
    }
    Ok(stream.clone_dtoh(&activations)?.iter().sum())
}

/// By way of pinned host memory, as a loader of data would.
#[memprof::track]
#[expect(unsafe_code, reason = "cudarc leaves it to the caller that pinned memory is set before it is read")]
fn upload(stream: &Arc<CudaStream>, input: f32) -> Result<CudaSlice<f32>, DriverError> {
    // SAFETY: set on the next line.
    let mut batch = unsafe { stream.context().alloc_pinned::<f32>(65_536) }?;
    batch.as_mut_slice()?.fill(input);
    stream.clone_htod(&batch)
}

/// Takes as much memory as a layer's forward pass would, and computes nothing.
#[memprof::track]
fn forward(
    stream: &Arc<CudaStream>,
    layer: &CudaSlice<f32>,
    before: &CudaSlice<f32>,
) -> Result<CudaSlice<f32>, DriverError> {
    let _workspace = stream.alloc_zeros::<u8>(layer.num_bytes() / 4)?;
    stream.clone_dtod(before)
}
