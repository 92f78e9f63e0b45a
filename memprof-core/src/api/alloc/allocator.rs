//! The allocator that a program names, and whether its blocks carry tags.
//!
//! That is decided once a process, at the first allocation ([`base::tags`](crate::base::tags)), and never again: a
//! block that was given without a tag must not be looked at as one with. `always` decides it in the source.

use std::{alloc::System, ops::Deref};

use crate::base::tags::{self, Tags};

/// A global allocator that reports every block to memprof and leaves the allocating to `A`.
///
/// ```
/// # use memprof_core as memprof;
/// #[global_allocator]
/// static ALLOC: memprof::Alloc = memprof::Alloc::system();
/// # fn main() {}
/// ```
///
/// When the process starts with `MEMPROF=1`, or with [`always`](Self::always), each block carries a *tag*, 8 bytes in
/// front of it (its alignment, for a block aligned to more than 8): who owns it, and on which lane it was allocated.
/// Otherwise the process allocates exactly as `A` does, at the cost of one load and one branch, and the space `host`
/// is not measured. An event costs 1 to 2 ns, takes no lock and writes nothing that another thread writes.
///
/// Bytes are those requested. A failure of `A` is counted and handed on.
///
/// # With tags on
///
/// Addresses handed out are not those that `A` gave, as they are behind the tag. So `malloc_usable_size`, C's `free`,
/// or a `from_raw` of another allocator's block is wrong on them (as it is for any global allocator), and cdylibs with
/// allocators of their own must not exchange owned memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alloc<A = System> {
    pub(super) inner: A,
    pub(super) always: bool,
}

impl Alloc {
    /// Over the system's allocator.
    #[must_use]
    pub const fn system() -> Self {
        Self::new(System)
    }
}

impl<A> Alloc<A> {
    /// Over any other allocator.
    #[must_use]
    pub const fn new(inner: A) -> Self {
        Self { inner, always: false }
    }

    /// Tags blocks whatever the environment says, so that [`enable`](crate::enable) measures `host` at any moment.
    /// For tests that assert on host memory, and for programs that measure in production by a switch of their own.
    #[must_use]
    pub const fn always(mut self) -> Self {
        self.always = true;
        self
    }

    #[inline(always)]
    pub(super) fn tags(&self) -> Tags {
        match self.always {
            _ if !cfg!(feature = "runtime") => Tags::WITHOUT,
            true => Tags::WITH,
            false => tags::tags(),
        }
    }
}

/// What the allocator underneath can do besides: `ALLOC.set_limit(..)` of one that has such a method. One that takes a block's
/// address (`usable_size`, `dealloc`) must not be given those that this allocator handed out, which are behind its tag.
impl<A> Deref for Alloc<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.inner
    }
}
