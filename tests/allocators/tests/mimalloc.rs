//! mimalloc as upstream.
#![expect(unsafe_code, reason = "blocks of exact sizes come from the allocator itself")]

#[path = "../../common/mod.rs"]
mod common;
#[path = "../../common/upstream.rs"]
mod upstream;

#[global_allocator]
static ALLOC: memprof::Alloc<mimalloc::MiMalloc> = memprof::Alloc::new(mimalloc::MiMalloc).always();
