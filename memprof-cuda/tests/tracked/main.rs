//! Tracked allocations, on the simulator or the machine's own driver. One process, in which the tests take turns: what
//! stands in a space's books is everybody's.

mod allocations;
mod driver;
mod failures;
mod gone;
mod intercepted;
mod out_of_memory;
mod passed_on;
mod processes;
mod support;
