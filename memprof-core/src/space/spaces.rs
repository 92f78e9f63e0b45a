//! Spaces: where a block lives.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::LazyLock;

use crate::base::blind;
use crate::base::lock::{Lock, Locked};

/// Spaces that one process records under their own names.
const MOST_NAMED: usize = 32;
/// Those, and the one that all further names share.
pub(crate) const MOST_SPACES: usize = MOST_NAMED + 1;

/// Where a block of memory lives: the host's heap, pinned or managed memory, a CUDA device, or anything that a
/// program names.
///
/// Spaces are compared and copied for free. One process records 32 of them; every further name is the one space
/// `other`, and the report says so.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Space(u8);

static NAMES: LazyLock<Lock<Vec<&'static str>>> = LazyLock::new(|| Lock::new(vec!["host", "pinned", "managed"]));

/// Where spaces past the limit are recorded.
const OTHER: &str = "other";
static LIMIT_REACHED: AtomicBool = AtomicBool::new(false);

fn names() -> Locked<'static, Vec<&'static str>> {
    NAMES.lock()
}

impl Space {
    /// Blocks of the program's global allocator, [`Alloc`](crate::Alloc).
    pub const HOST: Self = Self(0);
    /// Host memory that a device reaches by DMA (page-locked).
    pub const PINNED: Self = Self(1);
    /// Memory that the CUDA driver moves between host and devices (unified).
    pub const MANAGED: Self = Self(2);

    /// The memory of the CUDA device with this ordinal, `cuda:N`.
    ///
    /// ```
    /// assert_eq!(memprof_core::Space::device(1).name(), "cuda:1");
    /// ```
    pub fn device(ordinal: u32) -> Self {
        let _blind = blind::enter();
        Self::named(&format!("cuda:{ordinal}"))
    }

    /// The space with this name, the same one for the same name. Costs a lock and a look-up; keep the result.
    pub fn named(name: &str) -> Self {
        let _blind = blind::enter();
        let mut names = names();
        if let Some(known) = names.iter().position(|known| *known == name) {
            return Self::of_index(known);
        }
        if names.len() >= MOST_NAMED {
            LIMIT_REACHED.store(true, Ordering::Relaxed);
            // A program may have named a space so itself.
            if let Some(other) = names.iter().position(|known| *known == OTHER) {
                return Self::of_index(other);
            }
            names.push(OTHER);
            return Self::of_index(MOST_NAMED);
        }
        names.push(Box::leak(name.into()));
        Self::of_index(names.len() - 1)
    }

    /// The name that reports show.
    pub fn name(self) -> &'static str {
        let _blind = blind::enter();
        names().get(self.index()).copied().unwrap_or(OTHER)
    }

    /// The spaces named so far.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let _blind = blind::enter();
        let count = names().len();
        (0..count).map(Self::of_index)
    }

    /// Whether a name was refused because [`MOST_SPACES`] was reached.
    pub(crate) fn limit_reached() -> bool {
        LIMIT_REACHED.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn of_index(index: usize) -> Self {
        Self(u8::try_from(index.min(MOST_SPACES - 1)).unwrap_or(0))
    }

    /// The bit of this space in a frame's set of touched spaces.
    #[inline(always)]
    pub(crate) fn bit(self) -> u64 {
        1 << self.0
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl AsRef<str> for Space {
    fn as_ref(&self) -> &str {
        self.name()
    }
}
