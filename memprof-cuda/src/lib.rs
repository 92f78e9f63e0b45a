//! CUDA memory for [memprof](https://docs.rs/memprof): which function holds the GPU's memory.

pub mod intercept;
pub mod resource;

mod driver;
mod error;
mod events;
mod oom;
mod tracked;

pub use error::Error;
pub use oom::{Action, OutOfMemory, Owner, on_out_of_memory};
