//! The functions that a program calls, by chapter of NVIDIA's manual. Each reads its arguments, has the model do the work, and writes the
//! result. All pass through the [`gate`].

pub(crate) mod gate;

mod arrays;
mod contexts;
mod copies;
mod devices;
mod errors;
mod external;
mod graphs;
mod kernels;
mod mappings;
mod memory;
mod pools;
mod streams;
mod unsupported;
