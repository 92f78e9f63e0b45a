//! What a scope and the threads that work for it under a [`Context`](crate::Context) have in common.
//!
//! A thread that entered the context counts in its own slot. Two things reach the captured scope: what the thread
//! added, whole, when it drops the guard ([`Shared::finish`]); and its level, in steps, so that the captured scope's
//! peak is the peak of the sum ([`Shared::publish`]). The scope takes in what was added when it is left
//! ([`Shared::take`]). Once it has been left, [`close`](Shared::close)d, nothing is added to it or to its ancestors.

use core::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::blind;
use crate::counters::{Counters, Tally};
use crate::frame::{Frame, Kind, Published};
use crate::lane::Lane;
use crate::net::STEP;
use crate::path::PathId;
use crate::slot::Slot;
use crate::space::{MOST_SPACES, Space};

/// A captured scope.
pub(crate) struct Shared {
    /// Where the scope was open: home of what is allocated under the context. Held.
    pub(crate) lane: &'static Lane,
    pub(crate) path: PathId,
    /// Nodes open in the chain that `path` does not pass through, once a recursion led back to a node further up.
    extra_nodes: Vec<PathId>,
    parent: Option<Arc<Shared>>,
    closed: AtomicBool,
    host: Level,
    others: OnceLock<Box<[Level; MOST_SPACES]>>,
    added: Mutex<Vec<(Space, Tally)>>,
}

/// The sum over the capturing lane and all threads under the context, and the most that it came to.
struct Level {
    bytes: AtomicI64,
    blocks: AtomicI64,
    peak_bytes: AtomicI64,
    peak_blocks: AtomicI64,
}

impl Level {
    #[expect(clippy::declare_interior_mutable_const, reason = "each use is a new value")]
    const ZERO: Self = Self {
        bytes: AtomicI64::new(0),
        blocks: AtomicI64::new(0),
        peak_bytes: AtomicI64::new(0),
        peak_blocks: AtomicI64::new(0),
    };

    fn add(&self, bytes: i64, blocks: i64) {
        let level = self.bytes.fetch_add(bytes, Ordering::AcqRel) + bytes;
        self.peak_bytes.fetch_max(level, Ordering::AcqRel);
        let level = self.blocks.fetch_add(blocks, Ordering::AcqRel) + blocks;
        self.peak_blocks.fetch_max(level, Ordering::AcqRel);
    }

    /// The peak is at least this much above the present level.
    fn raise_above(&self, bytes: i64, blocks: i64) {
        self.peak_bytes.fetch_max(self.bytes.load(Ordering::Acquire) + bytes, Ordering::AcqRel);
        self.peak_blocks.fetch_max(self.blocks.load(Ordering::Acquire) + blocks, Ordering::AcqRel);
    }
}

impl Shared {
    pub(crate) fn new(
        lane: &'static Lane,
        path: PathId,
        extra_nodes: Vec<PathId>,
        parent: Option<Arc<Self>>,
    ) -> Arc<Self> {
        lane.hold();
        Arc::new(Self {
            lane,
            path,
            extra_nodes,
            parent,
            closed: AtomicBool::new(false),
            host: Level::ZERO,
            others: OnceLock::new(),
            added: Mutex::new(Vec::new()),
        })
    }

    /// Whether a site is open in the chain that events under the context fold into.
    pub(crate) fn has_open(&self, site: u32) -> bool {
        !self.is_closed() && (self.path.contains(site) || self.extra_nodes.iter().any(|node| node.site() == site))
    }

    /// Whether this very node is.
    pub(crate) fn has_open_node(&self, node: PathId) -> bool {
        !self.is_closed() && (self.path.passes(node) || self.extra_nodes.contains(&node))
    }

    pub(crate) fn extra_nodes(&self) -> Vec<PathId> {
        self.extra_nodes.clone()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The scope is being left: from now on nothing is added.
    pub(crate) fn close(&self) {
        let _added = self.added();
        self.closed.store(true, Ordering::Release);
    }

    fn added(&self) -> MutexGuard<'_, Vec<(Space, Tally)>> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn level(&self, space: Space) -> &Level {
        if space == Space::HOST {
            &self.host
        } else {
            &self.others.get_or_init(|| Box::new([const { Level::ZERO }; MOST_SPACES]))[space.index()]
        }
    }

    /// Itself and its ancestors, as far as they are open.
    fn open_chain(&self) -> impl Iterator<Item = &Self> {
        core::iter::successors(Some(self), |shared| shared.parent.as_deref()).take_while(|shared| !shared.is_closed())
    }

    /// A change of the level of one thread under the context.
    pub(crate) fn publish(&self, space: Space, bytes: i64, blocks: i64) {
        self.open_chain().for_each(|shared| shared.level(space).add(bytes, blocks));
    }

    /// A change of the level of the captured scope's own lane; its ancestors there publish their own.
    pub(crate) fn publish_own(&self, space: Space, bytes: i64, blocks: i64) {
        self.level(space).add(bytes, blocks);
    }

    /// What a thread added between entering the context and dropping the guard, of which it had published
    /// `published` (bytes, blocks, and the most bytes).
    pub(crate) fn finish(&self, space: Space, tally: &Tally, published: [i64; 3]) {
        let counters = &tally.counters;
        let mut added = self.added();
        if self.is_closed() {
            drop(added);
            // The level of the ancestors, which were open when it was published, no longer holds it.
            let ancestors = core::iter::successors(self.parent.as_deref(), |shared| shared.parent.as_deref());
            ancestors
                .take_while(|shared| !shared.is_closed())
                .for_each(|shared| shared.level(space).add(-published[0], -published[1]));
            return;
        }
        // What was reached beyond the steps published: less than a step.
        let beyond_bytes = (counters.peak_bytes - published[2]).max(0);
        let beyond_blocks = (counters.peak_blocks - published[1]).max(0);
        self.open_chain().for_each(|shared| {
            let level = shared.level(space);
            let (first_bytes, first_blocks) =
                if published[2] == 0 { (beyond_bytes, beyond_blocks) } else { (beyond_bytes.min(STEP), 0) };
            level.raise_above(first_bytes, first_blocks);
            level.add(counters.current_bytes - published[0], counters.current_blocks - published[1]);
        });
        add_to(&mut added, space, tally);
    }

    /// Adds what an ambient scope opened in this one recorded; its level was published all along.
    pub(crate) fn add(&self, space: Space, tally: &Tally) {
        let mut added = self.added();
        if !self.is_closed() {
            add_to(&mut added, space, tally);
        }
    }

    /// Takes what was added since the last call.
    pub(crate) fn take(&self) -> Vec<(Space, Tally)> {
        core::mem::take(&mut *self.added())
    }

    /// What was added since the last [`take`](Self::take).
    pub(crate) fn pending(&self, space: Space) -> Option<Tally> {
        self.added().iter().find(|(known, _)| *known == space).map(|(_, tally)| *tally)
    }

    /// The most that the sum came to, above the scope's entry.
    pub(crate) fn peak(&self, space: Space) -> (i64, i64) {
        let level = self.level(space);
        (level.peak_bytes.load(Ordering::Acquire), level.peak_blocks.load(Ordering::Acquire))
    }

    /// [`peak`](Self::peak) since the last call, for a future: each of its polls takes in what is new.
    fn take_peak(&self, space: Space) -> (i64, i64) {
        let level = self.level(space);
        let (bytes, blocks) = (level.bytes.load(Ordering::Acquire), level.blocks.load(Ordering::Acquire));
        let peak_bytes = level.peak_bytes.swap(bytes, Ordering::AcqRel);
        (peak_bytes.max(bytes), level.peak_blocks.swap(blocks, Ordering::AcqRel).max(blocks))
    }

    /// Adds what happened under the context, and is not taken yet, to what the scope's own lane recorded: for a future
    /// what one poll did, after it had recorded `before`.
    pub(crate) fn complete(&self, space: Space, own: &Tally, before: &Counters) -> Tally {
        let mut sum = *own;
        if let Some(added) = self.pending(space) {
            let mut without_peak = added;
            without_peak.counters.peak_bytes = 0;
            without_peak.counters.peak_blocks = 0;
            sum.fold(&without_peak);
        }
        let (bytes, blocks) = self.peak(space);
        let (bytes, blocks) = (bytes - before.current_bytes, blocks - before.current_blocks);
        sum.counters.peak_bytes = sum.counters.peak_bytes.max(bytes).max(sum.counters.current_bytes);
        sum.counters.peak_blocks = sum.counters.peak_blocks.max(blocks).max(sum.counters.current_blocks);
        sum
    }
}

/// Folds `tally` into the sum of its space.
pub(crate) fn add_to(sums: &mut Vec<(Space, Tally)>, space: Space, tally: &Tally) {
    match sums.iter_mut().find(|(known, _)| *known == space) {
        Some((_, sum)) => sum.fold(tally),
        None => sums.push((space, *tally)),
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.lane.release();
    }
}

impl Frame {
    /// What the future of this frame recorded before this poll; nothing if this is no poll. The level of a captured
    /// future counts from its first poll.
    pub(crate) fn before_poll(&self, space: Space) -> Counters {
        let future = if self.kind() == Kind::Poll { self.future.get() } else { None };
        future.map(|future| future.activation.accounts().tally(space).counters).unwrap_or_default()
    }

    /// What was published of the `tally` of this frame: bytes, blocks, and the most bytes.
    pub(crate) fn published_of(&self, space: Space, tally: &Tally) -> [i64; 3] {
        if space == Space::HOST {
            let Published { bytes, blocks, most_bytes } = &self.published;
            [bytes.signed(), blocks.signed(), most_bytes.signed()]
        } else {
            let c = tally.counters;
            [c.current_bytes, c.current_blocks, c.peak_bytes]
        }
    }
}

impl Slot {
    /// Publishes the levels of the frames of this thread that share, where they changed by `step` bytes or more, in
    /// `host`.
    #[cold]
    pub(crate) fn publish_shared(&'static self, step: i64) {
        let _blind = blind::enter();
        let mut context = None;
        let mut sharing = self.sharing.get();
        while let Some(frame) = sharing {
            let tally = self.host.tally_of(frame, context);
            let (bytes, blocks) = (tally.counters.current_bytes, tally.counters.current_blocks);
            let ahead = bytes - frame.published.bytes.signed();
            if ahead.abs() >= step
                && let Some(shared) = frame.shared()
            {
                let more_blocks = blocks - frame.published.blocks.signed();
                if frame.kind() == Kind::Context {
                    shared.publish(Space::HOST, ahead, more_blocks);
                } else {
                    shared.publish_own(Space::HOST, ahead, more_blocks);
                }
                frame.published.bytes.set(bytes.cast_unsigned());
                frame.published.blocks.set(blocks.cast_unsigned());
                if bytes > frame.published.most_bytes.signed() {
                    frame.published.most_bytes.set(bytes.cast_unsigned());
                }
            }
            if frame.kind() == Kind::Context {
                context = Some(frame);
            }
            sharing = frame.sharing_below.get();
        }
    }

    /// Publishes one event of a space other than `host`, charged to `charged`: there, every one.
    pub(crate) fn publish_event(&'static self, charged: &'static Frame, space: Space, bytes: i64, blocks: i64) {
        let mut sharing = self.sharing.get();
        while let Some(frame) = sharing {
            if frame.depth() > charged.depth() {
                sharing = frame.sharing_below.get();
                continue;
            }
            let Some(shared) = frame.shared() else { return };
            if frame.kind() == Kind::Context {
                shared.publish(space, bytes, blocks);
                // What is further down does not see it.
                return;
            }
            shared.publish_own(space, bytes, blocks);
            sharing = frame.sharing_below.get();
        }
    }

    /// Takes in what was added under the contexts captured at the top frame.
    pub(crate) fn absorb(&'static self, frame: &'static Frame, shared: &Shared) {
        for (space, added) in shared.take() {
            let Some(ledger) = self.ledger(space) else { continue };
            if !ledger.touched.is(frame) && self.touch(space, ledger).is_none() {
                continue;
            }
            let own = ledger.tally();
            let before = frame.before_poll(space);
            let is_poll = frame.kind() == Kind::Poll;
            let (peak_bytes, peak_blocks) = if is_poll { shared.take_peak(space) } else { shared.peak(space) };
            let counters = Counters {
                peak_bytes: peak_bytes - before.current_bytes - own.counters.current_bytes,
                peak_blocks: peak_blocks - before.current_blocks - own.counters.current_blocks,
                ..added.counters
            };
            self.sequence.open();
            let added = Tally { counters, ..added };
            self.keep_net(space, || ledger.absorb(&added));
            self.sequence.close();
            if space == Space::HOST {
                // The level had it already.
                frame.published.bytes.add(counters.current_bytes.cast_unsigned());
                frame.published.blocks.add(counters.current_blocks.cast_unsigned());
            }
        }
    }

    /// Publishes and takes in everything at the end of the contexts of `frame`, a kind that is no `Context`.
    pub(crate) fn finish_context(&'static self, frame: &'static Frame, spaces: u64) {
        let Some(shared) = frame.shared() else { return };
        for (space, ledger) in self.ledgers(spaces) {
            let tally = ledger.tally();
            shared.finish(space, &tally, frame.published_of(space, &tally));
        }
    }
}
