//! CUDA memory for memprof.
//!
//! This crate records nothing yet: it holds the name and its place in the workspace. Until it does,
//! report device memory through `memprof::record_alloc` and `memprof::record_free` with
//! `memprof::Space::device(ordinal)`; the recorder counts every space alike.
