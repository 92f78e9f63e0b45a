//! When the GPU is out of memory: stderr says who holds it, and the program may free some and go on.
//!
//! ```text
//! MEMPROF=1 cargo run --release -p example-out-of-memory
//! ```
//!
//! A model and a cache leave a quarter of what is free, and `attention` wants more. The first time nobody helps: the
//! allocation fails, and stderr says at once how much is free, who holds how much, and who wanted more; the error's text
//! says the same. Then the program says with `on_out_of_memory` what it can do without: blocks of the cache go, one at a
//! time, until the allocation succeeds. Without `MEMPROF=1` the second half works just as well; nobody is named then.
//!
//! All is in sixteenths of what is free: on a GPU gigabytes, on the simulator that stands in for it 4 MiB each.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memprof::cuda::{self, Action, TrackedExt as _, TrackedSlice, TrackedStream, on_out_of_memory};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

type Block = TrackedSlice<u8>;

#[expect(clippy::print_stdout, reason = "what the program is for")]
fn main() -> Result<(), Box<dyn Error>> {
    if let Some(simulator) = memprof_cuda_sim::load()?.simulator() {
        simulator.set_memory_limit(64 << 20);
    }
    let context = cuda::context(0)?;
    let stream = context.default_stream().tracked();
    let sixteenth = context.mem_get_info()?.0 / 16;

    let _model = load_model(&stream, 4 * sixteenth)?;
    let cache = Arc::new(Mutex::new(fill_cache(&stream, sixteenth)?));

    match attention(&stream, 6 * sixteenth) {
        Err(error) if error.is_out_of_memory() => println!("attention: out of memory"),
        Err(error) => return Err(error.into()),
        Ok(bytes) => return Err(format!("there was room for {bytes} bytes").into()),
    }

    // Weak: the callback stays for ever, and the cache is not to stay with it.
    let spilled = Arc::downgrade(&cache);
    on_out_of_memory(move |problem| {
        let Some(block) = spilled.upgrade().and_then(|cache| lock(&cache).pop()) else { return Action::GiveUp };
        println!(
            "{} bytes of {} are wanted: {} bytes of the cache go",
            problem.bytes,
            problem.space,
            block.num_bytes()
        );
        drop(block);
        Action::Retry
    });
    println!("attention: {} bytes", attention(&stream, 6 * sixteenth)?);
    println!("blocks left in the cache: {}", lock(&cache).len());
    Ok(())
}

fn lock(cache: &Mutex<Vec<Block>>) -> MutexGuard<'_, Vec<Block>> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

#[memprof::track]
fn load_model(stream: &TrackedStream, bytes: usize) -> Result<Block, cuda::Error> {
    stream.alloc_zeros(bytes)
}

/// Half of what is free.
#[memprof::track]
fn fill_cache(stream: &TrackedStream, bytes: usize) -> Result<Vec<Block>, cuda::Error> {
    (0..8).map(|_| stream.alloc_zeros(bytes)).collect()
}

#[memprof::track]
fn attention(stream: &TrackedStream, bytes: usize) -> Result<usize, cuda::Error> {
    let scores: Block = stream.alloc_zeros(bytes)?;
    Ok(scores.num_bytes())
}
