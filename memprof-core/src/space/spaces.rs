//! Spaces: where a block lives.
//!
//! A space is a number of one byte, and its name stands in an array that is only added to. So comparing, copying
//! and asking for the name take no lock; a new name does.
//!
//! | number | space |
//! |---|---|
//! | 0, 1, 2 | `host`, `pinned`, `managed`: there from the beginning |
//! | 3 .. 31 | as they are named |
//! | 32 | `other`: what comes after those |
//!
//! 32 and one: every snapshot reads each space of each thread, and a frame has one bit for each.

use core::fmt::{self, Write as _};
use core::sync::atomic::{AtomicBool, Ordering};

use crate::base::lock::Leaf;
use crate::base::map::Refused;
use crate::base::memory::{AtomicOptionRef, leak, leak_str};
use crate::base::missed;

/// Spaces that one process records under their own names.
const MOST_NAMED: usize = 32;
/// Those, and the one that all further names share.
pub(crate) const MOST_SPACES: usize = MOST_NAMED + 1;

/// Where a block of memory lives: the host's heap, pinned or managed memory, a CUDA device, or anything that a
/// program names.
///
/// Spaces are compared and copied for free. One process records 32 of them; every further name is the one space
/// `other`, and the report says so.
///
/// ```
/// use memprof_core::Space;
///
/// let arena = Space::named("arena");
/// assert_eq!(arena, Space::named("arena"));
/// assert_eq!(arena.name(), "arena");
/// assert_ne!(arena, Space::HOST);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Space(u8);

/// The names given so far, in the order of their spaces. Read without a lock.
static NAMES: [AtomicOptionRef<&'static str>; MOST_SPACES] = [const { AtomicOptionRef::null() }; MOST_SPACES];
/// The names that stand there from the beginning.
const FIRST: [&str; 3] = ["host", "pinned", "managed"];
/// Held while a name is added.
static ADDING: Leaf<()> = Leaf::new(());

/// Where spaces past the limit are recorded.
const OTHER: &str = "other";
static LIMIT_REACHED: AtomicBool = AtomicBool::new(false);

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
    ///
    /// The ordinal is the driver's, as `CUDA_VISIBLE_DEVICES` leaves it. Takes a lock for a name that is new alone.
    pub fn device(ordinal: u32) -> Self {
        let mut name = Digits::default();
        // Eleven digits at most.
        let _fits = write!(name, "cuda:{ordinal}");
        Self::named(name.as_str())
    }

    /// The space with this name, the same one for the same name. Costs a look at the names so far; keep the result.
    ///
    /// A new name costs a lock. Where that cannot be had, in a signal handler that interrupted memprof on its own
    /// thread, or where the system has no memory left, this is the space `other`.
    pub fn named(name: &str) -> Self {
        if let Some(known) = Self::known(name) {
            return known;
        }
        let other = || {
            if NAMES[MOST_NAMED].get().is_none() {
                NAMES[MOST_NAMED].set(Some(&OTHER));
            }
            Self::of_index(MOST_NAMED)
        };
        let Some(_adding) = ADDING.lock() else {
            missed::note(Refused::AtWork);
            return other();
        };
        if let Some(known) = Self::known(name) {
            return known;
        }
        let Some(free) = (FIRST.len()..MOST_NAMED).find(|index| NAMES[*index].get().is_none()) else {
            LIMIT_REACHED.store(true, Ordering::Relaxed);
            // A program may have named a space so itself.
            return Self::known(OTHER).unwrap_or_else(other);
        };
        let Some(kept) = leak_str(name).and_then(leak) else {
            missed::note(Refused::NoMemory);
            return other();
        };
        NAMES[free].set(Some(kept));
        Self::of_index(free)
    }

    /// The space with this name, if it was named before. Reads without a lock: names are only added.
    fn known(name: &str) -> Option<Self> {
        Self::all().find(|space| space.name() == name)
    }

    /// The name that reports show.
    pub fn name(self) -> &'static str {
        match FIRST.get(self.index()) {
            Some(name) => name,
            None => NAMES[self.index()].get().copied().unwrap_or(OTHER),
        }
    }

    /// The spaces named so far.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..MOST_SPACES).filter(|index| *index < FIRST.len() || NAMES[*index].get().is_some()).map(Self::of_index)
    }

    /// Whether a name was refused because [`MOST_SPACES`] was reached.
    pub(crate) fn limit_reached() -> bool {
        LIMIT_REACHED.load(Ordering::Relaxed)
    }

    /// Where things of this space stand in arrays of [`MOST_SPACES`].
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

/// A short text on the stack: naming a device must not allocate, as it may happen inside of an allocator.
#[derive(Default)]
struct Digits {
    bytes: [u8; 16],
    count: usize,
}

impl Digits {
    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.count]).unwrap_or_default()
    }
}

impl fmt::Write for Digits {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.count + part.len();
        self.bytes.get_mut(self.count..end).ok_or(fmt::Error)?.copy_from_slice(part.as_bytes());
        self.count = end;
        Ok(())
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
