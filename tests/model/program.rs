//! Random programs: what they are made of, how one is run through the model and the recorder at once,
//! and what is compared.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;
use std::thread::JoinHandle;

use memprof::{Counters, Record, Scope, Site, Snapshot, Space};
use proptest::prelude::*;

use crate::threads::{Answer, BLOCKS, CONTEXTS, Command, FUTURES, GUARDS, Stage, THREADS};
use crate::world::{Context, Node, Path, Reading, Row, World};

const SITES: usize = 6;
/// The last one is that of ambient scopes, which may have any.
const SCOPES: usize = SITES - 1;
/// Ambient scopes at once.
const AMBIENTS: usize = 3;
const NAMED: usize = 2;
const HOST: usize = 2;
/// Addresses of the named spaces; few, so that they come again.
const ADDRESSES: u64 = 12;
/// The bound of the contract on a peak to which several threads added under a `Context`.
const STEP: u64 = 64 * 1024;

/// One step of a program. Numbers are taken modulo what there is when the step comes; a step that the
/// contract leaves open, or that is impossible, is passed over. `Stranger`: a thread that no program knows of, as a library or a
/// harness of tests has them, allocates on the host.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Enter { site: u8 },
    Leave { outward: u8 },
    Finish { space: u8 },
    Alloc { space: u8, at: u8, bytes: u32 },
    Free { space: u8, at: u8 },
    FreeAnyAddress { space: u8, at: u8 },
    Realloc { at: u8, bytes: u32 },
    Fail { space: u8 },
    Capture { at: u8 },
    EnterContext { at: u8 },
    LeaveContext,
    DropContext { at: u8 },
    OpenAmbient { site: u8 },
    EndAmbient { at: u8 },
    NewFuture { at: u8, site: u8 },
    Call { at: u8, site: u8 },
    Poll { at: u8 },
    EndPoll { is_ready: bool },
    DropFuture { at: u8 },
    EndDrop,
    Switch,
    Reset,
    Compare,
    RestartThread,
    Stranger,
}

fn bytes() -> impl Strategy<Value = u32> {
    prop_oneof![
        1 => Just(0),
        8 => 1..500u32,
        2 => 500..200_000u32,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let byte = any::<u8>;
    prop_oneof![
        14 => byte().prop_map(|site| Step::Enter { site }),
        10 => prop_oneof![4 => Just(0u8), 1 => byte()].prop_map(|outward| Step::Leave { outward }),
        2 => byte().prop_map(|space| Step::Finish { space }),
        26 => (byte(), byte(), bytes()).prop_map(|(space, at, bytes)| Step::Alloc { space, at, bytes }),
        18 => (byte(), byte()).prop_map(|(space, at)| Step::Free { space, at }),
        1 => (byte(), byte()).prop_map(|(space, at)| Step::FreeAnyAddress { space, at }),
        8 => (byte(), bytes()).prop_map(|(at, bytes)| Step::Realloc { at, bytes }),
        1 => byte().prop_map(|space| Step::Fail { space }),
        3 => byte().prop_map(|at| Step::Capture { at }),
        4 => byte().prop_map(|at| Step::EnterContext { at }),
        3 => Just(Step::LeaveContext),
        1 => byte().prop_map(|at| Step::DropContext { at }),
        2 => byte().prop_map(|site| Step::OpenAmbient { site }),
        1 => byte().prop_map(|at| Step::EndAmbient { at }),
        4 => (byte(), byte()).prop_map(|(at, site)| Step::NewFuture { at, site }),
        3 => (byte(), byte()).prop_map(|(at, site)| Step::Call { at, site }),
        12 => byte().prop_map(|at| Step::Poll { at }),
        9 => any::<bool>().prop_map(|is_ready| Step::EndPoll { is_ready }),
        3 => byte().prop_map(|at| Step::DropFuture { at }),
        3 => Just(Step::EndDrop),
        1 => Just(Step::Switch),
        1 => Just(Step::Reset),
        2 => Just(Step::Compare),
        2 => Just(Step::RestartThread),
        1 => Just(Step::Stranger),
    ]
}

/// A program: which thread does what, one after the other. Steps come in short runs on one thread, as
/// programs do; a quarter of the programs switch measuring off and on and reset.
pub(crate) fn program() -> impl Strategy<Value = Vec<(u8, Step)>> {
    let run = (any::<u8>(), prop::collection::vec(step(), 1..8));
    let runs = prop::collection::vec(run, 1..30);
    (runs, prop::bool::weighted(0.25)).prop_map(|(runs, may_switch)| {
        let steps = runs.into_iter().flat_map(|(thread, steps)| steps.into_iter().map(move |step| (thread, step)));
        steps.filter(|(_, step)| may_switch || !matches!(step, Step::Switch | Step::Reset)).collect()
    })
}

/// What a thread is in the midst of, innermost last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Context,
    Poll(usize),
    Drop(usize),
}

impl Inside {
    fn end(self) -> Command {
        match self {
            Inside::Context => Command::LeaveContext,
            Inside::Poll(_) => Command::EndPending,
            Inside::Drop(_) => Command::EndDrop,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct FutureSlot {
    site: usize,
    /// The future in whose polls this one is polled; none for a task.
    outer: Option<usize>,
    is_ready: bool,
}

pub(crate) struct Runner {
    stage: &'static Stage,
    threads: Vec<Option<JoinHandle<()>>>,
    /// The model's name for each running thread; a new thread has a new one.
    names: Vec<usize>,
    next_name: usize,
    inside: Vec<Vec<Inside>>,
    /// Guards by thread and by what it is inside of, each with the node it entered (none while off).
    guards: Vec<Vec<Vec<Option<Node>>>>,
    contexts: Vec<Option<Context>>,
    futures: Vec<Option<FutureSlot>>,
    world: World,
    /// Host blocks that the recorder does not know: allocated or reallocated while off.
    unknown: Vec<usize>,
    /// Scopes that were open when the poll that they were entered in ended, by site.
    left_by_polls: BTreeMap<usize, u64>,
    /// Whether measuring was ever switched off, or forgotten, in this program.
    was_switched: bool,
    was_reset: bool,
}

impl Runner {
    pub(crate) fn run(program: &[(u8, Step)]) {
        memprof::enable();
        memprof::reset();
        let mut runner = Runner {
            stage: Box::leak(Box::new(Stage::new())),
            threads: (0..THREADS).map(|_| None).collect(),
            names: vec![0; THREADS],
            next_name: 0,
            inside: vec![Vec::new(); THREADS],
            guards: vec![vec![Vec::new()]; THREADS],
            contexts: vec![None; CONTEXTS],
            futures: vec![None; FUTURES],
            world: World::new(),
            unknown: Vec::new(),
            left_by_polls: BTreeMap::new(),
            was_switched: false,
            was_reset: false,
        };
        // A failed program must leave nothing behind: smaller ones are tried after it.
        let outcome = catch_unwind(AssertUnwindSafe(|| runner.drive(program)));
        if let Err(panic) = outcome {
            runner.abandon();
            resume_unwind(panic);
        }
    }

    fn drive(&mut self, program: &[(u8, Step)]) {
        // What the driver does is in a scope of its own, so that no ambient one gets it.
        let driver = Scope::enter(Site::named("model driver"));
        for thread in 0..THREADS {
            self.start(thread);
        }
        for (thread, step) in program {
            let thread = usize::from(*thread) % THREADS;
            self.step(thread, *step);
            self.compare_counters(thread);
        }
        self.finish();
        drop(driver);
        memprof::reset();
        let snapshot = memprof::snapshot();
        for space in 0..NAMED {
            assert!(snapshot.records(named(space)).is_empty(), "reset left {:?}", snapshot.records(named(space)));
            assert_eq!(snapshot.totals(named(space)).peak, 0);
        }
    }

    /// Ends everything without looking at a number.
    fn abandon(&mut self) {
        memprof::enable();
        for thread in 0..THREADS {
            let Some(worker) = self.threads[thread].take() else { continue };
            if worker.is_finished() {
                continue;
            }
            while let Some(inside) = self.inside[thread].pop() {
                self.stage.try_ask(thread, inside.end());
            }
            self.stage.try_ask(thread, Command::Quit);
            drop(worker.join());
        }
        self.stage.clear();
        for space in 0..NAMED {
            for address in 0..ADDRESSES + 4 {
                memprof::record_free(named(space), address);
            }
        }
        memprof::reset();
    }

    fn start(&mut self, thread: usize) {
        self.names[thread] = self.next_name;
        self.next_name += 1;
        self.world.start_thread(self.names[thread]);
        self.world.note_strangers();
        let stage = self.stage;
        self.threads[thread] = Some(std::thread::spawn(move || stage.work(thread)));
    }

    fn stop(&mut self, thread: usize) {
        self.world.note_strangers();
        self.ask(thread, Command::Quit);
        self.threads[thread].take().expect("it runs").join().expect("no panic");
        self.world.end_thread(self.names[thread]);
    }

    fn ask(&self, thread: usize, command: Command) -> Answer {
        self.stage.ask(thread, command)
    }

    #[expect(clippy::too_many_lines, reason = "one arm a step")]
    fn step(&mut self, thread: usize, step: Step) {
        let name = self.names[thread];
        match step {
            Step::Enter { site } => self.enter(thread, usize::from(site) % SCOPES),
            Step::Leave { outward } => self.leave(thread, usize::from(outward)),
            Step::Finish { space } => self.finish_scope(thread, usize::from(space) % (NAMED + 1)),
            Step::Alloc { space, at, bytes } => {
                let space = usize::from(space) % (NAMED + 1);
                if space == HOST {
                    let free = (0..BLOCKS)
                        .find(|at| self.world.block(HOST, *at as u64).is_none() && !self.unknown.contains(at));
                    if let Some(at) = free {
                        self.ask(thread, Command::HostAlloc { at, bytes: bytes.max(1) as usize });
                        self.world.alloc(name, HOST, at as u64, u64::from(bytes.max(1)));
                        if self.world.is_off() {
                            self.unknown.push(at);
                        }
                    }
                } else {
                    let free = (0..ADDRESSES).find(|address| self.world.block(space, *address).is_none());
                    let address = free.filter(|_| at < 240).unwrap_or(u64::from(at) % ADDRESSES);
                    // A known block that is allocated again while off: the contract does not say.
                    if !(self.world.is_off() && self.world.block(space, address).is_some()) {
                        self.ask(thread, Command::RecordAlloc(named(space), address, u64::from(bytes)));
                        self.world.alloc(name, space, address, u64::from(bytes));
                    }
                }
            }
            Step::Free { space, at } => {
                let space = usize::from(space) % (NAMED + 1);
                let addresses = self.world.addresses(space);
                if let Some(address) = pick(&addresses, at) {
                    self.free(thread, space, address);
                }
            }
            Step::FreeAnyAddress { space, at } => {
                let (space, address) = (usize::from(space) % NAMED, u64::from(at) % (ADDRESSES + 4));
                if !self.world.is_off() {
                    self.free(thread, space, address);
                }
            }
            Step::Realloc { at, bytes } => {
                if let Some(address) = pick(&self.world.addresses(HOST), at) {
                    let at = usize::try_from(address).expect("an index");
                    self.ask(thread, Command::HostRealloc { at, bytes: bytes.max(1) as usize });
                    self.world.realloc(name, HOST, address, address, u64::from(bytes.max(1)));
                    if self.world.is_off() {
                        self.unknown.push(at);
                    }
                }
            }
            Step::Fail { space } => {
                let space = usize::from(space) % NAMED;
                self.ask(thread, Command::RecordFailure(named(space), 7));
                self.world.fail(name, space);
            }
            Step::Capture { at } => {
                if !self.world.is_off() {
                    let at = usize::from(at) % CONTEXTS;
                    self.ask(thread, Command::Capture(at));
                    self.contexts[at] = Some(self.world.capture(name));
                }
            }
            Step::EnterContext { at } => {
                let at = usize::from(at) % CONTEXTS;
                let Some(context) = self.contexts[at].clone() else { return };
                if !self.world.is_off() && self.world.may_enter_context(name, &context) && self.inside[thread].len() < 4
                {
                    self.ask(thread, Command::EnterContext(at));
                    self.world.enter_context(name, &context);
                    self.go_inside(thread, Inside::Context);
                }
            }
            Step::LeaveContext => {
                if self.inside[thread].last() == Some(&Inside::Context) && self.may_come_out(thread) {
                    self.ask(thread, Command::LeaveContext);
                    self.world.leave_context(name);
                    self.come_out(thread);
                }
            }
            Step::DropContext { at } => {
                let at = usize::from(at) % CONTEXTS;
                self.ask(thread, Command::DropContext(at));
                self.contexts[at] = None;
            }
            Step::OpenAmbient { site } => {
                if !self.world.is_off() && self.world.ambients() < AMBIENTS && !self.is_polling_anywhere(thread) {
                    let site = usize::from(site) % SITES;
                    self.ask(thread, Command::OpenAmbient(site_names()[site]));
                    self.world.open_ambient(name, site);
                }
            }
            Step::EndAmbient { at } => {
                let at = usize::from(at) % AMBIENTS;
                if !self.world.is_off() && at < self.world.ambients() && self.world.may_end_ambient(at) {
                    let ended = self.world.end_ambient(at);
                    self.ask(thread, Command::EndAmbients(ended));
                }
            }
            Step::NewFuture { at, site } => {
                let at = usize::from(at) % FUTURES;
                if self.futures[at].is_none() {
                    let site = usize::from(site) % SCOPES;
                    self.stage.create_future(at, sites()[site]);
                    self.world.new_future(at);
                    self.futures[at] = Some(FutureSlot { site, outer: None, is_ready: false });
                }
            }
            Step::Call { at, site } => self.call(thread, usize::from(at) % FUTURES, usize::from(site) % SCOPES),
            Step::Poll { at } => self.poll(thread, usize::from(at) % FUTURES),
            Step::EndPoll { is_ready } => self.end_poll(thread, is_ready),
            Step::DropFuture { at } => self.drop_future(thread, usize::from(at) % FUTURES),
            Step::EndDrop => self.end_drop(thread),
            Step::Switch => {
                self.switch(!self.world.is_off());
                self.meet_unknown_blocks(thread);
            }
            Step::Reset => {
                memprof::reset();
                self.world.reset();
                self.left_by_polls.clear();
                self.was_reset = true;
            }
            Step::Compare => self.compare_snapshot(),
            Step::Stranger => {
                self.world.note_strangers();
                crate::threads::have_stranger_allocate();
            }
            Step::RestartThread => {
                let is_context_entered = self.inside.iter().flatten().any(|inside| *inside == Inside::Context);
                let is_free = self.inside[thread].is_empty() && self.guards[thread][0].is_empty();
                if is_free && !is_context_entered {
                    self.stop(thread);
                    self.start(thread);
                }
            }
        }
    }

    fn switch(&mut self, off: bool) {
        if off {
            memprof::disable();
        } else {
            memprof::enable();
        }
        assert_eq!(memprof::is_enabled(), !off);
        self.world.set_off(off);
        self.was_switched |= off;
    }

    /// Measuring is on again: half of the unknown blocks are freed, which changes nothing, the others
    /// reallocated, which makes them new blocks.
    fn meet_unknown_blocks(&mut self, thread: usize) {
        if self.world.is_off() {
            return;
        }
        for at in std::mem::take(&mut self.unknown) {
            if at % 2 == 0 {
                self.ask(thread, Command::HostFree { at });
            } else {
                self.ask(thread, Command::HostRealloc { at, bytes: 77 });
                self.world.realloc(self.names[thread], HOST, at as u64, at as u64, 77);
            }
        }
    }

    // ---- scopes

    fn here(&mut self, thread: usize) -> &mut Vec<Option<Node>> {
        self.guards[thread].last_mut().expect("a place")
    }

    fn enter(&mut self, thread: usize, site: usize) {
        if self.here(thread).len() == GUARDS {
            return;
        }
        self.ask(thread, Command::Enter(sites()[site]));
        let node = self.world.enter(self.names[thread], site);
        self.here(thread).push(node);
    }

    /// Drops a guard that may have others inside it.
    fn leave(&mut self, thread: usize, outward: usize) {
        let guards = self.here(thread).clone();
        if guards.is_empty() {
            return;
        }
        let at = guards.len() - 1 - outward % guards.len();
        if guards[at..].iter().flatten().any(|node| self.world.is_needed(*node)) {
            return;
        }
        self.ask(thread, Command::Leave(at));
        for node in guards[at..].iter().flatten() {
            self.world.leave(self.names[thread], *node);
        }
        self.here(thread).truncate(at);
    }

    fn finish_scope(&mut self, thread: usize, space: usize) {
        let guards = self.here(thread).clone();
        let Some(Some(node)) = guards.last().copied() else { return };
        if self.world.is_needed(node) {
            return;
        }
        let expected = self.world.counters(node, space);
        let answer = self.ask(thread, Command::Finish(space_of(space)));
        self.compare_reading(node, space, answer, expected, "finish");
        self.world.leave(self.names[thread], node);
        self.here(thread).pop();
    }

    fn go_inside(&mut self, thread: usize, what: Inside) {
        self.inside[thread].push(what);
        self.guards[thread].push(Vec::new());
    }

    fn come_out(&mut self, thread: usize) {
        self.inside[thread].pop();
        self.guards[thread].pop();
    }

    /// Whether the scopes of the innermost place may end: no thread is under a `Context` of theirs.
    fn may_come_out(&mut self, thread: usize) -> bool {
        let needed = self.here(thread).clone().iter().flatten().any(|node| self.world.is_needed(*node));
        let has_guests = match self.inside[thread].last() {
            Some(Inside::Poll(at) | Inside::Drop(at)) => self.has_guests(*at),
            Some(Inside::Context) | None => false,
        };
        !needed && !has_guests
    }

    // ---- blocks

    fn free(&mut self, thread: usize, space: usize, address: u64) {
        let command = if space == HOST {
            Command::HostFree { at: usize::try_from(address).expect("an index") }
        } else {
            Command::RecordFree(named(space), address)
        };
        self.ask(thread, command);
        self.world.free(self.names[thread], space, address);
    }

    // ---- futures

    fn is_polling_anywhere(&self, thread: usize) -> bool {
        self.inside[thread].iter().any(|inside| *inside != Inside::Context)
    }

    fn polled_now(&self, thread: usize) -> Option<usize> {
        match self.inside[thread].last() {
            Some(Inside::Poll(future)) => Some(*future),
            _ => None,
        }
    }

    fn is_running(&self, future: usize) -> bool {
        let running = [Inside::Poll(future), Inside::Drop(future)];
        self.inside.iter().flatten().any(|inside| running.contains(inside))
    }

    /// Calls a function that makes a future after some statements: they are the first poll in all but name.
    fn call(&mut self, thread: usize, at: usize, site: usize) {
        let is_inside_a_drop = self.is_polling_anywhere(thread) && self.polled_now(thread).is_none();
        if self.futures[at].is_some() || self.world.is_off() || is_inside_a_drop || self.inside[thread].len() >= 4 {
            return;
        }
        self.stage.make_room(at);
        self.world.new_future(at);
        self.futures[at] = Some(FutureSlot { site, outer: self.polled_now(thread), is_ready: false });
        self.ask(thread, Command::Call(at, sites()[site]));
        self.world.begin_poll(self.names[thread], at, site);
        self.go_inside(thread, Inside::Poll(at));
    }

    fn poll(&mut self, thread: usize, at: usize) {
        let Some(slot) = self.futures[at] else { return };
        if slot.is_ready || self.world.is_off() || self.is_running(at) || self.inside[thread].len() >= 4 {
            return;
        }
        if self.world.has_guests(at) {
            return;
        }
        if self.world.is_started(at) {
            // A nested future is polled by the one that it is inside of, a task by anybody outside.
            let is_place = match slot.outer {
                Some(outer) => self.polled_now(thread) == Some(outer),
                None => !self.is_polling_anywhere(thread),
            };
            if !is_place {
                return;
            }
        } else {
            if self.is_polling_anywhere(thread) && self.polled_now(thread).is_none() {
                return;
            }
            let outer = self.polled_now(thread);
            self.futures[at].as_mut().expect("a future").outer = outer;
        }
        self.ask(thread, Command::Poll(at));
        self.world.begin_poll(self.names[thread], at, slot.site);
        self.go_inside(thread, Inside::Poll(at));
    }

    fn end_poll(&mut self, thread: usize, is_ready: bool) {
        let Some(at) = self.polled_now(thread) else { return };
        if self.world.is_off() || !self.may_come_out(thread) {
            return;
        }
        if is_ready {
            self.drop_children(thread, at);
            self.ask(thread, Command::EndReady);
            self.world.end_poll(self.names[thread]);
            self.come_out(thread);
            // Finished and dropped, with nothing between the two.
            self.ask(thread, Command::DropFuture(at));
            self.world.begin_drop(self.names[thread], at);
            self.world.end_drop(self.names[thread], at);
            self.futures[at] = None;
        } else {
            for node in self.here(thread).clone().into_iter().flatten() {
                *self.left_by_polls.entry(self.world.site_of(node)).or_default() += 1;
            }
            self.ask(thread, Command::EndPending);
            self.world.end_poll(self.names[thread]);
            self.come_out(thread);
        }
    }

    /// Whether a thread is under a `Context` of this future, or of one that it holds.
    fn has_guests(&self, at: usize) -> bool {
        self.world.has_guests(at) || self.children(at).into_iter().any(|child| self.has_guests(child))
    }

    fn children(&self, outer: usize) -> Vec<usize> {
        (0..FUTURES).filter(|at| self.futures[*at].is_some_and(|slot| slot.outer == Some(outer))).collect()
    }

    /// What a future holds is dropped inside it.
    fn drop_children(&mut self, thread: usize, outer: usize) {
        for child in self.children(outer) {
            self.drop_future(thread, child);
            self.end_drop(thread);
        }
    }

    fn drop_future(&mut self, thread: usize, at: usize) {
        let Some(slot) = self.futures[at] else { return };
        if self.world.is_off() || self.is_running(at) || self.has_guests(at) {
            return;
        }
        if self.world.is_started(at) {
            // Dropped where its last poll merged: which lane inherits from a task that is dropped
            // elsewhere is not fixed by the contract.
            let is_place = match slot.outer {
                Some(outer) => {
                    [Inside::Poll(outer), Inside::Drop(outer)].map(Some).contains(&self.inside[thread].last().copied())
                }
                None => {
                    !self.is_polling_anywhere(thread)
                        && self.world.heir(at) == Some(self.world.current_lane(self.names[thread]))
                }
            };
            if !is_place {
                return;
            }
        }
        self.ask(thread, Command::DropFuture(at));
        self.world.begin_drop(self.names[thread], at);
        self.go_inside(thread, Inside::Drop(at));
    }

    fn end_drop(&mut self, thread: usize) {
        let Some(Inside::Drop(at)) = self.inside[thread].last().copied() else { return };
        if self.world.is_off() || !self.may_come_out(thread) {
            return;
        }
        self.drop_children(thread, at);
        let guards = self.here(thread).clone();
        if let Some(node) = guards.iter().flatten().next() {
            self.world.leave(self.names[thread], *node);
        }
        self.ask(thread, Command::EndDrop);
        self.world.end_drop(self.names[thread], at);
        self.come_out(thread);
        self.futures[at] = None;
    }

    // ---- the end of a program

    /// Ends everything, innermost first, and holds the law of conservation.
    fn finish(&mut self) {
        if self.world.is_off() {
            self.step(0, Step::Switch);
        }
        self.compare_snapshot();
        while self.world.has_ambient()
            || self.inside.iter().any(|inside| !inside.is_empty())
            || self.guards.iter().any(|guards| !guards[0].is_empty())
        {
            (0..AMBIENTS).rev().for_each(|at| self.step(0, Step::EndAmbient { at: at as u8 }));
            for thread in 0..THREADS {
                self.leave(thread, usize::MAX);
                match self.inside[thread].last().copied() {
                    None => {}
                    Some(Inside::Context) => self.step(thread, Step::LeaveContext),
                    Some(Inside::Poll(_)) => self.end_poll(thread, false),
                    Some(Inside::Drop(_)) => self.end_drop(thread),
                }
            }
        }
        self.compare_snapshot();
        for thread in 0..THREADS {
            self.compare_base(thread);
        }
        self.drop_all_futures();
        self.compare_snapshot();
        for space in 0..NAMED {
            for address in self.world.addresses(space) {
                self.free(0, space, address);
            }
        }
        for address in self.world.addresses(HOST) {
            self.free(1, HOST, address);
        }
        for thread in 0..THREADS {
            self.compare_base(thread);
            self.stop(thread);
        }
        self.compare_snapshot();
        self.compare_conservation();
    }

    fn drop_all_futures(&mut self) {
        for at in 0..FUTURES {
            let Some(slot) = self.futures[at] else { continue };
            if slot.outer.is_some() {
                continue;
            }
            if !self.world.is_started(at) {
                self.drop_future(0, at);
                self.end_drop(0);
                continue;
            }
            for thread in 0..THREADS {
                self.drop_future(thread, at);
                self.end_drop(thread);
            }
            if self.futures[at].is_some() {
                self.drop_far_from_home(at);
            }
        }
    }

    /// The thread or context that polled it last is gone: poll it once more here and drop it.
    fn drop_far_from_home(&mut self, at: usize) {
        self.poll(0, at);
        self.end_poll(0, true);
        assert!(self.futures[at].is_none(), "everything ends");
    }

    // ---- comparing

    fn compare_counters(&mut self, thread: usize) {
        let guards = self.here(thread).clone();
        for (at, node) in guards.iter().enumerate() {
            let Some(node) = *node else { continue };
            if self.world.is_in_motion(node) {
                continue;
            }
            for space in 0..=NAMED {
                let expected = self.world.counters(node, space);
                let answer = self.ask(thread, Command::Counters(at, space_of(space)));
                self.compare_reading(node, space, answer, expected, "an open scope");
            }
        }
        // In a poll and no scope inside it: the future, over all its polls.
        let polled = self.polled_now(thread).filter(|_| guards.is_empty());
        let innermost = guards.last().copied().flatten().or(polled.and_then(|at| self.world.future_node(at)));
        if let Some(node) = innermost.filter(|node| !self.world.is_in_motion(*node)) {
            self.world.join_ambient(self.names[thread]);
            for space in 0..=NAMED {
                let expected = self.world.counters(node, space);
                let answer = self.ask(thread, Command::Innermost(space_of(space)));
                self.compare_reading(node, space, answer, expected, "the innermost scope");
            }
        }
    }

    /// With nothing open, `counters` reads the base record. `host` is left out: the thread's own start.
    fn compare_base(&mut self, thread: usize) {
        self.world.join_ambient(self.names[thread]);
        let node = self.world.base(self.names[thread]);
        for space in 0..NAMED {
            let expected = self.world.counters(node, space);
            let answer = self.ask(thread, Command::Innermost(named(space)));
            self.compare_reading(node, space, answer, expected, "a base record");
        }
    }

    fn compare_reading(&self, node: Node, space: usize, answer: Answer, expected: Reading, what: &str) {
        let Answer::Numbers(counters) = answer else { panic!("no numbers") };
        let mut read = reading(counters);
        if space == HOST && self.world.has_strangers(node) {
            return;
        }
        // To the byte in every other space.
        if self.world.is_approximate(node) && self.world.is_open(node) {
            (read.peak_bytes, read.peak_blocks) = (expected.peak_bytes, expected.peak_blocks);
        } else if space == HOST && self.world.is_approximate(node) && self.world.is_at_least(node) {
            assert!(read.peak_bytes + bound(space).cast_signed() >= expected.peak_bytes, "{what}");
            assert!(space == HOST || read.peak_blocks >= expected.peak_blocks, "{what}");
            (read.peak_bytes, read.peak_blocks) = (expected.peak_bytes, expected.peak_blocks);
        } else if space == HOST && self.world.is_approximate(node) {
            assert_close(read.peak_bytes.cast_unsigned(), expected.peak_bytes.cast_unsigned(), what);
            read.peak_bytes = expected.peak_bytes;
            read.peak_blocks = expected.peak_blocks;
        }
        assert_eq!(read, expected, "{what}, node {node}");
    }

    fn compare_snapshot(&self) {
        let snapshot = memprof::snapshot();
        for space in 0..=NAMED {
            self.compare_rows(&snapshot, space);
            if space != HOST {
                self.compare_totals(&snapshot, space);
            }
        }
        self.compare_notes(&snapshot);
    }

    fn compare_notes(&self, snapshot: &Snapshot) {
        let text = snapshot.to_string();
        let mut read: Vec<&str> = text.lines().filter(|line| line.contains("a poll ended inside")).collect();
        read.sort_unstable();
        let mut expected: Vec<String> = (self.left_by_polls.iter())
            .map(|(site, left)| {
                let times = if *left == 1 { "time" } else { "times" };
                let name = site_names()[*site];
                format!("{left} {times} a poll ended inside the scope \"{name}\": give scope! an async block instead")
            })
            .collect();
        expected.sort_unstable();
        assert_eq!(read, expected, "scopes left by polls");
    }

    fn compare_totals(&self, snapshot: &Snapshot, space: usize) {
        let read = snapshot.totals(named(space));
        let mut expected = self.world.totals(space);
        if self.world.mark_is_ambiguous(space) {
            expected.no_scope_at_peak = read.no_scope_at_peak;
        }
        let read = crate::world::Totals {
            live: read.live,
            live_blocks: read.live_blocks,
            peak: read.peak,
            peak_blocks: read.peak_blocks,
            total: read.total,
            blocks_total: read.blocks_total,
            failed: read.failed,
            unknown_frees: read.unknown_frees,
            missed_frees: read.missed_frees,
            no_scope_live: read.no_scope_live,
            no_scope_total: read.no_scope_total,
            no_scope_at_peak: read.no_scope_at_peak,
        };
        assert_eq!(read, expected, "totals of space {space}");
        let at_peak: u64 = snapshot.records(named(space)).iter().map(|record| record.at_peak).sum();
        assert_eq!(at_peak + read.no_scope_at_peak, read.peak, "the picture at the mark sums to the mark");
        assert_eq!(snapshot.totals(named(space)).at_peak_level, read.peak);
    }

    fn compare_rows(&self, snapshot: &Snapshot, space: usize) {
        let names = site_names();
        let mut flat = self.world.flat(space);
        let records = snapshot.records(space_of(space));
        assert!(records.is_sorted_by(|one, next| one.memory_peak >= next.memory_peak), "largest memory_peak first");
        for record in records {
            let Some(site) = names.iter().position(|name| *name == record.name) else { continue };
            let expected = flat.remove(&site).unwrap_or_default();
            self.compare_row(space, row(record), expected, &format!("row {site} of space {space}"));
            let highest = self.world.highest(site, space).cast_unsigned();
            // What guests of a captured future held and freed while it was polled reaches the scopes around with the poll, as its peak
            // above what they hold by then.
            let is_law = space != HOST && !self.was_switched && !expected.is_above_live && !expected.is_open;
            assert!(
                !is_law || record.memory_peak <= highest,
                "row {site} of space {space} says {} where {highest} were live",
                record.memory_peak
            );
        }
        for (site, expected) in flat.into_iter().filter(|(_, row)| is_shown(space, row)) {
            self.compare_row(space, Row::default(), expected, &format!("missing row {site} of space {space}"));
        }
        let mut tree = self.world.tree(space);
        for (path, read) in paths(snapshot, space) {
            let expected = tree.remove(&path).unwrap_or_default();
            self.compare_row(space, read, expected, &format!("path {path:?} of space {space}"));
        }
        for (path, expected) in tree.into_iter().filter(|(_, row)| is_shown(space, row)) {
            self.compare_row(space, Row::default(), expected, &format!("missing path {path:?} of space {space}"));
        }
    }

    fn compare_row(&self, space: usize, mut read: Row, expected: Row, what: &str) {
        read.approximate = expected.approximate;
        (read.at_least, read.is_open, read.in_motion) = (expected.at_least, expected.is_open, expected.in_motion);
        (read.has_strangers, read.is_above_live) = (expected.has_strangers, expected.is_above_live);
        if space == HOST && expected.has_strangers {
            return;
        }
        if expected.in_motion {
            (read.memory_peak, read.memory_total) = (expected.memory_peak, expected.memory_total);
            (read.blocks_total, read.reallocs) = (expected.blocks_total, expected.reallocs);
            (read.failed, read.largest) = (expected.failed, expected.largest);
            (read.kept, read.kept_calls) = (expected.kept, expected.kept_calls);
        } else if expected.approximate && expected.is_open {
            read.memory_peak = expected.memory_peak;
        } else if space == HOST && expected.approximate && expected.at_least {
            assert!(read.memory_peak + bound(space) >= expected.memory_peak, "{what}");
            read.memory_peak = expected.memory_peak;
        } else if space == HOST && expected.approximate {
            assert_close(read.memory_peak, expected.memory_peak, what);
            read.memory_peak = expected.memory_peak;
        }
        // `host` has a mark of its own, to which everything in the process adds.
        if space == HOST || self.world.mark_is_ambiguous(space) {
            (read.at_peak, read.at_peak_blocks) = (expected.at_peak, expected.at_peak_blocks);
        }
        // Whether a reallocation, what happens while off, or an allocation on the block's own address is
        // "the next allocation" is not said.
        if space == HOST || self.was_switched || self.was_reset || self.world.temporary_is_open() {
            read.temporary = expected.temporary;
        }
        assert_eq!(read, expected, "{what}");
    }

    /// The totals of all base records add up to the process's total, but for what was added to nobody;
    /// live bytes add up over owners and "outside any scope" to the space's live.
    fn compare_conservation(&self) {
        let snapshot = memprof::snapshot();
        for space in 0..NAMED {
            let totals = snapshot.totals(named(space));
            let records = snapshot.records(named(space));
            let live: i64 = records.iter().map(|record| record.live).sum();
            assert_eq!(live + totals.no_scope_live, totals.live);
            if !self.was_reset {
                let (bases, nobody) = self.world.sum_of_bases(space);
                assert_eq!(bases + nobody, totals.total.cast_signed(), "the law of conservation in space {space}");
                let selfs: u64 = records.iter().map(|record| record.self_total).sum();
                assert_eq!(selfs + totals.no_scope_total, totals.total, "self bytes are additive in space {space}");
            }
        }
    }
}

/// The rows of the call tree by their path.
fn paths(snapshot: &Snapshot, space: usize) -> BTreeMap<Path, Row> {
    let names = site_names();
    let mut paths: Vec<Option<Path>> = Vec::new();
    let mut rows = BTreeMap::new();
    for record in snapshot.tree(space_of(space)) {
        let site = names.iter().position(|name| *name == record.name);
        let above = match record.parent {
            Some(parent) => paths[parent].clone(),
            None => Some(Path::new()),
        };
        let path = site.and_then(|site| above.map(|above| above.into_iter().chain([site]).collect::<Path>()));
        if let Some(path) = &path {
            let row = Row {
                ncalls: record.ncalls,
                memory_peak: record.memory_peak,
                memory_total: record.memory_total,
                blocks_total: record.blocks_total,
                reallocs: record.reallocs,
                failed: record.failed,
                largest: record.largest,
                self_total: record.self_total,
                self_blocks: record.self_blocks,
                live: record.live,
                live_blocks: record.live_blocks,
                at_peak: record.at_peak,
                at_peak_blocks: record.at_peak_blocks,
                temporary: record.temporary,
                kept: record.kept,
                kept_calls: record.kept_calls,
                ..Row::default()
            };
            assert!(rows.insert(path.clone(), row).is_none(), "path {path:?} stands twice");
        }
        paths.push(path);
    }
    rows
}

fn row(record: &Record) -> Row {
    Row {
        ncalls: record.ncalls,
        memory_peak: record.memory_peak,
        memory_total: record.memory_total,
        blocks_total: record.blocks_total,
        reallocs: record.reallocs,
        failed: record.failed,
        largest: record.largest,
        self_total: record.self_total,
        self_blocks: record.self_blocks,
        live: record.live,
        live_blocks: record.live_blocks,
        at_peak: record.at_peak,
        at_peak_blocks: record.at_peak_blocks,
        temporary: record.temporary,
        kept: record.kept,
        kept_calls: record.kept_calls,
        ..Row::default()
    }
}

/// Whether records hold a row: with calls, or with live or at-peak bytes. The mark of `host` is not the model's.
fn is_shown(space: usize, row: &Row) -> bool {
    let at_peak = space != HOST && (row.at_peak, row.at_peak_blocks) != (0, 0);
    row.ncalls > 0 || (row.live, row.live_blocks) != (0, 0) || at_peak
}

fn reading(counters: Counters) -> Reading {
    Reading {
        current_bytes: counters.current_bytes,
        current_blocks: counters.current_blocks,
        peak_bytes: counters.peak_bytes,
        peak_blocks: counters.peak_blocks,
        total_bytes: counters.total_bytes,
        total_blocks: counters.total_blocks,
    }
}

/// By how much a peak may be off to which several threads added under a `Context`.
fn bound(space: usize) -> u64 {
    if space == HOST { STEP * THREADS as u64 } else { 0 }
}

fn assert_close(read: u64, expected: u64, what: &str) {
    let bound = bound(HOST);
    assert!(read.abs_diff(expected) <= bound, "{what}: peak {read}, to within {bound} of {expected}");
}

fn pick(addresses: &[u64], at: u8) -> Option<u64> {
    (!addresses.is_empty()).then(|| addresses[usize::from(at) % addresses.len()])
}

fn site_names() -> [&'static str; SITES] {
    ["model a", "model b", "model c", "model f", "model s", "model ambient"]
}

fn sites() -> &'static [&'static Site; SITES] {
    static SITES_ONCE: OnceLock<[&'static Site; SITES]> = OnceLock::new();
    SITES_ONCE.get_or_init(|| site_names().map(Site::named))
}

fn named(space: usize) -> Space {
    static SPACES: OnceLock<[Space; NAMED]> = OnceLock::new();
    SPACES.get_or_init(|| [Space::named("model one"), Space::named("model two")])[space]
}

fn space_of(space: usize) -> Space {
    if space == HOST { Space::HOST } else { named(space) }
}
