//! What a scope and the threads that work for it under a [`Context`](crate::Context) have in common.
//!
//! A thread that entered the context counts in its own slot. Two things reach the captured scope: what the thread
//! added, whole, when it drops the guard ([`Shared::finish`]); and its level, in steps, so that the captured scope's
//! peak is the peak of the sum ([`Shared::publish`]). The scope takes in what was added when it is left
//! ([`Shared::take`]). Once it has been left, [`close`](Shared::close)d, nothing is added to it or to its ancestors.
//!
//! A change of a scope's level reaches the captured scopes around it at once, but for a future: what that is being polled
//! in changes from poll to poll. There, what was added reaches them at the beginning of a poll and at each event of the
//! polling thread ([`Slot::tell_finished`]).

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::ambient;
use crate::blind;
use crate::counters::{Counters, Tally};
use crate::frame::{Frame, Kind, Published};
use crate::lane::{HandOver, Lane};
use crate::lock::Lock;
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
    added: Lock<Vec<(Space, Added)>>,
    /// How often something was added.
    additions: AtomicU64,
}

/// What was added in a space and not taken yet.
#[derive(Clone, Copy, Default)]
struct Added {
    tally: Tally,
    /// The part of its value that the scopes were told that a future is being polled in.
    told: [i64; 2],
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
            added: Lock::new(Vec::new()),
            additions: AtomicU64::new(0),
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
        let added = self.added.lock();
        self.closed.store(true, Ordering::Release);
        for (space, level) in self.levels() {
            let finished = find(&added, space).unwrap_or_default().tally.counters;
            let [bytes, blocks] = level.close();
            self.publish_around(space, [finished.current_bytes - bytes, finished.current_blocks - blocks]);
        }
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
        let mut added = self.added.lock();
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
        self.note_added(&mut added, space, tally);
    }

    /// The peaks of this scope and of those around it are at least this much above their levels.
    fn raise_above(&self, space: Space, more: [i64; 2]) {
        for shared in core::iter::successors(Some(self), |shared| shared.around.shared()) {
            shared.level(space).raise_above(more, shared.waiting(space));
        }
    }

    /// Adds what an ambient scope opened in this one recorded; its level was published all along.
    pub(crate) fn add(&self, space: Space, tally: &Tally) {
        let mut added = self.added.lock();
        if !self.is_closed() {
            self.note_added(&mut added, space, tally);
        }
    }

    fn note_added(&self, added: &mut Vec<(Space, Added)>, space: Space, tally: &Tally) {
        match added.iter_mut().find(|(known, _)| *known == space) {
            Some((_, sum)) => sum.tally.fold(tally),
            None => added.push((space, Added { tally: *tally, told: [0; 2] })),
        }
        self.additions.fetch_add(1, Ordering::Release);
    }

    /// Takes what was added to a space since the last call.
    fn take(&self, space: Space) -> Added {
        let mut added = self.added.lock();
        let place = added.iter().position(|(known, _)| *known == space);
        place.map(|place| added.swap_remove(place).1).unwrap_or_default()
    }

    /// What was added since the last [`take`](Self::take).
    pub(crate) fn pending(&self, space: Space) -> Option<Tally> {
        find(&self.added.lock(), space).map(|added| added.tally)
    }

    /// Gives what was added and not told yet to `tell`, by space.
    fn tell(&self, mut tell: impl FnMut(Space, [i64; 2])) {
        for (space, added) in self.added.lock().iter_mut() {
            let value = added.tally.counters.value();
            let news = [value[0] - added.told[0], value[1] - added.told[1]];
            added.told = value;
            tell(*space, news);
        }
    }

    /// Adds what happened under the context and in ambient scopes, and is not taken yet, to what the scope's own lane recorded: for a future
    /// what one poll did, after it had recorded `before`. Adds to `unfinished` what threads hold that are still under it.
    ///
    /// The peak is that of the sum, so it may be below the value while threads are under the context: what they freed
    /// is in the value when they have left it.
    pub(crate) fn complete(&self, space: Space, own: &Tally, before: &Counters, unfinished: &mut [i64; 2]) -> Tally {
        let mut added = self.pending(space).unwrap_or_default();
        added.fold(&ambient::inside(self, space));
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

fn find(sums: &[(Space, Added)], space: Space) -> Option<Added> {
    sums.iter().find(|(known, _)| *known == space).map(|(_, added)| *added)
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

    /// [`published_of`](Self::published_of) `tally`, which is what this frame's `own` ledger has together with what was added
    /// under contexts captured above it: that was published when it was added.
    pub(crate) fn published_with(&self, space: Space, own: &Tally, tally: &Tally) -> Part {
        if space != Space::HOST {
            return self.published_of(space, tally);
        }
        let [bytes, blocks] = minus(tally.counters.value(), own.counters.value());
        let part = self.published_of(space, own);
        Part { bytes: part.bytes + bytes, blocks: part.blocks + blocks, ..part }
    }

    /// Notes that its [`Shared`] knows of this much more, on the host.
    pub(crate) fn note_published(&self, bytes: i64, blocks: i64) {
        let Published { bytes: of_bytes, blocks: of_blocks, most_bytes, most_blocks } = &self.published;
        for (of, more, most) in [(of_bytes, bytes, most_bytes), (of_blocks, blocks, most_blocks)] {
            of.add(more.cast_unsigned());
            most.set(most.signed().max(of.signed()).cast_unsigned());
        }
    }

    /// Publishes that this frame, the top, has recorded `sum` where `own` was published, and `told` was told of: to the
    /// scopes below it on this thread that share.
    fn publish_absorbed(&self, space: Space, own: &Counters, sum: &Counters, told: [i64; 2]) {
        let more = minus(sum.value(), own.value());
        // What the own lane reached by itself was published as it came to that.
        let [beyond_bytes, beyond_blocks] = [sum.peak_bytes > own.peak_bytes, sum.peak_blocks > own.peak_blocks];
        let above = minus(minus([sum.peak_bytes, sum.peak_blocks], own.value()), told);
        let above = [if beyond_bytes { above[0] } else { 0 }, if beyond_blocks { above[1] } else { 0 }];
        self.each_below(|frame, shared| {
            if let Some(shared) = shared {
                frame.raise_level(shared, space, above);
                frame.publish_level(shared, space, minus(more, told));
            }
            if space == Space::HOST {
                frame.note_published(more[0], more[1]);
            }
        });
    }

    /// Gives the frames below this one that share to `see`, as far as they see it; with what they share, if nothing else
    /// tells that of a change inside this frame. The scope around a captured one is told at once, a future has none.
    fn each_below(&self, mut see: impl FnMut(&Self, Option<&Shared>)) {
        let mut told = self.kind() != Kind::Poll;
        let below = core::iter::successors(self.sharing_below.get(), |frame| frame.sharing_below.get());
        for frame in below {
            let Some(shared) = frame.shared() else { return };
            see(frame, Some(&*shared).filter(|_| !told));
            if frame.kind() == Kind::Context {
                return;
            }
            told &= frame.kind() != Kind::Poll;
        }
    }

    /// A change inside this frame, whose level `shared` has: for a context the work of others, or else its own lane's.
    fn publish_level(&self, shared: &Shared, space: Space, [bytes, blocks]: [i64; 2]) {
        if self.kind() == Kind::Context {
            shared.publish(space, bytes, blocks);
        } else {
            shared.publish_own(space, bytes, blocks);
        }
    }

    fn raise_level(&self, shared: &Shared, space: Space, above: [i64; 2]) {
        if self.kind() == Kind::Context {
            shared.raise_above(space, above);
        } else {
            shared.level(space).raise_above(above, HandOver::default());
        }
    }
}

fn minus(one: [i64; 2], other: [i64; 2]) -> [i64; 2] {
    [one[0] - other[0], one[1] - other[1]]
}

impl Slot {
    /// Publishes the levels of the frames of this thread that share, where they changed by `step` bytes or more, in
    /// `host`.
    #[cold]
    pub(crate) fn publish_shared(&'static self, step: i64) {
        let _blind = blind::enter();
        self.tell_finished();
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
                frame.publish_level(&shared, Space::HOST, [bytes, blocks]);
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
        self.tell_finished();
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

    /// Tells the scopes that a future is being polled in of what was added under its context, and under those of scopes
    /// inside it: before the next event of this thread, as if it had happened right now.
    pub(crate) fn tell_finished(&'static self) {
        let sharing = || core::iter::successors(self.sharing.get(), |frame| frame.sharing_below.get());
        let on_this_lane = || sharing().take_while(|frame| frame.kind() != Kind::Context);
        if !on_this_lane().any(|frame| frame.kind() == Kind::Poll) {
            return;
        }
        for frame in on_this_lane() {
            let Some(shared) = frame.shared() else { return };
            let additions = shared.additions.load(Ordering::Acquire);
            if frame.additions.get() != additions {
                frame.additions.set(additions);
                shared.tell(|space, news| {
                    frame.each_below(|below, shared| {
                        if let Some(shared) = shared {
                            below.publish_level(shared, space, news);
                        }
                    });
                });
            }
        }
    }

    /// Takes in what was added under the contexts captured at the top frame.
    pub(crate) fn absorb(&'static self, frame: &'static Frame, shared: &Shared) {
        let spaces = Space::all().filter(|space| frame.has(space.bit()) || shared.has(*space));
        for space in spaces {
            let Added { tally: added, told } = shared.take(space);
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
            frame.publish_absorbed(space, &own.counters, &sum.counters, told);
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
