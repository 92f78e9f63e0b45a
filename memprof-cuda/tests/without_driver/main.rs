//! On a machine without a driver, in a process that loads no simulator and no library in the place of one.

mod context;
mod interception;
