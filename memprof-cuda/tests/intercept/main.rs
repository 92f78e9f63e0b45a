//! Interception on the simulator, and what works beside it: the tests that leave nothing behind by which another one could tell that it ran. One
//! process, in which they take turns (`ground::alone`): there is one interception, and one driver. The files beside this folder are each a
//! process of its own: what they leave, or must not find, is the process's.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

#[path = "../intercept_ground/mod.rs"]
mod ground;

mod asking;
mod broken_libraries;
mod environment;
mod exit;
mod graphs;
mod in_flight;
mod missing_functions;
mod out_of_memory;
mod out_of_memory_allocations;
mod pools;
mod primaries;
mod resources;
mod waiting;
