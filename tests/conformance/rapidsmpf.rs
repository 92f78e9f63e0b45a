//! Replays rapidsmpf's scenarios: each of its threads is a real one, told what to do one step at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use memprof::{Scope, Site, Space};

use crate::common::{Worker, row};
use crate::script::{Scenario, check, expected, names};

struct Replay<'a> {
    id: &'a str,
    space: Space,
    threads: BTreeMap<String, Worker>,
    /// Sites of the open scopes of each thread.
    open: BTreeMap<String, Vec<String>>,
    blocks: BTreeMap<String, u64>,
    next_address: u64,
    checks: usize,
}

/// Runs one scenario and says how many numbers it compared.
pub(crate) fn replay(scenario: &Scenario, space: Space) -> usize {
    memprof::reset();
    let mut replay = Replay {
        id: &scenario.id,
        space,
        threads: BTreeMap::new(),
        open: BTreeMap::new(),
        blocks: BTreeMap::new(),
        next_address: 0,
        checks: 0,
    };
    for step in &scenario.steps {
        replay.step(step);
    }
    replay.free_all("t0");
    assert_eq!(memprof::snapshot().totals(space).live, 0);
    replay.checks
}

impl Replay<'_> {
    fn step(&mut self, step: &[String]) {
        let at = format!("{}: {}", self.id, step.join(" "));
        let words: Vec<&str> = step.iter().map(String::as_str).collect();
        let thread = words[0].trim_end_matches(':');
        match words[1..] {
            ["=", ..] => self.check_main(step, &at),
            ["begin"] => {
                static NEXT: AtomicUsize = AtomicUsize::new(0);
                let site = format!("{} begin {}", self.id, NEXT.fetch_add(1, Ordering::Relaxed));
                self.enter(thread, site);
            }
            ["end", ..] => self.check_end(thread, step, &at),
            ["enter", name] => self.enter(thread, format!("{} {name}", self.id)),
            ["exit", _] => {
                self.open.get_mut(thread).expect("open scopes").pop().expect("an open scope");
                self.run(thread, |scopes| drop(scopes.pop().expect("an open scope")));
            }
            [verb, name, bytes] if verb.starts_with("alloc") => {
                let (space, bytes) = (self.space, bytes.parse().expect("bytes"));
                for name in names(verb, name) {
                    let address = self.next_address;
                    self.next_address += 1;
                    self.run(thread, move |_| memprof::record_alloc(space, address, bytes));
                    assert!(self.blocks.insert(name, address).is_none());
                }
            }
            ["free", name] => self.free(thread, name),
            ["freeall"] => self.free_all(thread),
            [name, "=", ..] => self.check_record(name, step, &at),
            _ => panic!("not understood: {at}"),
        }
    }

    fn run<R: Send + 'static>(&mut self, thread: &str, work: impl FnOnce(&mut Vec<Scope>) -> R + Send + 'static) -> R {
        self.threads.entry(thread.to_owned()).or_insert_with(Worker::start).run(work)
    }

    fn enter(&mut self, thread: &str, site: String) {
        let named = Site::named(&site);
        self.run(thread, move |scopes| scopes.push(Scope::enter(named)));
        self.open.entry(thread.to_owned()).or_default().push(site);
    }

    fn free(&mut self, thread: &str, name: &str) {
        let (space, address) = (self.space, self.blocks.remove(name).expect("a live block"));
        self.run(thread, move |_| memprof::record_free(space, address));
    }

    fn free_all(&mut self, thread: &str) {
        for name in self.blocks.keys().cloned().collect::<Vec<_>>() {
            self.free(thread, &name);
        }
    }

    /// `total_allocs current_allocs current_bytes total_bytes peak_bytes max_single` of the scope that
    /// ends; the largest block comes from its record.
    fn check_end(&mut self, thread: &str, step: &[String], at: &str) {
        let space = self.space;
        let site = self.open.get_mut(thread).expect("open scopes").pop().expect("an open scope");
        let ended = self.run(thread, move |scopes| scopes.pop().expect("an open scope").finish().counters(space));
        let largest = row(&memprof::snapshot(), space, &site).largest.cast_signed();
        let read = [
            ended.total_blocks,
            ended.current_blocks,
            ended.current_bytes,
            ended.total_bytes,
            ended.peak_bytes,
            largest,
        ];
        self.checks += check(&read, &expected(step), at);
    }

    /// The process-wide record. It has no largest block in memprof, so the sixth number is left out.
    fn check_main(&mut self, step: &[String], at: &str) {
        let totals = memprof::snapshot().totals(self.space);
        let read = [
            totals.blocks_total.cast_signed(),
            totals.live_blocks,
            totals.live,
            totals.total.cast_signed(),
            totals.peak.cast_signed(),
        ];
        self.checks += check(&read, &expected(step)[..5], at);
    }

    /// `calls total_allocs total_bytes peak_bytes g_peak`. The last is the fourth again in rapidsmpf (its
    /// documentation says otherwise) and has no counterpart here.
    fn check_record(&mut self, name: &str, step: &[String], at: &str) {
        let row = row(&memprof::snapshot(), self.space, &format!("{} {name}", self.id));
        let read = [row.ncalls, row.blocks_total, row.memory_total, row.memory_peak].map(u64::cast_signed);
        self.checks += check(&read, &expected(step)[..4], at);
    }
}
