//! The simulator as a driver, called as cudarc and others call it. One process, in which the tests take turns (`common::alone`): they share its
//! ledger.

mod common;

mod bad_calls;
mod cupti;
mod devices;
mod pools;
mod settings;
mod threads;
mod tour;
mod virtual_memory;
