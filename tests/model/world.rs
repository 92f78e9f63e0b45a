//! A brute-force model of what the numbers mean, written to be obviously right and in no hurry.
//!
//! Blocks live in a map, activations in one vector that only grows, and nothing is folded: what a scope
//! holds is summed over its children each time it is asked for, and after every single event each open
//! activation compares that sum with the highest it has seen. So `peak` is by definition "the most that
//! this scope and everything under it held at once, above its entry", and the formulas of the contract
//! must come out at the same numbers.

use std::collections::BTreeMap;

/// Number of spaces that the model knows.
pub(crate) const SPACES: usize = 3;

pub(crate) type Thread = usize;
pub(crate) type Lane = usize;
pub(crate) type Node = usize;
pub(crate) type Space = usize;
pub(crate) type Address = u64;
/// The sites of a path, outermost first; each stands once.
pub(crate) type Path = Vec<usize>;

/// What one activation counted in one space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) value: i64,
    pub(crate) total: i64,
    pub(crate) blocks_value: i64,
    pub(crate) blocks_total: i64,
    pub(crate) failed: u64,
    pub(crate) reallocs: u64,
    pub(crate) largest: u64,
}

impl Numbers {
    fn add(&mut self, other: Numbers) {
        self.value += other.value;
        self.total += other.total;
        self.blocks_value += other.blocks_value;
        self.blocks_total += other.blocks_total;
        self.failed += other.failed;
        self.reallocs += other.reallocs;
        self.largest = self.largest.max(other.largest);
    }
}

/// What `counters()` of an open scope must say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) current_bytes: i64,
    pub(crate) current_blocks: i64,
    pub(crate) peak_bytes: i64,
    pub(crate) peak_blocks: i64,
    pub(crate) total_bytes: i64,
    pub(crate) total_blocks: i64,
}

/// What a report row must say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Row {
    pub(crate) ncalls: u64,
    pub(crate) memory_peak: u64,
    pub(crate) memory_total: u64,
    pub(crate) blocks_total: u64,
    pub(crate) reallocs: u64,
    pub(crate) failed: u64,
    pub(crate) largest: u64,
    pub(crate) self_total: u64,
    pub(crate) self_blocks: u64,
    pub(crate) live: i64,
    pub(crate) live_blocks: i64,
    pub(crate) at_peak: u64,
    pub(crate) at_peak_blocks: u64,
    pub(crate) temporary: u64,
    pub(crate) kept: i64,
    pub(crate) kept_calls: u64,
    /// Something was added under a `Context`: `memory_peak` holds to within the bound of the contract.
    pub(crate) approximate: bool,
    /// And it may be higher.
    pub(crate) at_least: bool,
    /// Or lower.
    pub(crate) is_open: bool,
    /// A `Context` is entered now: what reaches the captured scope is not promised yet.
    pub(crate) in_motion: bool,
    /// A thread began or ended under an ambient scope: what the system's library did then is in its row of `host`.
    pub(crate) has_strangers: bool,
    /// The peak may be above what was live at once.
    pub(crate) is_above_live: bool,
}

/// What the process-wide numbers of a space must say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) live: i64,
    pub(crate) live_blocks: i64,
    pub(crate) peak: u64,
    pub(crate) peak_blocks: u64,
    pub(crate) total: u64,
    pub(crate) blocks_total: u64,
    pub(crate) failed: u64,
    pub(crate) unknown_frees: u64,
    pub(crate) missed_frees: u64,
    pub(crate) no_scope_live: i64,
    pub(crate) no_scope_total: u64,
    pub(crate) no_scope_at_peak: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) bytes: u64,
    pub(crate) home: Lane,
    pub(crate) owner: Path,
    pub(crate) allocated_by: Thread,
    /// Where its bytes were counted: the activations that hold it are these, and those that they fold into.
    counted_in: Vec<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The bottom of a thread.
    Base,
    Scope,
    /// A tracked future; its numbers are those of its polls.
    Future,
    /// One poll (or the drop) of that future: a scope nested in what the polling thread has open.
    Poll(Node),
    /// What a thread does under a `Context` of that future: part of the poll in which it ends, or else of the next.
    Guest(Node),
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Activation {
    kind: Kind,
    path: Path,
    /// What it folds into; nothing under a `Context` that adds to nobody.
    parent: Option<Node>,
    /// The paths of what was open in that chain when it began: whether it is recursive is fixed then.
    around: Vec<Path>,
    own: [Numbers; SPACES],
    peak: [i64; SPACES],
    peak_blocks: [i64; SPACES],
    ended: bool,
    /// Ended before the last `reset()`.
    forgotten: bool,
    approximate: bool,
    /// A block of a task inside it was handed over during a poll: until the polling thread takes note, those that work
    /// for the same scope count the block as held.
    at_least: bool,
    /// A future that is polled inside it had guests meanwhile: those that work for the same scope see that later.
    is_open: bool,
    /// A thread began or ended while it was an open ambient scope, or around one.
    has_strangers: bool,
    /// A block that it held was freed, and by rule 2 that came off others: of a task that was suspended, or polled elsewhere by
    /// then; on the lane that captured the context under which it had been allocated, or had left it to; on a thread that worked
    /// for another ambient scope by then, or for none.
    is_above_live: bool,
}

/// Where a thread is: what the innermost of thread, poll and entered `Context` makes the current lane.
#[derive(Clone, Debug)]
struct Place {
    lane: Lane,
    /// What stands under the scopes of this place: a base record, a poll, or a captured scope.
    bottom: Option<Node>,
    bottom_path: Path,
    scopes: Vec<Node>,
    is_context: bool,
    /// An ambient scope, right on the base record: the lane is that scope's, and in scopes here the thread's own.
    is_ambient: bool,
    is_task: bool,
}

#[derive(Clone, Copy, Debug)]
struct LaneState {
    ended: bool,
    /// Whom its blocks go to when it has ended; a thread leaves them to nobody.
    heir: Option<Lane>,
    /// The future that this lane belongs to; none for a thread.
    task: Option<Node>,
}

/// An open ambient scope.
#[derive(Clone, Debug)]
struct Ambient {
    lane: Lane,
    node: Node,
    path: Path,
    /// Whom its blocks go to when it has ended: the lane that it was opened on, if it was opened in a scope.
    heir: Option<Lane>,
}

#[derive(Clone, Debug)]
pub(crate) struct Context {
    lane: Lane,
    scope: Option<Node>,
    path: Path,
}

#[derive(Clone, Debug)]
struct FutureState {
    node: Option<Node>,
    lane: Option<Lane>,
    /// Hand-overs that came while it was suspended, one entry per event.
    waiting: [Vec<Numbers>; SPACES],
    /// Guests since its last poll, and the most that they and those hand-overs came to.
    guests: Vec<Node>,
    guests_peak: [[i64; 2]; SPACES],
}

#[derive(Clone, Debug, Default)]
struct SelfNumbers {
    total: u64,
    blocks: u64,
    temporary: u64,
}

#[derive(Clone, Debug, Default)]
struct SpaceState {
    blocks: BTreeMap<Address, Block>,
    totals: Totals,
    /// Bytes and blocks by owner at the high-water mark.
    picture: BTreeMap<Path, (u64, u64)>,
    selfs: BTreeMap<Path, SelfNumbers>,
    /// The block that each thread allocated last, if nothing else came after it.
    last: BTreeMap<Thread, Address>,
    /// A block of zero bytes was freed at the mark: which of the two pictures stands is not promised.
    mark_is_ambiguous: bool,
}

/// The whole world: threads, lanes, activations, blocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    off: bool,
    nodes: Vec<Activation>,
    lanes: Vec<LaneState>,
    threads: BTreeMap<Thread, Vec<Place>>,
    /// Outermost first.
    ambients: Vec<Ambient>,
    futures: BTreeMap<usize, FutureState>,
    spaces: [SpaceState; SPACES],
    /// Totals of what was added to nobody.
    nobody: [i64; SPACES],
    temporary_is_open: bool,
    /// The most bytes that were live at once in a space since a scope of a site was first entered.
    highest: BTreeMap<(usize, Space), i64>,
}

impl World {
    pub(crate) fn new() -> World {
        World::default()
    }

    // ---- threads

    pub(crate) fn start_thread(&mut self, thread: Thread) {
        let lane = self.lanes.len();
        self.lanes.push(LaneState { ended: false, heir: None, task: None });
        let base = self.open(Kind::Base, Path::new(), None);
        let place = Place {
            lane,
            bottom: Some(base),
            bottom_path: Path::new(),
            scopes: Vec::new(),
            is_context: false,
            is_ambient: false,
            is_task: false,
        };
        self.threads.insert(thread, vec![place]);
    }

    pub(crate) fn end_thread(&mut self, thread: Thread) {
        self.join_ambient(thread);
        let places = self.threads.remove(&thread).expect("the thread runs");
        assert!(places[1..].iter().all(|place| place.is_ambient), "a thread ends outside contexts and polls");
        assert!(places.iter().all(|place| place.scopes.is_empty()), "a thread ends outside scopes");
        self.lanes[places[0].lane] =
            LaneState { ended: true, heir: places.get(1).map(|ambient| ambient.lane), task: None };
        // Its base record stays in the list: the conservation law adds up all of them.
    }

    // ---- scopes

    pub(crate) fn enter(&mut self, thread: Thread, site: usize) -> Option<Node> {
        if self.off {
            return None;
        }
        self.join_ambient(thread);
        let path = extend(&self.path(thread), site);
        let parent = self.innermost(thread);
        let node = self.open(Kind::Scope, path, parent);
        self.place_mut(thread).scopes.push(node);
        Some(node)
    }

    /// Leaves a scope; what was entered inside it and not left ends first. Nothing happens when it has
    /// ended already.
    pub(crate) fn leave(&mut self, thread: Thread, node: Node) {
        let place = self.place_mut(thread);
        let Some(at) = place.scopes.iter().position(|open| *open == node) else { return };
        let mut ending = place.scopes.split_off(at);
        ending.reverse();
        for node in ending {
            self.end_activation(node);
        }
    }

    // ---- contexts

    pub(crate) fn capture(&mut self, thread: Thread) -> Context {
        self.join_ambient(thread);
        let scope = match self.innermost(thread).map(|node| (node, self.nodes[node].kind)) {
            None | Some((_, Kind::Base)) => None,
            // Of a poll, the future; under a future's context, that future.
            Some((_, Kind::Poll(future) | Kind::Guest(future))) => Some(future),
            Some((node, Kind::Scope | Kind::Future)) => Some(node),
        };
        Context { lane: self.current_lane(thread), scope, path: self.path(thread) }
    }

    pub(crate) fn enter_context(&mut self, thread: Thread, context: &Context) {
        self.join_ambient(thread);
        let mut open = context.scope.filter(|node| !self.nodes[*node].ended);
        if let Some(future) = open.filter(|node| self.nodes[*node].kind == Kind::Future) {
            let poll = self.poll_of(future);
            let guest = self.open(Kind::Guest(future), context.path.clone(), poll);
            if poll.is_none() {
                let state = self.futures.values_mut().find(|state| state.node == Some(future));
                state.expect("it has not ended").guests.push(guest);
            }
            for node in self.chain(poll.and_then(|poll| self.nodes[poll].parent)) {
                self.nodes[node].is_open = true;
            }
            open = Some(guest);
        }
        for node in self.chain(open) {
            self.nodes[node].approximate = true;
        }
        let place = Place {
            lane: context.lane,
            bottom: open,
            bottom_path: context.path.clone(),
            scopes: Vec::new(),
            is_context: true,
            is_ambient: false,
            is_task: false,
        };
        self.threads.get_mut(&thread).expect("the thread runs").push(place);
    }

    pub(crate) fn leave_context(&mut self, thread: Thread) {
        assert!(self.place(thread).is_context);
        self.end_scopes_here(thread);
        let place = self.threads.get_mut(&thread).expect("the thread runs").pop().expect("a context");
        if let Some(guest) = place.bottom.filter(|bottom| matches!(self.nodes[*bottom].kind, Kind::Guest(_))) {
            self.end_activation(guest);
        }
    }

    /// Whether a thread is under a `Context` of a future, or an ambient scope was opened there.
    pub(crate) fn has_guests(&self, future: usize) -> bool {
        let Some(node) = self.futures[&future].node else { return false };
        let bottoms = self.threads.values().flatten().filter_map(|place| place.bottom);
        let parents = self.ambients.iter().filter_map(|ambient| self.nodes[ambient.node].parent);
        bottoms.chain(parents).any(|guest| self.nodes[guest].kind == Kind::Guest(node))
    }

    /// The poll of a future that is under way.
    fn poll_of(&self, future: Node) -> Option<Node> {
        let bottoms = self.threads.values().flatten().filter_map(|place| place.bottom);
        bottoms.into_iter().find(|bottom| self.nodes[*bottom].kind == Kind::Poll(future))
    }

    /// Whether the thread may enter this context in a program whose numbers the contract fixes.
    pub(crate) fn may_enter_context(&self, thread: Thread, context: &Context) -> bool {
        let lane_is_here = self.threads[&thread].iter().any(|place| place.lane == context.lane);
        !lane_is_here && !self.lanes[context.lane].ended
    }

    /// Whether an entered `Context` still adds to this node. An ambient scope counts as if it ended now.
    pub(crate) fn is_in_motion(&self, node: Node) -> bool {
        let contexts = self.threads.values().flatten().filter(|place| place.is_context && !place.is_ambient);
        contexts.map(|place| place.bottom).any(|bottom| self.chain(bottom).contains(&node))
    }

    /// Whether something that adds to this node must end before it.
    pub(crate) fn is_needed(&self, node: Node) -> bool {
        let mut ambients = self.ambients.iter().map(|ambient| ambient.node);
        self.is_in_motion(node) || ambients.any(|ambient| self.chain(Some(ambient)).contains(&node))
    }

    // ---- ambient scopes

    pub(crate) fn open_ambient(&mut self, thread: Thread, site: usize) {
        self.join_ambient(thread);
        let path = extend(&self.path(thread), site);
        // Outside any scope it adds to nobody.
        let parent = self.innermost(thread).filter(|node| self.nodes[*node].kind != Kind::Base);
        for node in self.chain(parent) {
            self.nodes[node].approximate = true;
        }
        let node = self.open(Kind::Scope, path.clone(), parent);
        self.nodes[node].approximate = true;
        let heir = parent.map(|_| self.current_lane(thread));
        self.lanes.push(LaneState { ended: false, heir: None, task: None });
        self.ambients.push(Ambient { lane: self.lanes.len() - 1, node, path, heir });
    }

    pub(crate) fn ambients(&self) -> usize {
        self.ambients.len()
    }

    pub(crate) fn has_ambient(&self) -> bool {
        !self.ambients.is_empty()
    }

    /// A thread that has no scope open works for the newest ambient one, or for none, from its next event on.
    pub(crate) fn join_ambient(&mut self, thread: Thread) {
        if self.off {
            return;
        }
        let places = self.threads.get_mut(&thread).expect("the thread runs");
        if places.len() == 2 && places[1].is_ambient && places[1].scopes.is_empty() {
            places.pop();
        }
        let places = self.threads.get_mut(&thread).expect("the thread runs");
        let is_free = places.len() == 1 && places[0].scopes.is_empty();
        if let Some(ambient) = self.ambients.last().filter(|_| is_free) {
            places.push(Place {
                lane: ambient.lane,
                bottom: Some(ambient.node),
                bottom_path: ambient.path.clone(),
                scopes: Vec::new(),
                is_context: true,
                is_ambient: true,
                is_task: false,
            });
        }
    }

    /// Whether no thread has anything open under the ambient scope at `place`, or under one inside it.
    pub(crate) fn may_end_ambient(&self, place: usize) -> bool {
        let ending = self.ending_with(place);
        let under = |place: &&Place| place.is_ambient && place.bottom.is_some_and(|bottom| ending.contains(&bottom));
        let joined = self.threads.values().filter(|places| places.iter().any(|place| under(&place)));
        joined.into_iter().all(|places| places.len() == 2 && places[1].scopes.is_empty())
            && !ending.iter().any(|node| self.is_in_motion(*node))
    }

    /// Gives the places of all that end, as bits.
    pub(crate) fn end_ambient(&mut self, place: usize) -> u32 {
        let ending = self.ending_with(place);
        let ends = |ambient: &Ambient| ending.contains(&ambient.node);
        let places =
            (0..self.ambients.len()).filter(|place| ends(&self.ambients[*place])).map(|place| 1 << place).sum();
        for ambient in self.ambients.iter().filter(|ambient| ends(ambient)) {
            self.lanes[ambient.lane] = LaneState { ended: true, heir: ambient.heir, task: None };
        }
        self.ambients.retain(|ambient| !ends(ambient));
        // Until its next event, what a thread adds there reaches nobody.
        let ends = |place: &&mut Place| place.is_ambient && place.bottom.is_some_and(|bottom| ending.contains(&bottom));
        self.threads.values_mut().flatten().filter(ends).for_each(|place| place.bottom = None);
        ending.into_iter().rev().for_each(|node| self.end_activation(node));
        places
    }

    /// The ambient scope at this place, and those that were opened right in it, or in those.
    fn ending_with(&self, place: usize) -> Vec<Node> {
        let mut ending = vec![self.ambients[place].node];
        for ambient in &self.ambients[place + 1..] {
            let node = ambient.node;
            if self.nodes[node].parent.is_some_and(|parent| ending.contains(&parent)) {
                ending.push(node);
            }
        }
        ending
    }

    // ---- futures

    pub(crate) fn new_future(&mut self, future: usize) {
        self.futures.insert(
            future,
            FutureState {
                node: None,
                lane: None,
                waiting: Default::default(),
                guests: Vec::new(),
                guests_peak: Default::default(),
            },
        );
    }

    pub(crate) fn is_started(&self, future: usize) -> bool {
        self.futures[&future].node.is_some()
    }

    /// The lane that a started task would leave its blocks to if it ended now.
    pub(crate) fn heir(&self, future: usize) -> Option<Lane> {
        self.futures[&future].lane.and_then(|lane| self.lanes[lane].heir)
    }

    pub(crate) fn current_lane(&self, thread: Thread) -> Lane {
        self.lane_of(thread, self.place(thread))
    }

    /// The lane of what is innermost at one of a thread's places.
    fn lane_of(&self, thread: Thread, place: &Place) -> Lane {
        if place.is_ambient && !place.scopes.is_empty() { self.threads[&thread][0].lane } else { place.lane }
    }

    pub(crate) fn begin_poll(&mut self, thread: Thread, future: usize, site: usize) {
        assert!(!self.off, "the model does not say what a poll while off is");
        self.join_ambient(thread);
        if self.futures[&future].node.is_none() {
            let path = extend(&self.path(thread), site);
            let node = self.open(Kind::Future, path, None);
            let lane = if self.place(thread).is_task {
                None
            } else {
                self.lanes.push(LaneState { ended: false, heir: None, task: Some(node) });
                Some(self.lanes.len() - 1)
            };
            let state = self.futures.get_mut(&future).expect("known future");
            state.node = Some(node);
            state.lane = lane;
        }
        self.begin_turn(thread, future);
        let merged_into = self.threads[&thread].iter().rev().nth(1).map(|place| self.lane_of(thread, place));
        if let Some(lane) = self.futures[&future].lane {
            self.lanes[lane].heir = merged_into;
        }
    }

    /// A poll, or the drop, of a started future.
    fn begin_turn(&mut self, thread: Thread, future: usize) {
        let state = self.futures[&future].clone();
        let node = state.node.expect("started");
        let path = self.nodes[node].path.clone();
        let poll = self.open(Kind::Poll(node), path.clone(), self.innermost(thread));
        let known = self.futures.get_mut(&future).expect("known future");
        (known.waiting, known.guests) = Default::default();
        known.guests_peak = Default::default();
        self.join_guests(poll, &state);
        for space in 0..SPACES {
            for event in &state.waiting[space] {
                self.nodes[poll].own[space].add(*event);
            }
        }
        let lane = state.lane.unwrap_or(self.current_lane(thread));
        let place = Place {
            lane,
            bottom: Some(poll),
            bottom_path: path,
            scopes: Vec::new(),
            is_context: false,
            is_ambient: false,
            is_task: true,
        };
        self.threads.get_mut(&thread).expect("the thread runs").push(place);
    }

    /// What was done under a future's contexts since its last poll is part of this one, from its beginning.
    fn join_guests(&mut self, poll: Node, state: &FutureState) {
        let around = self.chain(self.nodes[poll].parent);
        for space in 0..SPACES {
            let sums = self.sums(space);
            for node in &around {
                let [bytes, blocks] = state.guests_peak[space];
                let activation = &mut self.nodes[*node];
                activation.peak[space] = activation.peak[space].max(sums[*node].value + bytes);
                activation.peak_blocks[space] = activation.peak_blocks[space].max(sums[*node].blocks_value + blocks);
            }
        }
        for guest in &state.guests {
            self.nodes[*guest].parent = Some(poll);
        }
    }

    pub(crate) fn end_poll(&mut self, thread: Thread) {
        self.end_scopes_here(thread);
        let place = self.threads.get_mut(&thread).expect("the thread runs").pop().expect("a poll");
        assert!(place.is_task);
        self.end_activation(place.bottom.expect("a poll"));
    }

    pub(crate) fn begin_drop(&mut self, thread: Thread, future: usize) {
        if self.is_started(future) {
            self.join_ambient(thread);
            self.begin_turn(thread, future);
        }
    }

    pub(crate) fn end_drop(&mut self, thread: Thread, future: usize) {
        let state = self.futures[&future].clone();
        if let Some(node) = state.node {
            self.end_poll(thread);
            self.end_activation(node);
            if let Some(lane) = state.lane {
                // Polled under each other's contexts, two would inherit from each other: the second leaves to nobody.
                let heir = self.lanes[lane].heir.filter(|heir| !self.leaves_to(*heir, lane));
                self.lanes[lane] = LaneState { ended: true, heir, ..self.lanes[lane] };
            }
        }
        self.futures.remove(&future);
    }

    // ---- switching

    pub(crate) fn is_off(&self) -> bool {
        self.off
    }

    pub(crate) fn set_off(&mut self, off: bool) {
        self.off = off;
    }

    pub(crate) fn reset(&mut self) {
        for node in &mut self.nodes {
            node.forgotten |= node.ended;
        }
        for space in &mut self.spaces {
            space.totals = Totals::default();
            space.selfs.clear();
            space.mark_is_ambiguous = false;
        }
        for space in 0..SPACES {
            self.mark(space);
        }
    }

    // ---- events

    pub(crate) fn block(&self, space: Space, address: Address) -> Option<&Block> {
        self.spaces[space].blocks.get(&address)
    }

    pub(crate) fn addresses(&self, space: Space) -> Vec<Address> {
        self.spaces[space].blocks.keys().copied().collect()
    }

    pub(crate) fn alloc(&mut self, thread: Thread, space: Space, address: Address, bytes: u64) {
        if self.off {
            return;
        }
        self.join_ambient(thread);
        if self.spaces[space].blocks.contains_key(&address) {
            self.temporary_is_open |= self.spaces[space].last.get(&thread) == Some(&address);
            self.free(thread, space, address);
            self.spaces[space].totals.missed_frees += 1;
        }
        let owner = self.path(thread);
        let home = self.current_lane(thread);
        let counted_in = self.innermost(thread).into_iter().collect();
        let block = Block { bytes, home, owner: owner.clone(), allocated_by: thread, counted_in };
        let state = &mut self.spaces[space];
        state.blocks.insert(address, block);
        state.last.insert(thread, address);
        let size = signed(bytes);
        let event = Numbers {
            value: size,
            total: size,
            blocks_value: 1,
            blocks_total: 1,
            largest: bytes,
            ..Numbers::default()
        };
        self.count_self(space, &owner, bytes, 1);
        self.charge(self.innermost(thread), space, event);
        self.mark(space);
    }

    pub(crate) fn free(&mut self, thread: Thread, space: Space, address: Address) {
        self.join_ambient(thread);
        let state = &mut self.spaces[space];
        let Some(block) = state.blocks.remove(&address) else {
            if !self.off {
                state.totals.unknown_frees += 1;
            }
            return;
        };
        if state.last.get(&thread) == Some(&address) && block.allocated_by == thread {
            self.temporary_is_open |= self.heir_of(block.home) != self.heir_of(self.current_lane(thread));
            let state = &mut self.spaces[space];
            state.last.remove(&thread);
            state.selfs.entry(block.owner.clone()).or_default().temporary += 1;
        }
        if block.bytes == 0 && self.live(space).0 == signed(self.spaces[space].totals.peak) {
            self.spaces[space].mark_is_ambiguous = true;
        }
        if !self.off {
            self.charge_free(thread, space, &block);
        }
    }

    fn charge_free(&mut self, thread: Thread, space: Space, block: &Block) {
        let event = Numbers { value: -signed(block.bytes), blocks_value: -1, ..Numbers::default() };
        let home = self.heir_of(block.home);
        if self.leaves_to(block.home, self.current_lane(thread)) {
            self.note_above_live(block, self.innermost(thread));
            self.charge(self.innermost(thread), space, event);
            return;
        }
        let Some(home) = home.filter(|home| !self.works_for_ended(*home)) else {
            return self.note_above_live(block, None);
        };
        // A hand-over.
        if let Some(open) = self.innermost_of_lane(home) {
            if self.lanes[home].task.is_some() {
                self.chain(Some(open)).into_iter().for_each(|node| self.nodes[node].at_least = true);
            }
            self.note_above_live(block, Some(open));
            self.charge(Some(open), space, event);
        } else {
            let task = self.lanes[home].task;
            let state = self.futures.values_mut().find(|future| future.node == task).expect("a suspended task");
            state.waiting[space].push(event);
            self.note_above_live(block, task);
            self.raise_peaks();
        }
    }

    pub(crate) fn realloc(&mut self, thread: Thread, space: Space, address: Address, to: Address, bytes: u64) {
        let Some(block) = self.spaces[space].blocks.remove(&address) else {
            self.alloc(thread, space, to, bytes);
            return;
        };
        if self.off {
            // Unknown from now on, and no longer the owner's.
            return;
        }
        self.join_ambient(thread);
        let owner = self.path(thread);
        let here = self.current_lane(thread);
        let at_home = self.leaves_to(block.home, here);
        let node = self.innermost(thread);
        let counted_in =
            if at_home { block.counted_in.iter().copied().chain(node).collect() } else { node.into_iter().collect() };
        let new = Block { bytes, home: here, owner: owner.clone(), allocated_by: thread, counted_in };
        self.spaces[space].blocks.insert(to, new);
        let mut event = Numbers { reallocs: 1, largest: bytes, ..Numbers::default() };
        if at_home {
            let growth = signed(bytes) - signed(block.bytes);
            event.value = growth;
            event.total = growth.max(0);
            if growth < 0 {
                self.note_above_live(&block, node);
            }
            self.count_self(space, &owner, bytes.saturating_sub(block.bytes), 0);
        } else {
            self.charge_free(thread, space, &block);
            event.value = signed(bytes);
            event.total = signed(bytes);
            event.blocks_value = 1;
            event.blocks_total = 1;
            self.count_self(space, &owner, bytes, 1);
        }
        self.charge(self.innermost(thread), space, event);
        self.mark(space);
    }

    pub(crate) fn fail(&mut self, thread: Thread, space: Space) {
        if self.off {
            return;
        }
        self.join_ambient(thread);
        self.spaces[space].totals.failed += 1;
        self.charge(self.innermost(thread), space, Numbers { failed: 1, ..Numbers::default() });
    }

    /// Bytes of a block came off `node`, and what that folds into.
    fn note_above_live(&mut self, block: &Block, node: Option<Node>) {
        let off = self.chain(node);
        let holders: Vec<Node> = block.counted_in.iter().flat_map(|node| self.chain(Some(*node))).collect();
        for holder in holders {
            self.nodes[holder].is_above_live |= !self.nodes[holder].ended && !off.contains(&holder);
        }
    }

    fn count_self(&mut self, space: Space, owner: &Path, bytes: u64, blocks: u64) {
        let state = &mut self.spaces[space];
        state.totals.total += bytes;
        state.totals.blocks_total += blocks;
        let selfs = state.selfs.entry(owner.clone()).or_default();
        selfs.total += bytes;
        selfs.blocks += blocks;
    }

    fn charge(&mut self, node: Option<Node>, space: Space, event: Numbers) {
        match node {
            Some(node) => self.nodes[node].own[space].add(event),
            None => self.nobody[space] += event.total,
        }
        self.raise_peaks();
    }

    /// Every open activation looks at what it and everything under it holds at this moment.
    fn raise_peaks(&mut self) {
        for space in 0..SPACES {
            let sums = self.sums(space);
            for state in self.futures.values_mut() {
                let mut now = Numbers::default();
                state.waiting[space].iter().for_each(|event| now.add(*event));
                state.guests.iter().for_each(|guest| now.add(sums[*guest]));
                let [bytes, blocks] = &mut state.guests_peak[space];
                (*bytes, *blocks) = ((*bytes).max(now.value), (*blocks).max(now.blocks_value));
            }
            for (activation, now) in self.nodes.iter_mut().zip(sums).filter(|(activation, _)| !activation.ended) {
                activation.peak[space] = activation.peak[space].max(now.value);
                activation.peak_blocks[space] = activation.peak_blocks[space].max(now.blocks_value);
            }
        }
    }

    /// The most bytes that were live at once since a scope of this site was first entered.
    pub(crate) fn highest(&self, site: usize, space: Space) -> i64 {
        self.highest.get(&(site, space)).copied().unwrap_or_default()
    }

    /// A thread begins or ends, and its events on the host are not only those of the program.
    pub(crate) fn note_strangers(&mut self) {
        for node in self.ambients.iter().map(|ambient| ambient.node).collect::<Vec<Node>>() {
            for node in self.chain(Some(node)) {
                self.nodes[node].has_strangers = true;
            }
        }
    }

    /// The space's high-water mark; of two equal marks, the later.
    fn mark(&mut self, space: Space) {
        let (bytes, blocks) = self.live(space);
        for (_, highest) in self.highest.iter_mut().filter(|((_, of), _)| *of == space) {
            *highest = bytes.max(*highest);
        }
        let by_owner = self.live_by_owner(space);
        let state = &mut self.spaces[space];
        state.totals.peak_blocks = state.totals.peak_blocks.max(unsigned(blocks));
        if unsigned(bytes) >= state.totals.peak {
            state.totals.peak = unsigned(bytes);
            state.picture = by_owner;
            state.mark_is_ambiguous = false;
        }
    }

    // ---- what must be read

    /// What each node holds: its own events and those of everything that ever ran inside it, the deepest first.
    fn sums(&self, space: Space) -> Vec<Numbers> {
        let mut sums: Vec<Numbers> = self.nodes.iter().map(|activation| activation.own[space]).collect();
        for future in self.futures.values() {
            for event in future.node.iter().flat_map(|_| &future.waiting[space]) {
                sums[future.node.expect("started")].add(*event);
            }
        }
        let depth = |node: &Node| core::iter::successors(Some(*node), |node| self.nodes[*node].parent).count();
        let mut nodes: Vec<Node> = (0..self.nodes.len()).collect();
        nodes.sort_by_cached_key(|node| core::cmp::Reverse(depth(node)));
        for node in nodes {
            let sum = sums[node];
            let Activation { kind, parent, .. } = self.nodes[node];
            if let Some(parent) = parent {
                sums[parent].add(sum);
            }
            match kind {
                Kind::Poll(future) => sums[future].add(sum),
                Kind::Guest(future) if parent.is_none() => sums[future].add(sum),
                Kind::Base | Kind::Scope | Kind::Future | Kind::Guest(_) => {}
            }
        }
        sums
    }

    /// What was handed over to a suspended future, in bytes.
    fn waiting(&self, node: Node, space: Space) -> i64 {
        let future = self.futures.values().find(|future| future.node == Some(node));
        future.map_or(0, |future| future.waiting[space].iter().map(|event| event.value).sum())
    }

    pub(crate) fn counters(&self, node: Node, space: Space) -> Reading {
        let now = self.sums(space)[node];
        Reading {
            current_bytes: now.value,
            current_blocks: now.blocks_value,
            peak_bytes: self.nodes[node].peak[space],
            peak_blocks: self.nodes[node].peak_blocks[space],
            total_bytes: now.total,
            total_blocks: now.blocks_total,
        }
    }

    pub(crate) fn has_strangers(&self, node: Node) -> bool {
        self.nodes[node].has_strangers
    }

    pub(crate) fn is_approximate(&self, node: Node) -> bool {
        self.nodes[node].approximate
    }

    /// Whether the peak of an approximate node may be higher.
    pub(crate) fn is_at_least(&self, node: Node) -> bool {
        self.nodes[node].at_least
    }

    pub(crate) fn site_of(&self, node: Node) -> usize {
        *self.nodes[node].path.last().expect("a scope has a site")
    }

    /// Whether it may be lower.
    pub(crate) fn is_open(&self, node: Node) -> bool {
        self.nodes[node].is_open
    }

    /// The activation of a future that was polled.
    pub(crate) fn future_node(&self, future: usize) -> Option<Node> {
        self.futures[&future].node
    }

    /// The base record of a thread.
    pub(crate) fn base(&self, thread: Thread) -> Node {
        self.threads[&thread][0].bottom.expect("a base record")
    }

    pub(crate) fn totals(&self, space: Space) -> Totals {
        let mut totals = self.spaces[space].totals;
        (totals.live, totals.live_blocks) = self.live(space);
        totals.no_scope_live = self.live_by_owner(space).get(&Path::new()).map_or(0, |live| signed(live.0));
        totals.no_scope_total = self.spaces[space].selfs.get(&Path::new()).map_or(0, |selfs| selfs.total);
        totals.no_scope_at_peak = self.spaces[space].picture.get(&Path::new()).map_or(0, |picture| picture.0);
        totals
    }

    /// A block was freed by allocating on its address, or by its own thread on another lane: whether it was
    /// temporary is not promised.
    pub(crate) fn temporary_is_open(&self) -> bool {
        self.temporary_is_open
    }

    pub(crate) fn mark_is_ambiguous(&self, space: Space) -> bool {
        self.spaces[space].mark_is_ambiguous
    }

    /// Totals over all base records, and what was added to nobody.
    pub(crate) fn sum_of_bases(&self, space: Space) -> (i64, i64) {
        let sums = self.sums(space);
        let mut bases = 0;
        let mut nobody = self.nobody[space];
        for (activation, sum) in self.nodes.iter().zip(sums) {
            match activation.kind {
                Kind::Base => bases += sum.total,
                Kind::Scope | Kind::Poll(_) | Kind::Guest(_) if activation.parent.is_none() => nobody += sum.total,
                Kind::Scope | Kind::Poll(_) | Kind::Guest(_) | Kind::Future => {}
            }
        }
        (bases, nobody)
    }

    /// One row per path.
    pub(crate) fn tree(&self, space: Space) -> BTreeMap<Path, Row> {
        self.rows(space, |path| Some(path.clone()))
    }

    /// One row per site.
    pub(crate) fn flat(&self, space: Space) -> BTreeMap<usize, Row> {
        self.rows(space, |path| path.last().copied())
    }

    /// Rows keyed by `key` of the path. The key also says what recursion is: an activation adds nothing
    /// to its row while another one with the same key is open in the chain that it folds into.
    fn rows<K: Ord>(&self, space: Space, key: impl Fn(&Path) -> Option<K>) -> BTreeMap<K, Row> {
        let mut rows: BTreeMap<K, Row> = BTreeMap::new();
        let sums = self.sums(space);
        for (node, activation) in self.nodes.iter().enumerate() {
            let is_call = matches!(activation.kind, Kind::Scope | Kind::Future);
            let Some(key_here) = key(&activation.path).filter(|_| is_call && !activation.forgotten) else { continue };
            let row = rows.entry(key_here).or_default();
            row.ncalls += 1;
            row.memory_peak = row.memory_peak.max(unsigned(activation.peak[space]));
            row.approximate |= activation.approximate;
            row.at_least |= activation.at_least;
            row.is_open |= activation.is_open;
            row.in_motion |= self.is_in_motion(node);
            row.has_strangers |= activation.has_strangers;
            row.is_above_live |= activation.is_above_live;
            row.largest = row.largest.max(sums[node].largest);
            let turns: Vec<Node> = match activation.kind {
                Kind::Future => {
                    let is_turn = |turn: &Node| match self.nodes[*turn] {
                        Activation { kind: Kind::Poll(future), .. }
                        | Activation { kind: Kind::Guest(future), parent: None, .. } => future == node,
                        _ => false,
                    };
                    (0..self.nodes.len()).filter(is_turn).collect()
                }
                Kind::Scope | Kind::Base | Kind::Poll(_) | Kind::Guest(_) => vec![node],
            };
            let mut kept = self.waiting(node, space);
            for turn in turns {
                let mut around = self.nodes[turn].around.iter();
                let recursive = around.any(|open| key(open) == key(&activation.path));
                if !recursive {
                    let numbers = sums[turn];
                    row.memory_total += unsigned(numbers.total);
                    row.blocks_total += unsigned(numbers.blocks_total);
                    row.reallocs += numbers.reallocs;
                    row.failed += numbers.failed;
                    kept += numbers.value;
                }
            }
            row.kept += kept;
            row.kept_calls += u64::from(kept > 0);
        }
        for (path, selfs) in &self.spaces[space].selfs {
            if let Some(key) = key(path).filter(|_| !path.is_empty()) {
                let row = rows.entry(key).or_default();
                row.self_total += selfs.total;
                row.self_blocks += selfs.blocks;
                row.temporary += selfs.temporary;
            }
        }
        for (path, (bytes, blocks)) in &self.spaces[space].picture {
            if let Some(key) = key(path).filter(|_| !path.is_empty()) {
                let row = rows.entry(key).or_default();
                row.at_peak += bytes;
                row.at_peak_blocks += blocks;
            }
        }
        for (path, (bytes, blocks)) in self.live_by_owner(space) {
            if let Some(key) = key(&path).filter(|_| !path.is_empty()) {
                let row = rows.entry(key).or_default();
                row.live += signed(bytes);
                row.live_blocks += signed(blocks);
            }
        }
        rows
    }

    // ---- helpers

    fn live(&self, space: Space) -> (i64, i64) {
        let blocks = &self.spaces[space].blocks;
        (blocks.values().map(|block| signed(block.bytes)).sum(), signed(blocks.len() as u64))
    }

    fn live_by_owner(&self, space: Space) -> BTreeMap<Path, (u64, u64)> {
        let mut owners: BTreeMap<Path, (u64, u64)> = BTreeMap::new();
        for block in self.spaces[space].blocks.values() {
            let owner = owners.entry(block.owner.clone()).or_default();
            owner.0 += block.bytes;
            owner.1 += 1;
        }
        owners
    }

    fn open(&mut self, kind: Kind, path: Path, parent: Option<Node>) -> Node {
        let site = &path.last().copied().unwrap_or(usize::MAX);
        let around = self.chain(parent).into_iter().map(|node| self.nodes[node].path.clone()).collect();
        self.nodes.push(Activation {
            kind,
            path,
            parent,
            around,
            own: Default::default(),
            peak: [0; SPACES],
            peak_blocks: [0; SPACES],
            ended: false,
            forgotten: false,
            approximate: false,
            at_least: false,
            is_open: false,
            has_strangers: false,
            is_above_live: false,
        });
        if matches!(kind, Kind::Scope | Kind::Future) {
            for space in 0..SPACES {
                let live = self.live(space).0;
                let highest = self.highest.entry((*site, space)).or_insert(live);
                *highest = live.max(*highest);
            }
        }
        self.nodes.len() - 1
    }

    fn end_activation(&mut self, node: Node) {
        assert!(!self.nodes[node].ended);
        self.nodes[node].ended = true;
    }

    fn end_scopes_here(&mut self, thread: Thread) {
        if let Some(outermost) = self.place(thread).scopes.first().copied() {
            self.leave(thread, outermost);
        }
    }

    fn place(&self, thread: Thread) -> &Place {
        self.threads[&thread].last().expect("a place")
    }

    fn place_mut(&mut self, thread: Thread) -> &mut Place {
        self.threads.get_mut(&thread).expect("the thread runs").last_mut().expect("a place")
    }

    /// The innermost open scope of the place where the thread is.
    fn innermost(&self, thread: Thread) -> Option<Node> {
        let place = self.place(thread);
        place.scopes.last().copied().or(place.bottom)
    }

    fn path(&self, thread: Thread) -> Path {
        let place = self.place(thread);
        place.scopes.last().map_or_else(|| place.bottom_path.clone(), |node| self.nodes[*node].path.clone())
    }

    /// The lane itself, or whoever has its blocks now.
    fn heir_of(&self, lane: Lane) -> Option<Lane> {
        if !self.lanes[lane].ended {
            return Some(lane);
        }
        self.heir_of(self.lanes[lane].heir?)
    }

    /// Whether blocks of a lane are of another one now, or were before that ended too.
    fn leaves_to(&self, lane: Lane, other: Lane) -> bool {
        let next = |lane: &Lane| self.lanes[*lane].heir.filter(|_| self.lanes[*lane].ended);
        core::iter::successors(Some(lane), next).any(|lane| lane == other)
    }

    /// The innermost open scope of a lane: of its thread, or of the poll that runs; none for a
    /// suspended task.
    fn innermost_of_lane(&self, lane: Lane) -> Option<Node> {
        if let Some(ambient) = self.ambients.iter().find(|ambient| ambient.lane == lane) {
            return Some(ambient.node);
        }
        if let Some(ambient) = self.ambient_place(lane) {
            return ambient.scopes.last().copied().or(ambient.bottom);
        }
        let mut places = self.threads.values().flatten();
        let place = places.rfind(|place| place.lane == lane && !place.is_context)?;
        place.scopes.last().copied().or(place.bottom)
    }

    /// Where the thread of this lane works for an ambient scope.
    fn ambient_place(&self, lane: Lane) -> Option<&Place> {
        let mut threads = self.threads.values().filter(|places| places[0].lane == lane);
        threads.next()?.get(1).filter(|place| place.is_ambient)
    }

    /// Whether the thread of this lane had no event yet since its ambient scope ended.
    fn works_for_ended(&self, lane: Lane) -> bool {
        self.ambient_place(lane).is_some_and(|place| place.scopes.is_empty() && place.bottom.is_none())
    }

    /// This node and everything that it folds into, innermost first, futures beside their polls.
    fn chain(&self, from: Option<Node>) -> Vec<Node> {
        let mut chain = Vec::new();
        let mut next = from;
        while let Some(node) = next {
            chain.push(node);
            if let Kind::Poll(future) | Kind::Guest(future) = self.nodes[node].kind {
                chain.push(future);
            }
            next = self.nodes[node].parent;
        }
        chain
    }
}

/// Entering a site again leads back to its node.
fn extend(path: &Path, site: usize) -> Path {
    match path.iter().position(|there| *there == site) {
        Some(at) => path[..=at].to_vec(),
        None => path.iter().copied().chain([site]).collect(),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("fits")
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).expect("not negative")
}
