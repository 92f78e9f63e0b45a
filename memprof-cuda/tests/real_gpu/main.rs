//! What only a GPU can show: that NVIDIA's driver and CUPTI behave as memprof-cuda takes them to. `scripts/gpu-check`
//! carries these to a machine with a GPU and makes one table of what they say.
//!
//! Each check states exact bytes, says what it saw on a line of its own, and runs on the simulator too as far as that
//! goes, so that the checks themselves are checked. Where there is only the simulator each says so: *skipped: no GPU*.
//! `scripts/gpu-check` runs each in a process of its own.

mod ground;

mod beliefs;
mod captures;
mod cost;
mod driver_calls;
mod ends;
mod libraries;
mod memory;
mod prohibited;
mod sharing;
