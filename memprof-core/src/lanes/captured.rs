//! What a scope and the threads that work for it under a [`Context`](crate::Context) have in common.
//!
//! A thread that entered the context counts in its own slot. Two things reach the captured scope: what the thread
//! added, whole, when it drops the guard ([`Shared::finish`]); and its level, in steps, so that the captured scope's
//! peak is the peak of the sum ([`Shared::publish`]). The scope takes in what was added when it is left
//! ([`Shared::take`]). Once it has been left, [`close`](Shared::close)d, nothing is added to it or to its ancestors.
//!
//! A change of a scope's level reaches the captured scopes around it at once, but for a future: what that is being
//! polled in changes from poll to poll. There, what was added reaches them at the beginning of a poll and at each
//! event of the polling thread ([`publish`](crate::share::publish)).
//!
//! What happens to bytes that a helper allocates under a context, from event to the scope that captured it:
//!
//! ```text
//! helper's ledger ──(each step of 32 KiB, or each event)──► level ──► levels of the captured scopes around
//!       │
//!       └─(guard dropped: finish)──► added ──(scope left, or a poll of it ended: take)──► the scope's own ledger ──► its parent
//! ```
//!
//! Either way a byte is in the level once. In the scope's own numbers it is after `take` alone, and a reader adds
//! `added` and what the level says of those who are still at work ([`complete`](Shared::complete)).
//!
//! | moment | what others may still do |
//! |---|---|
//! | captured | publish, finish, be read |
//! | closed | whoever is under the context goes on and gives its part to nobody; the path stays right |
//! | dropped | nobody refers to it; the lane is released |
//!
//! Closing and finishing meet under one lock (`added`): a part is either in before the scope takes it, or nobody's.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::base::blind;
use crate::base::lock::Lock;
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::tally::{Counters, Tally, minus};
use crate::lanes::added::{Added, Additions};
use crate::lanes::kind::{OPEN_OFF_PATH, UNDER_CONTEXT};
use crate::lanes::lane::Lane;
use crate::lanes::level::Level;
use crate::lanes::published::Published;
use crate::lanes::waiting::STEP;
use crate::names::path::PathId;
use crate::space::spaces::{MOST_SPACES, Space};

/// A captured scope.
///
/// It lives as long as a context, or the frame, refers to it, and so does its lane. Everything in it may be changed
/// by any thread: levels by atomic additions, what was added under a short lock that nobody allocates under for the
/// host.
pub(crate) struct Shared {
    /// Where the scope was open: home of what is allocated under the context. Held.
    pub(crate) lane: &'static Lane,
    pub(crate) path: PathId,
    /// The nodes that are open with it, but for those of the scope around: what it was opened in, and it. More than
    /// its path where a recursion led back to a node further up; less where a scope has ended that gives the path.
    /// Of a future: those of the poll that is under way, if there is one.
    nodes: Lock<Vec<PathId>>,
    /// Fixed when it is captured: what the scope stands in does not change while it is open.
    around: Around,
    /// Whether the nodes that are open with it and around it all stand in its path, so that no site that leads further down from there is
    /// among them.
    path_is_whole: bool,
    /// Set once, under the lock of `added`.
    closed: AtomicBool,
    /// Of the host: always there, as most helpers allocate.
    host: Level,
    /// Of all other spaces, made with the first event in one of them.
    others: OnceLock<Box<[Level; MOST_SPACES]>>,
    /// What those who have left the context added, and the scope has not taken.
    added: Lock<Additions>,
    /// How often something was added.
    pub(crate) additions: AtomicU64,
}

/// The captured scope that another one folds into.
pub(crate) enum Around {
    /// None: nothing around it was captured, or it is a future, which is polled in this scope and that.
    Nobody,
    /// On the same thread: when the inner scope is left, what was added to it is the outer one's own.
    Here(Arc<Shared>),
    /// For which the inner scope's thread works under a context, or an ambient scope: to it, that is all others' work.
    Elsewhere(Arc<Shared>),
}

impl Around {
    fn shared(&self) -> Option<&Shared> {
        match self {
            Self::Nobody => None,
            Self::Here(shared) | Self::Elsewhere(shared) => Some(shared),
        }
    }
}

impl Shared {
    /// The nodes are in the order of their numbers. The lane is held until this is dropped, so a block that is allocated under the context
    /// always has its home.
    pub(crate) fn new(lane: &'static Lane, path: PathId, nodes: Vec<PathId>, around: Around) -> Self {
        let around_is_whole =
            around.shared().is_none_or(|around| around.path_is_whole && path.leads_through(&[around.path]));
        let path_is_whole = around_is_whole && path.leads_through(&nodes);
        Self::begun(lane, path, nodes, around, path_is_whole)
    }

    /// Of a future, which no captured scope is around; with it, another set of nodes is open at each poll.
    pub(crate) fn of_future(lane: &'static Lane, path: PathId, nodes: Vec<PathId>) -> Self {
        Self::begun(lane, path, nodes, Around::Nobody, false)
    }

    fn begun(lane: &'static Lane, path: PathId, nodes: Vec<PathId>, around: Around, path_is_whole: bool) -> Self {
        lane.hold();
        Self {
            lane,
            path,
            nodes: Lock::new(nodes),
            around,
            path_is_whole,
            closed: AtomicBool::new(false),
            host: Level::ZERO,
            others: OnceLock::new(),
            added: Lock::new(Additions::NONE),
            additions: AtomicU64::new(0),
        }
    }

    /// The flags of a frame that hides what is below it: what is entered above works for this scope.
    pub(crate) fn flags_under(&self) -> u64 {
        UNDER_CONTEXT | if self.path_is_whole { 0 } else { OPEN_OFF_PATH }
    }

    /// Whether a site is open in the chain that events under the context fold into.
    pub(crate) fn has_open(&self, site: u32) -> bool {
        self.has_any_open(|node| node.site() == site)
    }

    /// Whether this very node is.
    pub(crate) fn has_open_node(&self, node: PathId) -> bool {
        self.has_any_open(|open| open == node)
    }

    /// Whether this is true of any node of that chain.
    pub(crate) fn has_any_open(&self, mut is: impl FnMut(PathId) -> bool) -> bool {
        let chain = core::iter::successors(Some(self), |shared| shared.around.shared());
        let mut open = chain.take_while(|shared| !shared.is_closed());
        open.any(|shared| shared.nodes.lock().iter().any(|node| is(*node)))
    }

    /// A poll of this future begins, with which these nodes are open.
    pub(crate) fn begin_poll(&self, nodes: Vec<PathId>) {
        let before = core::mem::replace(&mut *self.nodes.lock(), nodes);
        drop(before);
    }

    /// A poll of this future ends: until the next one, it is open alone.
    pub(crate) fn end_poll(&self) {
        self.nodes.lock().retain(|node| *node == self.path);
    }

    /// Whether what happens here is part of `outer`.
    pub(crate) fn is_inside(&self, outer: &Self) -> bool {
        core::iter::successors(self.around.shared(), |shared| shared.around.shared())
            .any(|shared| core::ptr::eq(shared, outer))
    }

    /// Whether the scope was left.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The scope is being left: from now on nothing is added. What threads still hold that are under the context
    /// reaches nobody, so the scopes around hold it no longer.
    pub(crate) fn close(&self) {
        let added = self.added.lock();
        self.closed.store(true, Ordering::Release);
        for (space, level) in self.levels() {
            let finished = added.of(space).unwrap_or_default().counters;
            let [bytes, blocks] = level.close();
            self.publish_around(space, [finished.current_bytes - bytes, finished.current_blocks - blocks]);
        }
    }

    /// The level of a space, made now if there is none; `None` where there is no memory for it, which is noted: then the
    /// scope's peak there is that of its own lane.
    pub(crate) fn level(&self, space: Space) -> Option<&Level> {
        if space == Space::HOST { Some(&self.host) } else { self.others().map(|others| &others[space.index()]) }
    }

    /// Made first and put in then: an allocator of the program may come by in between.
    fn others(&self) -> Option<&[Level; MOST_SPACES]> {
        if let Some(others) = self.others.get() {
            return Some(others);
        }
        let _blind = blind::enter();
        let mut made = Vec::new();
        if made.try_reserve_exact(MOST_SPACES).is_err() {
            missed::note(Refused::NoMemory);
            return None;
        }
        made.extend([const { Level::ZERO }; MOST_SPACES]);
        // As many as there is room for, so this moves nothing.
        let made = made.into_boxed_slice().try_into().ok()?;
        Some(self.others.get_or_init(|| made))
    }

    /// The level of a space, if there is one: for those who read.
    fn known_level(&self, space: Space) -> Option<&Level> {
        if space == Space::HOST { Some(&self.host) } else { self.others.get().map(|others| &others[space.index()]) }
    }

    /// The levels that are there.
    pub(crate) fn levels(&self) -> impl Iterator<Item = (Space, &Level)> {
        let others = self.others.get().into_iter().flat_map(|levels| levels.iter().enumerate());
        let others = others.map(|(index, level)| (Space::of_index(index), level));
        [(Space::HOST, &self.host)].into_iter().chain(others.filter(|(space, _)| *space != Space::HOST))
    }

    /// Whether anything was ever published or added in a space.
    pub(crate) fn has(&self, space: Space) -> bool {
        self.pending(space).is_some() || self.levels().any(|(of, level)| of == space && !level.is_untouched())
    }

    /// A change of the level of one thread under the context.
    pub(crate) fn publish(&self, space: Space, bytes: i64, blocks: i64) {
        if !self.is_closed() {
            self.publish_here(space, [bytes, blocks]);
        }
    }

    /// [`publish`](Self::publish), whether the scope was left or not. What of it the level refuses, as it was
    /// closed in between, the scopes around do not get either.
    fn publish_here(&self, space: Space, more: [i64; 2]) {
        let Some(level) = self.level(space) else { return };
        let more = level.add_others(more);
        level.add(more);
        self.publish_around(space, more);
    }

    /// A change of this scope's level, for those around: as work of others where this scope is theirs by way of a
    /// context, and as their own lane's where it is open on the same thread.
    fn publish_around(&self, space: Space, more: [i64; 2]) {
        match &self.around {
            _ if more == [0; 2] => {}
            Around::Nobody => {}
            Around::Elsewhere(around) => around.publish_here(space, more),
            Around::Here(around) => {
                if let Some(level) = around.level(space) {
                    level.add(more);
                }
                around.publish_around(space, more);
            }
        }
    }

    /// A change of the level of the captured scope's own lane; its ancestors there publish their own.
    pub(crate) fn publish_own(&self, space: Space, bytes: i64, blocks: i64) {
        if let Some(level) = self.level(space) {
            level.add([bytes, blocks]);
        }
    }

    /// The scope is captured: its own lane recorded `own`, a future's in this poll, after it had recorded `before`.
    pub(crate) fn begin(&self, space: Space, before: &Counters, own: &Counters) {
        if let Some(level) = self.level(space) {
            level.begin(before, own);
        }
    }

    /// What a thread added between entering the context and dropping the guard, by space, with what of it was
    /// published; unless the scope was left, or `is_still_out` says that it was added before.
    pub(crate) fn finish(
        &self,
        is_still_out: impl FnOnce() -> bool,
        parts: impl IntoIterator<Item = (Space, Tally, Published)>,
    ) {
        let mut added = self.added.lock();
        if self.is_closed() || !is_still_out() {
            return;
        }
        for (space, tally, Published { now, most: [most_bytes, most_blocks] }) in parts {
            let counters = &tally.counters;
            // What was reached beyond the steps published: less than a step.
            let beyond_bytes = (counters.peak_bytes - most_bytes).clamp(0, STEP.cast_signed());
            let beyond_blocks = if most_bytes == 0 { (counters.peak_blocks - most_blocks).max(0) } else { 0 };
            self.raise_above(space, [beyond_bytes, beyond_blocks]);
            self.publish_here(space, minus(counters.value(), now));
            self.note_added(&mut added, space, &tally);
        }
    }

    /// The peaks of this scope and of those around it are at least this much above their levels.
    pub(crate) fn raise_above(&self, space: Space, more: [i64; 2]) {
        for shared in core::iter::successors(Some(self), |shared| shared.around.shared()) {
            if let Some(level) = shared.level(space) {
                level.raise_above(more);
            }
        }
    }

    /// Adds what an ambient scope opened in this one recorded; its level was published all along.
    pub(crate) fn add(&self, space: Space, tally: &Tally) {
        let mut added = self.added.lock();
        if !self.is_closed() {
            self.note_added(&mut added, space, tally);
        }
    }

    /// Folds a part into what was added; the count of additions tells a thread that polls this future that there is
    /// news.
    fn note_added(&self, added: &mut Additions, space: Space, tally: &Tally) {
        added.fold(space, tally);
        self.additions.fetch_add(1, Ordering::Release);
    }

    /// Takes what was added to a space since the last call.
    ///
    /// By the thread that leaves the scope, or ends a poll: whoever takes must put it into the ledger, or it is
    /// lost.
    pub(crate) fn take(&self, space: Space) -> Added {
        self.added.lock().take(space)
    }

    /// What was added since the last [`take`](Self::take).
    pub(crate) fn pending(&self, space: Space) -> Option<Tally> {
        self.added.lock().of(space)
    }

    /// Gives what was added and not forwarded yet to `see`, by space.
    pub(crate) fn forward_added(&self, see: impl FnMut(Space, [i64; 2])) {
        self.added.lock().forward(see);
    }

    /// Adds what happened under the context and is not taken yet, and in ambient scopes opened in it, to what the
    /// scope's own lane recorded: for a future what one poll did, after it had recorded `before`. Adds to
    /// `unfinished` what threads hold that are still under it.
    ///
    /// The peak is that of the sum, so it may be below the value while threads are under the context: what they freed
    /// is in the value when they have left it.
    pub(crate) fn complete(
        &self,
        space: Space,
        own: &Tally,
        before: &Counters,
        ambient: &Tally,
        unfinished: &mut [i64; 2],
    ) -> Tally {
        let mut added = self.pending(space).unwrap_or_default();
        added.fold(ambient);
        let [bytes, blocks] = self.known_level(space).map_or([0; 2], |level| level.unfinished(&added.counters));
        *unfinished = [unfinished[0] + bytes, unfinished[1] + blocks];
        let mut sum = self.sum(space, own, &added, before);
        let counters = &mut sum.counters;
        counters.peak_bytes = counters.peak_bytes.max(counters.current_bytes + unfinished[0]);
        counters.peak_blocks = counters.peak_blocks.max(counters.current_blocks + unfinished[1]);
        sum
    }

    /// What its own lane recorded together with what was added.
    pub(crate) fn sum(&self, space: Space, own: &Tally, added: &Tally, before: &Counters) -> Tally {
        let mut sum = *own;
        sum.fold(added);
        if let Some(level) = self.known_level(space) {
            [sum.counters.peak_bytes, sum.counters.peak_blocks] = level.peak(&own.counters, before);
        }
        sum
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.lane.release();
    }
}
