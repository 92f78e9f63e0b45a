//! CUDA memory for [memprof](https://docs.rs/memprof): which function holds the GPU's memory.

pub mod intercept;
pub mod resource;

mod driver;
mod error;
mod events;
mod tracked;

pub use error::Error;
