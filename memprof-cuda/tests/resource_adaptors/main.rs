//! What each device resource adds, beyond what all must do (`resource_conformance`). RMM's tests for each, restated.

#![expect(unsafe_code, reason = "device memory")]

#[path = "../resource/mod.rs"]
mod resource;

mod aligned;
mod buffer;
mod failure_callback;
mod late;
mod limiting;
mod logging;
mod tracked;

/// So that `host` is counted: what memprof takes itself must be in no number of it.
#[global_allocator]
static ALLOC: memprof_core::Alloc = memprof_core::Alloc::system().always();

/// What a test gives.
type Outcome = Result<(), Box<dyn std::error::Error>>;
