//! What a scope and the threads that work for it under a [`Context`](crate::Context) have in common.
//!
//! A thread that entered the context counts in its own slot. Two things reach the captured scope: what the thread
//! added, whole, when it drops the guard ([`Shared::finish`]); and its level, in steps, so that the captured scope's
//! peak is the peak of the sum ([`Shared::publish`]). The scope takes in what was added when it is left
//! ([`Shared::take`]). Once it has been left, [`close`](Shared::close)d, nothing is added to it or to its ancestors.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::blind;
use crate::counters::{Counters, Tally};
use crate::frame::{Frame, Kind, Published};
use crate::lane::{HandOver, Lane};
use crate::net::STEP;
use crate::path::PathId;
use crate::slot::Slot;
use crate::space::{MOST_SPACES, Space};
use crate::system::Counter;

use level::Level;

mod level;

/// A captured scope.
pub(crate) struct Shared {
    /// Where the scope was open: home of what is allocated under the context. Held.
    pub(crate) lane: &'static Lane,
    pub(crate) path: PathId,
    /// The nodes that are open with it, but for those of the scope around: what it was opened in, and it. More than its
    /// path where a recursion led back to a node further up; less where a scope has ended that gives the path.
    nodes: Vec<PathId>,
    /// Whether hand-overs to the lane are this scope's, or those of scopes inside it, for as long as it is open.
    gets_hand_overs: bool,
    around: Around,
    closed: AtomicBool,
    host: Level,
    others: OnceLock<Box<[Level; MOST_SPACES]>>,
    added: Mutex<Vec<(Space, Tally)>>,
}

/// The captured scope that another one folds into.
pub(crate) enum Around {
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
    pub(crate) fn new(lane: &'static Lane, path: PathId, nodes: Vec<PathId>, around: Around) -> Self {
        lane.hold();
        Self {
            lane,
            path,
            nodes,
            gets_hand_overs: false,
            around,
            closed: AtomicBool::new(false),
            host: Level::ZERO,
            others: OnceLock::new(),
            added: Mutex::new(Vec::new()),
        }
    }

    /// The scope is on its lane's own thread or task, and there as long as it is open.
    pub(crate) fn getting_hand_overs(mut self) -> Self {
        self.gets_hand_overs = true;
        self
    }

    /// Whether a site is open in the chain that events under the context fold into.
    pub(crate) fn has_open(&self, site: u32) -> bool {
        self.open_nodes().any(|node| node.site() == site)
    }

    /// Whether this very node is.
    pub(crate) fn has_open_node(&self, node: PathId) -> bool {
        self.open_nodes().any(|open| open == node)
    }

    /// The nodes of that chain.
    pub(crate) fn open_nodes(&self) -> impl Iterator<Item = PathId> {
        let open = core::iter::successors(Some(self), |shared| shared.around.shared());
        open.take_while(|shared| !shared.is_closed()).flat_map(|shared| shared.nodes.iter().copied())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The scope is being left: from now on nothing is added. What threads still hold that are under the context reaches
    /// nobody, so the scopes around hold it no longer.
    pub(crate) fn close(&self) {
        let added = self.added();
        self.closed.store(true, Ordering::Release);
        for (space, level) in self.levels() {
            let finished = find(&added, space).unwrap_or_default().counters;
            let [bytes, blocks] = level.close();
            self.publish_around(space, [finished.current_bytes - bytes, finished.current_blocks - blocks]);
        }
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

    fn levels(&self) -> impl Iterator<Item = (Space, &Level)> {
        let others = self.others.get().into_iter().flat_map(|levels| levels.iter().enumerate());
        let others = others.map(|(index, level)| (Space::of_index(index), level));
        [(Space::HOST, &self.host)].into_iter().chain(others.filter(|(space, _)| *space != Space::HOST))
    }

    /// Whether anything was ever published or added in a space.
    fn has(&self, space: Space) -> bool {
        self.pending(space).is_some() || self.levels().any(|(of, level)| of == space && !level.is_untouched())
    }

    /// Hand-overs to the scope that its lane has not seen yet: the level is too high by these.
    fn waiting(&self, space: Space) -> HandOver {
        if self.gets_hand_overs { self.lane.waiting(space) } else { HandOver::default() }
    }

    /// A change of the level of one thread under the context.
    pub(crate) fn publish(&self, space: Space, bytes: i64, blocks: i64) {
        if !self.is_closed() {
            self.publish_here(space, [bytes, blocks]);
        }
    }

    fn publish_here(&self, space: Space, more: [i64; 2]) {
        let level = self.level(space);
        let more = level.add_others(more);
        level.add(more, self.waiting(space));
        self.publish_around(space, more);
    }

    fn publish_around(&self, space: Space, more: [i64; 2]) {
        match &self.around {
            _ if more == [0; 2] => {}
            Around::Nobody => {}
            Around::Elsewhere(around) => around.publish_here(space, more),
            Around::Here(around) => {
                around.level(space).add(more, around.waiting(space));
                around.publish_around(space, more);
            }
        }
    }

    /// A change of the level of the captured scope's own lane, which has seen all hand-overs; its ancestors there publish
    /// their own.
    pub(crate) fn publish_own(&self, space: Space, bytes: i64, blocks: i64) {
        self.level(space).add([bytes, blocks], HandOver::default());
    }

    /// The scope is captured: its own lane recorded `own`, a future's in this poll, after it had recorded `before`.
    pub(crate) fn begin(&self, space: Space, before: &Counters, own: &Counters) {
        self.level(space).begin(before, own);
    }

    /// What a thread added between entering the context and dropping the guard, of which it had published `published`.
    pub(crate) fn finish(&self, space: Space, tally: &Tally, published: Part) {
        let counters = &tally.counters;
        let mut added = self.added();
        if self.is_closed() {
            return;
        }
        // What was reached beyond the steps published: less than a step.
        let beyond_bytes = (counters.peak_bytes - published.most_bytes).clamp(0, STEP);
        let beyond_blocks = (counters.peak_blocks - published.most_blocks).max(0);
        let beyond = [beyond_bytes, if published.most_bytes == 0 { beyond_blocks } else { 0 }];
        self.raise_above(space, beyond);
        let rest = [counters.current_bytes - published.bytes, counters.current_blocks - published.blocks];
        self.publish_here(space, rest);
        add_to(&mut added, space, tally);
    }

    /// The peaks of this scope and of those around it are at least this much above their levels.
    fn raise_above(&self, space: Space, more: [i64; 2]) {
        for shared in core::iter::successors(Some(self), |shared| shared.around.shared()) {
            shared.level(space).raise_above(more, shared.waiting(space));
        }
    }

    /// Adds what an ambient scope opened in this one recorded; its level was published all along.
    pub(crate) fn add(&self, space: Space, tally: &Tally) {
        let mut added = self.added();
        if !self.is_closed() {
            add_to(&mut added, space, tally);
        }
    }

    /// Takes what was added to a space since the last call.
    pub(crate) fn take(&self, space: Space) -> Tally {
        let mut added = self.added();
        let place = added.iter().position(|(known, _)| *known == space);
        place.map(|place| added.swap_remove(place).1).unwrap_or_default()
    }

    /// What was added since the last [`take`](Self::take).
    pub(crate) fn pending(&self, space: Space) -> Option<Tally> {
        find(&self.added(), space)
    }

    /// Adds what happened under the context, and is not taken yet, to what the scope's own lane recorded: for a future
    /// what one poll did, after it had recorded `before`. Adds to `unfinished` what threads hold that are still under it.
    ///
    /// The peak is that of the sum, so it may be below the value while threads are under the context: what they freed
    /// is in the value when they have left it.
    pub(crate) fn complete(&self, space: Space, own: &Tally, before: &Counters, unfinished: &mut [i64; 2]) -> Tally {
        let added = self.pending(space).unwrap_or_default();
        let [bytes, blocks] = self.level(space).unfinished(&added.counters);
        *unfinished = [unfinished[0] + bytes, unfinished[1] + blocks];
        let mut sum = self.sum(space, own, &added, before);
        let counters = &mut sum.counters;
        let waiting = self.waiting(space);
        let now_bytes = counters.current_bytes + unfinished[0] - waiting.bytes.cast_signed();
        let now_blocks = counters.current_blocks + unfinished[1] - waiting.blocks.cast_signed();
        counters.peak_bytes = counters.peak_bytes.max(now_bytes);
        counters.peak_blocks = counters.peak_blocks.max(now_blocks);
        sum
    }

    /// What its own lane recorded together with what was added.
    pub(crate) fn sum(&self, space: Space, own: &Tally, added: &Tally, before: &Counters) -> Tally {
        let mut sum = *own;
        sum.fold(added);
        [sum.counters.peak_bytes, sum.counters.peak_blocks] = self.level(space).peak(&own.counters, before);
        sum
    }
}

fn find(sums: &[(Space, Tally)], space: Space) -> Option<Tally> {
    sums.iter().find(|(known, _)| *known == space).map(|(_, tally)| *tally)
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

/// How much of a frame's own level its [`Shared`] knows of: what it was last, and the most it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    bytes: i64,
    blocks: i64,
    most_bytes: i64,
    most_blocks: i64,
}

impl Frame {
    /// What the future of this frame recorded before this poll; nothing if this is no poll. The level of a captured
    /// future counts from its first poll.
    pub(crate) fn before_poll(&self, space: Space) -> Tally {
        let future = if self.kind() == Kind::Poll { self.future.get() } else { None };
        future.and_then(|future| future.activation.tally(space)).unwrap_or_default()
    }

    /// What was published of the `tally` of this frame.
    pub(crate) fn published_of(&self, space: Space, tally: &Tally) -> Part {
        if space == Space::HOST {
            let Published { bytes, blocks, most_bytes, most_blocks } = &self.published;
            let [bytes, blocks, most_bytes, most_blocks] =
                [bytes, blocks, most_bytes, most_blocks].map(Counter::signed);
            Part { bytes, blocks, most_bytes, most_blocks }
        } else {
            let c = tally.counters;
            let (bytes, blocks) = (c.current_bytes, c.current_blocks);
            Part { bytes, blocks, most_bytes: c.peak_bytes, most_blocks: c.peak_blocks }
        }
    }

    /// Notes that its [`Shared`] knows of this much more, on the host.
    pub(crate) fn note_published(&self, bytes: i64, blocks: i64) {
        let Published { bytes: of_bytes, blocks: of_blocks, most_bytes, most_blocks } = &self.published;
        for (of, more, most) in [(of_bytes, bytes, most_bytes), (of_blocks, blocks, most_blocks)] {
            of.add(more.cast_unsigned());
            most.set(most.signed().max(of.signed()).cast_unsigned());
        }
    }

    /// Publishes that this frame, the top, has recorded `sum` where `own` was published: to the scopes below it on this
    /// thread that share.
    fn publish_absorbed(&self, space: Space, own: &Counters, sum: &Counters) {
        let more = [sum.current_bytes - own.current_bytes, sum.current_blocks - own.current_blocks];
        let above = [sum.peak_bytes - own.current_bytes, sum.peak_blocks - own.current_blocks];
        // The scope around a captured one has had this all along; a future has none.
        let mut known = self.kind() != Kind::Poll;
        let below = core::iter::successors(self.sharing_below.get(), |frame| frame.sharing_below.get());
        for frame in below {
            let Some(shared) = frame.shared() else { return };
            let in_context = frame.kind() == Kind::Context;
            if !known && in_context {
                shared.raise_above(space, above);
                shared.publish(space, more[0], more[1]);
            } else if !known {
                shared.level(space).raise_above(above, HandOver::default());
                shared.publish_own(space, more[0], more[1]);
            }
            if space == Space::HOST {
                frame.note_published(more[0], more[1]);
            }
            if in_context {
                return;
            }
            known &= frame.kind() != Kind::Poll;
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
            let published = frame.published_of(Space::HOST, &tally);
            let bytes = tally.counters.current_bytes - published.bytes;
            let blocks = tally.counters.current_blocks - published.blocks;
            if bytes.abs() >= step
                && let Some(shared) = frame.shared()
            {
                if frame.kind() == Kind::Context {
                    shared.publish(Space::HOST, bytes, blocks);
                } else {
                    shared.publish_own(Space::HOST, bytes, blocks);
                }
                frame.note_published(bytes, blocks);
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
        let spaces = Space::all().filter(|space| frame.has(space.bit()) || shared.has(*space));
        for space in spaces {
            let added = shared.take(space);
            let Some(ledger) = self.ledger(space) else { continue };
            if !ledger.touched.is(frame) && self.touch(space, ledger).is_none() {
                continue;
            }
            let own = ledger.tally();
            let sum = shared.sum(space, &own, &added, &frame.before_poll(space).counters);
            self.sequence.open();
            self.keep_net(space, || ledger.absorb(&added, &sum.counters));
            self.sequence.close();
            if frame.kind() == Kind::Poll {
                shared.level(space).turn(&added.counters);
            }
            frame.publish_absorbed(space, &own.counters, &sum.counters);
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
