//! `#[limit]`: an activation is judged by its own numbers, to the byte, whatever other tests do at the same time.

#[path = "limits/asynchronous.rs"]
mod asynchronous;
#[path = "limits/exact.rs"]
mod exact;
#[path = "limits/outside.rs"]
mod outside;
#[path = "limits/support.rs"]
mod support;
#[path = "limits/text.rs"]
mod text;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();
