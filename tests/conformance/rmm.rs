//! Replays RMM's scenarios: an adaptor is a named space, its stack of counters the scopes of this thread.

use std::collections::BTreeMap;

use memprof::{Scope, Site, Space};

use crate::common::{row, six};
use crate::script::{Scenario, check, expected, names};

#[derive(Default)]
struct Replay {
    /// Adaptors by name, each with those under it, itself first.
    adaptors: BTreeMap<String, Vec<Space>>,
    scopes: Vec<Scope>,
    /// Live blocks by name: their address and the spaces that they were allocated in.
    blocks: BTreeMap<String, (u64, Vec<Space>)>,
    next_address: u64,
    checks: usize,
}

/// Runs one scenario and says how many numbers it compared.
pub(crate) fn replay(scenario: &Scenario) -> usize {
    let mut replay = Replay::default();
    for step in &scenario.steps {
        replay.step(&scenario.id, step);
    }
    // A scenario may end with scopes and blocks of its own; the next one starts from nothing.
    while replay.scopes.pop().is_some() {}
    replay.free_all();
    replay.checks
}

impl Replay {
    fn step(&mut self, id: &str, step: &[String]) {
        let at = format!("{id}: {}", step.join(" "));
        let words: Vec<&str> = step.iter().map(String::as_str).collect();
        match words[..] {
            ["new", name] => self.add_adaptor(id, name, &[]),
            ["new", name, "over", under] => {
                let below = self.adaptors[under].clone();
                self.add_adaptor(id, name, &below);
            }
            [verb, adaptor, name, bytes] if verb.starts_with("alloc") => {
                let bytes = bytes.parse().expect("bytes");
                for name in names(verb, name) {
                    self.alloc(adaptor, name, bytes);
                }
            }
            ["free", name] => self.free(name),
            ["freeall"] => self.free_all(),
            ["get", adaptor, ..] => self.check_top(adaptor, step, &at),
            ["push", adaptor, ..] => {
                self.check_top(adaptor, step, &at);
                self.scopes.push(Scope::enter(Site::named(&format!("{id} push"))));
            }
            ["pop", adaptor, ..] => {
                let measured = self.scopes.pop().expect("an open scope").finish();
                let read = six(measured.counters(self.adaptors[adaptor][0]));
                self.checks += check(&read, &expected(step), &at);
            }
            // A guard is what leaves a scope, so there is nothing that could pop the base record.
            ["pop_err", _] => assert!(self.scopes.is_empty(), "{at}"),
            ["enter", _, name] => self.scopes.push(Scope::enter(Site::named(&format!("{id} {name}")))),
            ["exit", _, _] => drop(self.scopes.pop().expect("an open scope")),
            ["record", name, ..] => {
                let space = self.adaptors["A"][0];
                let row = row(&memprof::snapshot(), space, &format!("{id} {name}"));
                let read = [row.ncalls, row.memory_total, row.memory_peak].map(u64::cast_signed);
                self.checks += check(&read, &expected(step), &at);
            }
            _ => panic!("not understood: {at}"),
        }
    }

    fn add_adaptor(&mut self, id: &str, name: &str, below: &[Space]) {
        let space = Space::named(&format!("{id} {name}"));
        self.adaptors.insert(name.to_owned(), [&[space], below].concat());
    }

    fn alloc(&mut self, adaptor: &str, name: String, bytes: u64) {
        let spaces = self.adaptors[adaptor].clone();
        let address = self.next_address;
        self.next_address += 1;
        for space in spaces.iter().rev() {
            memprof::record_alloc(*space, address, bytes);
        }
        assert!(self.blocks.insert(name, (address, spaces)).is_none());
    }

    fn free(&mut self, name: &str) {
        let (address, spaces) = self.blocks.remove(name).expect("a live block");
        for space in spaces {
            memprof::record_free(space, address);
        }
    }

    fn free_all(&mut self) {
        for name in self.blocks.keys().cloned().collect::<Vec<_>>() {
            self.free(&name);
        }
    }

    fn check_top(&mut self, adaptor: &str, step: &[String], at: &str) {
        let space = self.adaptors[adaptor][0];
        let read = memprof::counters(space);
        if let Some(scope) = self.scopes.last() {
            assert_eq!(scope.counters(space), read, "{at}: the innermost scope is the guard's");
        }
        self.checks += check(&six(read), &expected(step), at);
    }
}
