//! Interception in a program whose allocator is memprof's, so that `host` is counted beside the device: what memprof takes itself must be in no
//! number.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

#[path = "../intercept_ground/mod.rs"]
mod ground;

mod calls;
mod ipc;

#[global_allocator]
static ALLOC: memprof_core::Alloc = memprof_core::Alloc::system().always();
