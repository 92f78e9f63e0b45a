//! What holds in a program whose allocator is memprof's, on the host and in named spaces. One process, in which the tests take turns
//! (`common::alone`): what needs one of its own, or another allocator, is in the files beside this folder.

#[path = "../common/mod.rs"]
mod common;

mod ambient;
mod captured_futures;
mod contexts;
mod kept;
mod rayon;
mod snapshots;
mod switching;
mod tokio;
mod under_contexts;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();
