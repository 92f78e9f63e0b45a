//! Everything that can be interrupted, by everything that a handler does.

use std::fmt::Write as _;

use memprof::{Context, ContextGuard, Counters, Record, Scope, Space, Totals};

use crate::actions::{self, Action, HANDLERS, INTERRUPTED, PREPARED};
use crate::expected::{self, Event};
use crate::memory;
use crate::stepping::{At, run};

/// At each instruction of one run comes a handler, but not in the same run: at every so many.
const APART: u64 = if cfg!(debug_assertions) { 797 } else { 17 };
/// Of these runs, as many are made. Without optimisation there are ten times as many instructions, so not all.
const RUNS: u64 = if cfg!(debug_assertions) { 1 } else { APART };
/// Where a handler comes once in a run, it is at every so many instructions.
const STRIDE: u64 = if cfg!(debug_assertions) { 12_007 } else { 11 };

/// More than what is held otherwise.
const BASE: u32 = 64 << 20;

/// What a snapshot says of the rows and of the space.
struct Seen {
    records: Vec<Record>,
    totals: Totals,
    notes: Vec<String>,
}

impl Seen {
    fn now() -> Self {
        let snapshot = memprof::snapshot();
        let notes = snapshot.notes().map(str::to_owned).collect();
        Self { records: snapshot.records("host").to_vec(), totals: snapshot.totals("host"), notes }
    }

    fn of(&self, site: &str, number: fn(&Record) -> u64) -> i64 {
        self.records.iter().filter(|record| record.function == site).map(number).sum::<u64>().cast_signed()
    }
}

/// The scope in which an operation and its handler are looked at, under a context where that is asked for.
fn enter_around(state: State) -> (Scope, Option<(ContextGuard, Scope)>) {
    let context = (state == State::UnderContext).then(|| {
        let captured = Scope::enter(memprof::site!("captured"));
        (Context::current().enter(), captured)
    });
    (Scope::enter(memprof::site!("around")), context)
}

/// In what a thread is interrupted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It held more before, so no peak is raised.
    BelowPeak,
    /// It holds so much that it may grow for long without a look at its peaks; and it ran a task before, so that its lane does not.
    AtPeak,
    /// The same on a thread that ran no task: its lane grows.
    Growing,
    /// As below the peak, and it works for a scope that was captured.
    UnderContext,
}

impl State {
    /// Whether it held more before.
    fn is_below_peak(self) -> bool {
        matches!(self, Self::BelowPeak | Self::UnderContext)
    }
}

/// Runs one with the other at some of its instructions, and gives what is wrong, if the handler ran at all.
fn faults(interrupted: &Action, handler: &Action, state: State, at: At) -> Option<String> {
    let seen_before = Seen::now();
    let (around, context) = enter_around(state);
    let mut before = PREPARED.to_vec();
    actions::prepare(state == State::Growing);
    if state.is_below_peak() {
        memory::Block::new(4 << 20).free();
        before.extend([Event::Alloc(4 << 20), Event::Free(4 << 20)]);
    }
    let base = (!state.is_below_peak()).then(|| memory::Block::new(BASE as usize));
    before.extend(base.map(|_| Event::Alloc(i64::from(BASE))));
    let runs = run(at, handler.run, &mut || (interrupted.run)());
    let counters = around.counters(Space::HOST);
    let seen = Seen::now();
    actions::clean();
    base.into_iter().for_each(memory::Block::free);
    drop(around);
    drop(context);
    memory::start_anew();
    if runs == 0 {
        return None;
    }
    let mut faults = String::new();
    let mut check = |what: &str, is: i64, options: &[i64]| {
        if !options.contains(&is) {
            let _infallible = write!(faults, "{what} is {is}, not {options:?}; ");
        }
    };
    let times = usize::try_from(runs).expect("few");
    let repeats = !handler.events.iter().any(|event| matches!(event, Event::Free(1000) | Event::Realloc(1000, _)));
    let others: Vec<Event> = if repeats { handler.events.repeat(times) } else { handler.events.to_vec() };
    let possible = expected::each(&before, interrupted.events, &others);
    let all = |number: fn(&Counters) -> i64| possible.iter().map(number).collect::<Vec<_>>();
    check("value", counters.current_bytes, &all(|c| c.current_bytes));
    check("value in blocks", counters.current_blocks, &all(|c| c.current_blocks));
    check("total", counters.total_bytes, &all(|c| c.total_bytes));
    check("total in blocks", counters.total_blocks, &all(|c| c.total_blocks));
    if runs == 1 {
        check("peak", counters.peak_bytes, &all(|c| c.peak_bytes));
        check("peak in blocks", counters.peak_blocks, &all(|c| c.peak_blocks));
    }
    let difference = |site, number: fn(&Record) -> u64| seen.of(site, number) - seen_before.of(site, number);
    let runs = runs.cast_signed();
    let mut sites: Vec<&str> = interrupted.sites.iter().chain(handler.sites).copied().collect();
    sites.sort_unstable();
    sites.dedup();
    for site in sites {
        let [mine, others] = [interrupted, handler].map(|action| action.sites.iter().filter(|of| **of == site).count());
        let calls = i64::try_from(mine).expect("few") + i64::try_from(others).expect("few") * runs;
        check(&format!("calls of {site}"), difference(site, |record| record.ncalls), &[calls]);
    }
    let inside = handler.inside.cast_signed() * if repeats { runs } else { 1 };
    if let (Some(site), false) =
        (handler.sites.first(), interrupted.sites.contains(handler.sites.first().unwrap_or(&"")))
    {
        check(&format!("total of {site}"), difference(site, |record| record.memory_total), &[inside]);
    }
    for site in interrupted.sites.iter().take(1).filter(|site| !handler.sites.contains(site)) {
        let own = interrupted.inside.cast_signed();
        let with = own + expected::counters(others.iter().copied()).total_bytes;
        if runs == 1 {
            check(&format!("total of {site}"), difference(site, |record| record.memory_total), &[own, with]);
        }
    }
    // Each handler reallocates, if only to the size that the block had.
    let [own, in_handlers] = [expected::reallocs(interrupted.events), expected::reallocs(handler.events) * runs];
    check("reallocations", difference("around", |record| record.reallocs), &[own + in_handlers]);
    for site in interrupted.sites.iter().take(1).filter(|site| !handler.sites.contains(site)) {
        let options: Vec<_> = (own..=own + in_handlers).collect();
        check(&format!("reallocations of {site}"), difference(site, |record| record.reallocs), &options);
    }
    let (was, is) = (&seen_before.totals, &seen.totals);
    let sum = expected::counters(before.iter().chain(interrupted.events).chain(&others).copied());
    check("live", is.live, &[sum.current_bytes]);
    check("live blocks", is.live_blocks, &[sum.current_blocks]);
    check("total of all", (is.total - was.total).cast_signed(), &[sum.total_bytes]);
    check("blocks of all", (is.blocks_total - was.blocks_total).cast_signed(), &[sum.total_blocks]);
    let live = is.no_scope_live + seen.records.iter().map(|record| record.live).sum::<i64>();
    check("live of the rows", live, &[is.live]);
    let total = is.no_scope_total + seen.records.iter().map(|record| record.self_total).sum::<u64>();
    check("total of the rows", total.cast_signed(), &[is.total.cast_signed()]);
    check("live before", was.live, &[0]);
    check("live blocks before", was.live_blocks, &[0]);
    for record in &seen_before.records {
        check(&format!("live of {} before", record.function), record.live, &[0]);
    }
    for note in &seen.notes {
        let _infallible = write!(faults, "{note}; ");
    }
    Some(faults)
}

/// All instructions of one with the other.
fn table(state: State) -> Vec<String> {
    let mut found = Vec::new();
    for (row, interrupted) in INTERRUPTED.iter().enumerate() {
        for (number, handler) in HANDLERS.iter().enumerate() {
            // Each instruction takes a signal, and there are ten times as many: each with some.
            if cfg!(debug_assertions) && (row + number) % 7 != 0 {
                continue;
            }
            // On another lane than its home, a block is not made longer but freed and allocated.
            if interrupted.is_task && handler.events.iter().any(|event| matches!(event, Event::Realloc(..))) {
                continue;
            }
            // A poll under a context takes a lock, so not each handler there is recorded, which a note says.
            if interrupted.is_task && state == State::UnderContext {
                continue;
            }
            // What differs there is an event of what is interrupted, whoever interrupts it.
            if state != State::BelowPeak && number % 3 != 1 {
                continue;
            }
            memprof::reset();
            for _ in 0..3 {
                // At the paths where they will be.
                warm(interrupted, handler, state);
            }
            let mut wrong = Vec::new();
            let mut note = |at, faults: Option<String>| {
                let faults = faults?;
                if !faults.is_empty() {
                    wrong.push(format!("{at:?}: {faults}"));
                }
                Some(())
            };
            for first in 0..RUNS {
                let at = At::Each { first, of: APART };
                assert!(note(at, faults(interrupted, handler, state, at)).is_some(), "it has more instructions");
            }
            // One signal in a run leaves one possible peak. That takes a run for each, so one handler has to do.
            let once = number == 1 && state == State::BelowPeak && !interrupted.is_cold;
            let mut places = (0..).step_by(STRIDE as usize).take_while(|_| once).map(At::Nth);
            while let Some(at) = places.next()
                && note(at, faults(interrupted, handler, state, at)).is_some()
            {}
            found.extend(told(interrupted, handler, &wrong));
        }
    }
    found
}

/// What grows, with each that needs no task, at its instructions one by one: each time on a new thread, as after a handler that interrupts a change no
/// lane of its thread grows any more.
fn growing() -> Vec<String> {
    let mut found = Vec::new();
    let grow = INTERRUPTED.iter().filter(|action| action.name.starts_with("growth"));
    let handlers = HANDLERS.iter().filter(|action| !action.is_task).step_by(if cfg!(debug_assertions) { 5 } else { 1 });
    for (interrupted, handler) in grow.flat_map(|grow| handlers.clone().map(move |handler| (grow, handler))) {
        let at_all = (0..).step_by(STRIDE as usize).map_while(|nth| {
            let here = || {
                warm(interrupted, handler, State::Growing);
                faults(interrupted, handler, State::Growing, At::Nth(nth))
            };
            std::thread::scope(|threads| threads.spawn(here).join().expect("no panic"))
        });
        let wrong: Vec<String> = at_all.filter(|faults| !faults.is_empty()).collect();
        found.extend(told(interrupted, handler, &wrong));
    }
    found
}

/// What is said of the runs of a pair that were wrong.
fn told(interrupted: &Action, handler: &Action, wrong: &[String]) -> Option<String> {
    let first = wrong.first()?;
    Some(format!("{} / {}: {} runs, as {first}", interrupted.name, handler.name, wrong.len()))
}

/// Runs both where they will be.
fn warm(interrupted: &Action, handler: &Action, state: State) {
    let _around = enter_around(state);
    actions::prepare(state == State::Growing);
    (interrupted.run)();
    (handler.run)();
    actions::clean();
}

#[test]
fn a_handler_at_any_instruction_is_recorded_and_disturbs_nothing() {
    let _alone = crate::alone();
    memory::prepare();
    memprof::enable();
    let tables = [State::BelowPeak, State::AtPeak, State::UnderContext].into_iter().flat_map(table);
    let found: Vec<String> = tables.chain(growing()).collect();
    assert!(found.is_empty(), "{} of {}:\n{}", found.len(), 3 * INTERRUPTED.len() * HANDLERS.len(), found.join("\n"));
}
