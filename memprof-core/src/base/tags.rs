//! Whether host blocks carry a tag in this process.
//!
//! The first allocation of the process decides it from the environment, once for all blocks: nobody has to guess later
//! whether there is a tag in front of a block. What a tag says is left to `lanes/tag`.
//!
//! ```text
//! undecided ──── first allocation, MEMPROF=1 ───────► with tags       for the life of the process
//!           └─── first allocation, anything else ───► without tags    likewise
//! Alloc::system().always() asks nobody: with tags
//! ```

use core::sync::atomic::{AtomicBool, AtomicI8, Ordering};

use crate::base::platform;

/// The sign of [`Tags`]. Two threads that decide at the same moment read the same environment, and decide
/// the same.
static TAGS: AtomicI8 = AtomicI8::new(0);
/// Whether an allocator that writes tags was met.
static MET: AtomicBool = AtomicBool::new(false);

/// Whether blocks carry tags: negative, zero while that is to be decided, or positive, so that each allocation and free
/// compares once.
#[derive(Clone, Copy)]
pub(crate) struct Tags(i8);

impl Tags {
    /// Blocks are upstream's own; the host is not measured.
    pub(crate) const WITHOUT: Self = Self(-1);
    /// Each block lies behind its tag.
    pub(crate) const WITH: Self = Self(1);

    /// Decided: they do.
    #[inline(always)]
    pub(crate) fn are_written(self) -> bool {
        self.0 > 0
    }

    /// Decided: they do not.
    #[inline(always)]
    pub(crate) fn are_left_out(self) -> bool {
        self.0 < 0
    }
}

/// Whether host blocks carry a tag, of allocators that do not always write one.
#[inline(always)]
pub(crate) fn tags() -> Tags {
    Tags(TAGS.load(Ordering::Relaxed))
}

/// Notes that an allocator that writes tags is in the program. Reached by any block that is not recorded while
/// memprof is on.
pub(crate) fn note_met() {
    MET.store(true, Ordering::Relaxed);
}

/// Whether blocks of this program carry tags: by the environment, or always.
pub(crate) fn are_met() -> bool {
    tags().are_written() || MET.load(Ordering::Relaxed)
}

/// Decides it, the same each time. Asked by the first allocation, so this must not allocate.
#[cold]
pub(crate) fn decide() -> bool {
    let with = cfg!(feature = "runtime") && platform::with_variable(c"MEMPROF", |value| says_on(value) == Some(true));
    TAGS.store(if with { Tags::WITH } else { Tags::WITHOUT }.0, Ordering::Relaxed);
    with
}

/// What a value of `MEMPROF` says; `None` if it is not one of those that are accepted. Does not allocate.
pub(crate) fn says_on(value: &str) -> Option<bool> {
    let is_one_of = |words: [&str; 3]| words.iter().any(|word| value.trim().eq_ignore_ascii_case(word));
    if is_one_of(["1", "true", "on"]) {
        return Some(true);
    }
    is_one_of(["0", "false", "off"]).then_some(false)
}
