//! The endpoint of a running program (`MEMPROF_HTTP`): what it answers, to whom, and that nobody harms the program by it.
//!
//! The test binary starts itself again as the program that answers: see `program`.
#![cfg(target_os = "linux")]

#[path = "live/answers.rs"]
mod answers;
#[path = "live/hostile.rs"]
mod hostile;
#[path = "live/places.rs"]
mod places;
#[path = "live/program.rs"]
mod program;
#[path = "live/staying.rs"]
mod staying;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();
