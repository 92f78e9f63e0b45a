//! What an open scope is, in the bits of one word: which kind it is of, which spaces it saw events in, and what it
//! stands inside of.
//!
//! A reader of another thread's scopes copies this word, and what follows from it is then a plain function of it.
//!
//! ```text
//! bit 49           48       47          46 .. 44   43       42              41          40          39 .. 0
//! OPEN_OFF_PATH    SELDOM   FORWARDED   kind       SHARES   UNDER_CONTEXT   SITE_OPEN   NODE_OPEN   one bit a space
//! ```
//!
//! A plain scope that saw nothing is 0, and one that saw events on the host alone has that one bit; inside another one of its node, both
//! have [`AGAIN`] too. The short paths compare the whole word, and so find out at once that there is nothing else to do.

use crate::space::spaces::MOST_SPACES;

/// What a frame stands for.
///
/// | kind | entered by | left by | its events go to |
/// |---|---|---|---|
/// | [`Base`](Self::Base) | the thread's first event | nobody | nobody: it stands outside any scope |
/// | [`Scope`](Self::Scope) | a guard | that guard, or a scope around it | the frame below |
/// | [`Poll`](Self::Poll) | a poll | its end | the future's account, and the frame below |
/// | [`Context`](Self::Context) | [`enter`](crate::Context::enter) | its guard, or a scope around it | the captured scope; nothing below sees them |
/// | [`Ambient`](Self::Ambient) | the thread's next event after one opened | the thread, once it has nothing open | the ambient scope, likewise |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The base record of the thread: never popped.
    Base,
    /// A scope that a guard leaves.
    Scope,
    /// A poll of a tracked future.
    Poll,
    /// An entered `Context`.
    Context,
    /// An ambient scope that the thread works for, which no guard leaves: on the base, and nowhere else.
    Ambient,
}

impl Kind {
    /// What stands in the flags of a frame.
    pub(crate) fn of(flags: u64) -> Self {
        match flags >> KIND_SHIFT & 7 {
            0 => Self::Scope,
            1 => Self::Poll,
            4 => Self::Context,
            5 => Self::Ambient,
            _ => Self::Base,
        }
    }

    /// The flags of a frame that is entered as this kind, with these flags of its own.
    pub(crate) const fn flags(self, flags: u64) -> u64 {
        let number: u64 = match self {
            Self::Scope => 0,
            Self::Poll => 1,
            Self::Base => 3,
            Self::Context => 4,
            Self::Ambient => 5,
        };
        flags | number << KIND_SHIFT
    }
}

/// Whether a frame of these flags hides what happens above it from what is open further down: a [`Kind::Context`] or a
/// [`Kind::Ambient`].
#[inline(always)]
pub(crate) const fn hides(flags: u64) -> bool {
    flags >> KIND_SHIFT & 4 != 0
}

/// The part of `Frame::flags` that is the set of spaces that the frame has an entry for. 40 bits leave room above
/// the 33 that there are.
pub(crate) const SPACES: u64 = (1 << 40) - 1;
const _: () = assert!(MOST_SPACES <= 40);
/// Another activation of the same node is open further down.
pub(crate) const NODE_OPEN: u64 = 1 << 40;
/// Another activation of the same site is open in the chain that this one folds into.
pub(crate) const SITE_OPEN: u64 = 1 << 41;
/// The flags of a scope inside another one of its node, that has seen nothing; under a `Context` beside others.
pub(crate) const AGAIN: u64 = NODE_OPEN | SITE_OPEN;
/// Somewhere below is a frame that [hides] what is under it.
pub(crate) const UNDER_CONTEXT: u64 = 1 << 42;
/// Under a context, more may be open around that than the frame's path says: so whether a site is open there is to be asked of the captured
/// scope, also if it leads further down.
pub(crate) const OPEN_OFF_PATH: u64 = 1 << 49;
/// `shared` is set: the frame was captured as a `Context`, or is one.
pub(crate) const SHARES: u64 = 1 << 43;
/// In one of the spaces, there was a reallocation or a failure: what seldom happens, and the shortest paths need not look for.
pub(crate) const SELDOM: u64 = 1 << 48;
const KIND_SHIFT: u32 = 44;
/// The poll of a task, in which hand-overs to it are forwarded to captured scopes around: that ends with the poll.
pub(crate) const FORWARDED: u64 = 1 << 47;
/// The flags of a poll that has seen nothing, outside any `Context` and any other activation of its site.
pub(crate) const POLL: u64 = Kind::Poll.flags(0);
