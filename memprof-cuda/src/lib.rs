//! CUDA memory for [memprof](https://docs.rs/memprof): which function holds the GPU's memory.

pub mod resource;

mod driver;
mod error;
mod events;
mod intercept;
mod tracked;

pub use error::Error;
pub use intercept::{Intercepted, intercept, intercept_with};
