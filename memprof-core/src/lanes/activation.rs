//! Activations of tracked futures: what a future recorded, between its polls.
//!
//! A future takes an activation from the pool at its first poll, or where its call begins, and gives it back when
//! it is dropped. A *task*, which is inside no other tracked future, takes a lane besides; a future inside another
//! one runs on that one's lane, or on its thread's. Memory is bounded by the most futures that were polled and not
//! dropped yet at once.
//!
//! What it recorded of `host` is written without a lock, by whoever polls it: handing a future to another thread
//! orders what one poll wrote before what the next one reads. Any other space, where an event takes a lock anyway,
//! is behind one. A snapshot reads both at any time. How a poll is entered and left, and what it folds into, is
//! left to `scope/poll`.
//!
//! ```text
//!             take                first poll: tag set            dropped: clear, give_back
//! in the pool ─────► nobody's yet ────────────────► a future's ─────────────────────────────► in the pool
//!                                                   │      ▲
//!                                           poll ───┘      └─── poll ends: fold
//! ```
//!
//! A reader that walks all activations ([`all`](Activation::all)) may meet any of these. It reads the tag and the
//! numbers at one moment, and asks for the tag again where it read more than that: 0, or another one, is another
//! future's.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crate::base::counter::Counter;
use crate::base::lock::Lock;
use crate::base::map::Refused;
use crate::base::memory::{AtomicOptionRef, Blank};
use crate::base::missed;
use crate::base::pool::{Place, Pool, Pooled};
use crate::base::tally::Tally;
use crate::lanes::account::{Account, HostAccount, LeftBehind};
use crate::lanes::captured::Shared;
use crate::lanes::lane::Lane;
use crate::lanes::tag::Tag;
use crate::space::spaces::Space;

/// Chunks of the table of activations: 16,777,216 tracked futures that were polled and are not dropped yet.
const ACTIVATION_CHUNKS: usize = 1 << 18;

/// That of what is no future.
pub(crate) static NO_ACTIVATION: Activation = Activation::BLANK;

static ACTIVATIONS: Pool<Activation, ACTIVATION_CHUNKS> = Pool::new();

/// One tracked future that was polled and is not dropped yet.
pub(crate) struct Activation {
    place: Place,
    /// Path and, for a task, its own lane. 0 while no future is here.
    pub(crate) tag: Counter,
    /// The key of the path in a thread's cache of paths, and its place there.
    pub(crate) key: Counter,
    pub(crate) cache_place: Counter,
    /// A task's own lane, held; a future inside another one has none. Fixed from the first poll to the last.
    pub(crate) lane: AtomicOptionRef<Lane>,
    /// Blocks of the task's lane that are out, apart from what its holds count.
    pub(crate) outstanding: Counter,
    /// The lane that the latest poll of a task merged into, held.
    pub(crate) parent: AtomicOptionRef<Lane>,
    host: HostAccount,
    /// Whether a call's statements make the future, in whose scope they stand.
    of_call: AtomicBool,
    /// Whether `extras` has a shared part: asked by each poll, so it is a word of its own.
    captured: AtomicBool,
    /// Whether there is anything in `extras`, until the future is dropped.
    has_extras: AtomicBool,
    extras: Lock<Extras>,
}

/// What few futures have.
#[derive(Default)]
pub(crate) struct Extras {
    /// What it recorded in spaces other than `host`.
    pub(crate) spaces: Vec<(Space, Account)>,
    /// Set once the future was captured as a `Context`.
    pub(crate) shared: Option<Arc<Shared>>,
}

impl Blank for Activation {
    const BLANK: Self = Self {
        place: Place::BLANK,
        tag: Counter::new(0),
        key: Counter::new(0),
        cache_place: Counter::new(0),
        lane: AtomicOptionRef::null(),
        outstanding: Counter::new(0),
        parent: AtomicOptionRef::null(),
        host: HostAccount::BLANK,
        of_call: AtomicBool::new(false),
        captured: AtomicBool::new(false),
        has_extras: AtomicBool::new(false),
        extras: Lock::new(Extras { spaces: Vec::new(), shared: None }),
    };
}

impl Pooled for Activation {
    fn place(&self) -> &Place {
        &self.place
    }
}

impl Activation {
    /// An activation that nobody has, which recorded nothing: of a task with its lane, or of a future inside
    /// another one.
    ///
    /// `None` where 16,777,216 futures are open, or the system has no memory: that future is not recorded.
    #[inline]
    pub(crate) fn take(lane: Option<&'static Lane>) -> Option<&'static Self> {
        let activation = ACTIVATIONS.take()?;
        activation.outstanding.set(0);
        activation.of_call.store(false, Ordering::Relaxed);
        activation.lane.set(lane);
        Some(activation)
    }

    /// Gives it back to the pool; it was [cleared](Self::clear), and no poll of it is open.
    #[inline]
    pub(crate) fn give_back(&self) {
        ACTIVATIONS.give_back(self);
    }

    /// Every activation, also those that nobody has: these have recorded nothing.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        ACTIVATIONS.all()
    }

    /// Whether the future is inside no other tracked one, and so has a lane of its own.
    #[inline(always)]
    pub(crate) fn is_task(&self) -> bool {
        self.lane.get().is_some()
    }

    /// Notes that the future is made by the statements of a call, which stand in its scope.
    pub(crate) fn note_call(&self) {
        self.of_call.store(true, Ordering::Relaxed);
    }

    /// Whether [`note_call`](Self::note_call) was called: then two scopes of it may be open at once.
    pub(crate) fn is_of_call(&self) -> bool {
        self.of_call.load(Ordering::Relaxed)
    }

    /// Whether a `Context` was captured directly in this future.
    #[inline]
    pub(crate) fn is_captured(&self) -> bool {
        self.captured.load(Ordering::Relaxed)
    }

    /// Notes the shared part of this future, until [`clear`](Self::clear).
    pub(crate) fn capture(&self, shared: Arc<Shared>) {
        self.change_extras(|extras| extras.shared = Some(shared));
        self.captured.store(true, Ordering::Relaxed);
    }

    /// The shared part of this future, if it was captured.
    #[inline(always)]
    pub(crate) fn shared(&self) -> Option<Arc<Shared>> {
        if self.is_captured() { self.read_shared() } else { None }
    }

    #[cold]
    fn read_shared(&self) -> Option<Arc<Shared>> {
        self.extras.lock().shared.clone()
    }

    /// Folds in what one poll did in a space, with the flags of its frame, and gives what the future recorded so far.
    #[inline]
    pub(crate) fn fold(&self, space: Space, poll: &Tally, flags: u64) -> Tally {
        if space == Space::HOST { self.host.fold(poll, flags) } else { self.fold_extras(space, poll, flags) }
    }

    /// Begins [`fold`](Self::fold) of a poll of the host that was inside no other activation.
    #[inline(always)]
    pub(crate) fn begin_fold(&self) -> &HostAccount {
        self.host.begin_fold();
        &self.host
    }

    /// [`fold`](Self::fold) of a space other than the host, under the lock. Without memory for one more space, the
    /// poll stands alone, and the report says how often.
    #[cold]
    fn fold_extras(&self, space: Space, poll: &Tally, flags: u64) -> Tally {
        self.change_extras(|extras| {
            let place = extras.spaces.iter().position(|(known, _)| *known == space).unwrap_or_else(|| {
                if extras.spaces.try_reserve(1).is_ok() {
                    extras.spaces.push((space, Account::default()));
                }
                extras.spaces.len().saturating_sub(1)
            });
            let Some((_, account)) = extras.spaces.get_mut(place).filter(|(known, _)| *known == space) else {
                missed::note(Refused::NoMemory);
                return *poll;
            };
            account.fold(poll, flags);
            account.tally
        })
    }

    /// What was recorded in a space in the polls that have ended, with the tag of the future, which is 0 if there
    /// is none. `None` if it changes too fast to be read.
    pub(crate) fn account(&self, space: Space) -> Option<(Tag, Account)> {
        if space == Space::HOST {
            return self.host.read(|| self.tag.get()).map(|(tag, account)| (Tag(tag), account));
        }
        let mut of_space = (Tag(self.tag.get()), Account::default());
        self.see_extras(|tag, accounts| {
            let account = accounts.iter().find(|(known, _)| *known == space);
            of_space = (Tag(tag), account.map(|(_, account)| *account).unwrap_or_default());
        });
        Some(of_space)
    }

    /// Gives what the future recorded to `see`, by space, if there is one.
    pub(crate) fn see_accounts(&self, mut see: impl FnMut(Tag, Space, &Account)) {
        if let Some((tag, account)) = self.host.read(|| self.tag.get())
            && tag != 0
        {
            see(Tag(tag), Space::HOST, &account);
        }
        self.see_extras(|tag, accounts| {
            for (space, account) in accounts.iter().filter(|_| tag != 0) {
                see(Tag(tag), *space, account);
            }
        });
    }

    /// Takes everything out, for the next future. Gives what it leaves of `host`, if it recorded anything there, and what few
    /// futures have.
    #[inline]
    pub(crate) fn clear(&self) -> (Option<LeftBehind>, Option<Extras>) {
        let host = self.host.clear(|| self.tag.set(0));
        self.captured.store(false, Ordering::Relaxed);
        let extras = self.has_extras.load(Ordering::Relaxed).then(|| {
            self.has_extras.store(false, Ordering::Relaxed);
            core::mem::take(&mut *self.extras.lock())
        });
        (host, extras)
    }

    /// Gives the tag and what was recorded in other spaces to `see`. Both are read under the lock under which the
    /// end of the future takes them out, so they are of one future.
    fn see_extras(&self, see: impl FnOnce(u64, &[(Space, Account)])) {
        if self.has_extras.load(Ordering::Acquire) {
            let extras = self.extras.lock();
            see(self.tag.get(), &extras.spaces);
        }
    }

    /// Changes what few futures have, and only then says that there is something: a reader that finds the flag
    /// finds it whole.
    fn change_extras<R>(&self, change: impl FnOnce(&mut Extras) -> R) -> R {
        let result = change(&mut self.extras.lock());
        self.has_extras.store(true, Ordering::Release);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, Activation, Blank as _, LeftBehind};
    use crate::base::tally::{Counters, Tally};
    use crate::lanes::kind::{NODE_OPEN, SITE_OPEN};
    use crate::space::spaces::Space;

    const SPACES: [Space; 2] = [Space::HOST, Space::PINNED];

    /// A poll that allocated these bytes, or freed them.
    fn poll(bytes: i64) -> Tally {
        let allocated = bytes.max(0);
        let counters =
            Counters { total_bytes: allocated, peak_bytes: allocated, current_bytes: bytes, ..Counters::default() };
        Tally { counters, ..Tally::default() }
    }

    fn accounts(activation: &Activation) -> Vec<(Space, Account)> {
        let mut seen = Vec::new();
        activation.see_accounts(|_, space, account| seen.push((space, *account)));
        seen
    }

    #[test]
    fn every_space_is_kept_alike() {
        let activation = Activation::BLANK;
        activation.tag.set(1);
        for space in SPACES {
            assert_eq!(activation.fold(space, &poll(100), 0).counters.peak_bytes, 100);
            activation.fold(space, &poll(20), SITE_OPEN);
            activation.fold(space, &poll(3), NODE_OPEN);
            let sum = activation.fold(space, &poll(-123), NODE_OPEN | SITE_OPEN).counters;
            assert_eq!((sum.current_bytes, sum.peak_bytes, sum.total_bytes), (0, 123, 123));
            assert_eq!(activation.account(space).expect("nobody polls").1.tally.counters, sum);
        }
        let [(Space::HOST, host), (Space::PINNED, pinned)] = accounts(&activation)[..] else { panic!("two spaces") };
        assert_eq!(host, pinned);
        assert_eq!((host.counted().bytes, host.inner().bytes), (120, 20));
    }

    #[test]
    fn the_next_future_begins_with_nothing() {
        let activation = Activation::BLANK;
        activation.tag.set(1);
        for space in SPACES {
            activation.fold(space, &poll(100), SITE_OPEN);
        }
        let (host, extras) = activation.clear();
        let host = host.expect("it had an event");
        assert_eq!(host, LeftBehind { kept: [100, 0], peak_bytes: 100, largest: 0 });
        let [(Space::PINNED, pinned)] = extras.expect("another space").spaces[..] else { panic!("one more space") };
        assert_eq!(pinned.left_behind(), host);
        assert!(accounts(&activation).is_empty(), "no future is here");
        activation.tag.set(2);
        assert_eq!(accounts(&activation), [(Space::HOST, Account::default())]);
        assert!(matches!(activation.clear(), (None, None)), "nothing is left of the one before");
    }
}
