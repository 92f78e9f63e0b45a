//! Eight threads of scopes, blocks, reallocations and hand-overs, under snapshots and switching.
//!
//! Each thread keeps its own tally of what it did, in plain integers. Where nothing is switched, the rows must
//! say exactly what the tallies say. Where measuring is switched on and off at random, what can be known is
//! known exactly: when every block has been freed, nobody holds a byte. Runs under `AddressSanitizer` as well.
#![cfg(test)]
#![expect(unsafe_code, reason = "blocks of exact sizes come from the allocator itself")]

#[path = "../../common/mod.rs"]
mod common;
mod helpers;

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use common::{alone, row};
use memprof::{Scope, Site, Snapshot, Space};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();

const THREADS: usize = 8;
const SITES: usize = 6;
const SLOTS: usize = 64;
const HELD: usize = 32;
const DEPTH: usize = 12;
const STEPS: u64 = if cfg!(debug_assertions) { 10_000 } else { 1_000_000 };
const NAMES: [&str; SITES] = ["stress a", "stress b", "stress c", "stress d", "stress e", "stress root"];
const ROOT: usize = SITES - 1;
/// Every block of the named space has this size, so that a torn pair of bytes and blocks shows.
const NAMED_BYTES: u64 = 48;

fn space() -> Space {
    Space::named("stress")
}

/// A host block, and the thread that allocated or last reallocated it.
struct Block {
    start: *mut u8,
    bytes: usize,
    home: usize,
}

// SAFETY: a block of plain bytes may be used and freed on any thread.
unsafe impl Send for Block {}

impl Block {
    fn new(bytes: usize, home: usize) -> Block {
        // SAFETY: callers ask for at least one byte.
        let start = unsafe { alloc(layout(bytes)) };
        assert!(!start.is_null());
        // SAFETY: the first byte of the block.
        unsafe { start.write(0x5a) };
        Block { start, bytes, home }
    }

    fn resize(&mut self, bytes: usize, home: usize) {
        // SAFETY: this block with its layout; callers ask for at least one byte.
        self.start = unsafe { realloc(self.start, layout(self.bytes), bytes) };
        assert!(!self.start.is_null());
        (self.bytes, self.home) = (bytes, home);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the first byte was written when the block was made, and reallocation keeps it.
        assert_eq!(unsafe { self.start.read() }, 0x5a);
        // SAFETY: this block with its layout, once.
        unsafe { dealloc(self.start, layout(self.bytes)) }
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 8).expect("a layout")
}

/// What one site must show in one space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Expected {
    ncalls: u64,
    self_total: u64,
    self_blocks: u64,
    memory_total: u64,
    blocks_total: u64,
    reallocs: u64,
}

impl Expected {
    fn read(snapshot: &Snapshot, space: Space, name: &str) -> Expected {
        let row = row(snapshot, space, name);
        Expected {
            ncalls: row.ncalls,
            self_total: row.self_total,
            self_blocks: row.self_blocks,
            memory_total: row.memory_total,
            blocks_total: row.blocks_total,
            reallocs: row.reallocs,
        }
    }

    fn add(&mut self, other: Expected) {
        self.ncalls += other.ncalls;
        self.self_total += other.self_total;
        self.self_blocks += other.self_blocks;
        self.memory_total += other.memory_total;
        self.blocks_total += other.blocks_total;
        self.reallocs += other.reallocs;
    }
}

/// An open scope, and what was allocated in it and its children: bytes, blocks, reallocations by space.
struct Open {
    site: usize,
    added: [(u64, u64, u64); 2],
}

const HOST: usize = 0;
const NAMED: usize = 1;

/// One thread's program. Everything it needs stands in place: the only blocks are those it asks for.
struct Worker<'a> {
    thread: usize,
    random: u64,
    slots: &'a [Mutex<Option<Block>>],
    sites: [&'static Site; SITES],
    open: [Option<Open>; DEPTH],
    depth: usize,
    held: [Option<Block>; HELD],
    named: [bool; HELD],
    tally: [[Expected; SITES]; 2],
    steps_left: u64,
}

impl Worker<'_> {
    fn next(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % below as u64).expect("small")
    }

    /// A scope and what happens in it, until it is left or the steps are used up.
    fn scope(&mut self, site: usize) {
        let guard = Scope::enter(self.sites[site]);
        for tally in &mut self.tally {
            tally[site].ncalls += 1;
        }
        self.open[self.depth] = Some(Open { site, added: Default::default() });
        self.depth += 1;
        while self.steps_left > 0 {
            self.steps_left -= 1;
            match self.next(16) {
                0 | 1 if self.depth < DEPTH => {
                    let site = self.next(SITES - 1);
                    self.scope(site);
                }
                2 | 3 if self.depth > 1 => break,
                4 | 5 => self.hand_over(),
                6 => self.resize(),
                7 | 8 => self.named_block(),
                _ => self.host_block(),
            }
        }
        if self.depth == 1 {
            self.free_all();
        }
        self.leave(site);
        drop(guard);
    }

    fn leave(&mut self, site: usize) {
        self.depth -= 1;
        let left = self.open[self.depth].take().expect("an open scope");
        let is_recursive = self.open[..self.depth].iter().flatten().any(|open| open.site == site);
        for space in [HOST, NAMED] {
            let (bytes, blocks, reallocs) = left.added[space];
            if !is_recursive {
                let row = &mut self.tally[space][site];
                row.memory_total += bytes;
                row.blocks_total += blocks;
                row.reallocs += reallocs;
            }
            if self.depth > 0 {
                self.add(space, bytes, blocks, reallocs);
            }
        }
    }

    fn add(&mut self, space: usize, bytes: u64, blocks: u64, reallocs: u64) {
        let added = &mut self.open[self.depth - 1].as_mut().expect("an open scope").added[space];
        added.0 += bytes;
        added.1 += blocks;
        added.2 += reallocs;
    }

    fn count(&mut self, space: usize, bytes: u64, blocks: u64, reallocs: u64) {
        self.add(space, bytes, blocks, reallocs);
        let site = self.open[self.depth - 1].as_ref().expect("an open scope").site;
        self.tally[space][site].self_total += bytes;
        self.tally[space][site].self_blocks += blocks;
    }

    fn host_block(&mut self) {
        let at = self.next(HELD);
        if self.held[at].take().is_some() {
            return;
        }
        let bytes = if self.next(100) == 0 { 1 + self.next(300_000) } else { 1 + self.next(600) };
        self.held[at] = Some(Block::new(bytes, self.thread));
        self.count(HOST, bytes as u64, 1, 0);
    }

    /// Puts a block where any thread may take it, and frees or resizes the one that stood there.
    fn hand_over(&mut self) {
        let (at, slot) = (self.next(HELD), self.next(SLOTS));
        let mine = self.held[at].take();
        let theirs = std::mem::replace(&mut *self.slots[slot].lock().unwrap_or_else(PoisonError::into_inner), mine);
        if self.next(2) == 0 {
            self.held[at] = theirs;
            self.resize_at(at);
        }
    }

    fn resize(&mut self) {
        let at = self.next(HELD);
        self.resize_at(at);
    }

    fn resize_at(&mut self, at: usize) {
        let to = 1 + self.next(2000);
        let thread = self.thread;
        let Some(block) = &mut self.held[at] else { return };
        let (from, home) = (block.bytes, block.home);
        block.resize(to, thread);
        if home == thread {
            self.count(HOST, to.saturating_sub(from) as u64, 0, 1);
        } else {
            self.count(HOST, to as u64, 1, 1);
        }
    }

    fn named_block(&mut self) {
        let at = self.next(HELD);
        let address = (self.thread * HELD + at) as u64;
        if std::mem::replace(&mut self.named[at], true) {
            self.named[at] = false;
            memprof::record_free(space(), address);
        } else {
            memprof::record_alloc(space(), address, NAMED_BYTES);
            self.count(NAMED, NAMED_BYTES, 1, 0);
        }
    }

    fn free_all(&mut self) {
        for at in 0..HELD {
            drop(self.held[at].take());
            if std::mem::take(&mut self.named[at]) {
                memprof::record_free(space(), (self.thread * HELD + at) as u64);
            }
        }
    }
}

/// Runs eight workers while `beside` is called over and over, and adds up their tallies.
fn run(seed: u64, mut beside: impl FnMut()) -> [[Expected; SITES]; 2] {
    let sites = NAMES.map(Site::named);
    let _: Space = space();
    let slots: Vec<Mutex<Option<Block>>> = (0..SLOTS).map(|_| Mutex::new(None)).collect();
    let running = AtomicU64::new(THREADS as u64);
    let mut sum = [[Expected::default(); SITES]; 2];
    std::thread::scope(|threads| {
        let started: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (slots, running) = (&slots[..], &running);
                threads.spawn(move || {
                    let mut worker = Worker {
                        thread,
                        random: seed + thread as u64 * 0x9e37_79b9 + 1,
                        slots,
                        sites,
                        open: std::array::from_fn(|_| None),
                        depth: 0,
                        held: std::array::from_fn(|_| None),
                        named: [false; HELD],
                        tally: Default::default(),
                        steps_left: STEPS,
                    };
                    worker.scope(ROOT);
                    running.fetch_sub(1, Ordering::Release);
                    worker.tally
                })
            })
            .collect();
        while running.load(Ordering::Acquire) > 0 {
            beside();
        }
        for thread in started {
            let tally = thread.join().expect("no panic");
            for (sum, tally) in sum.iter_mut().flatten().zip(tally.iter().flatten()) {
                sum.add(*tally);
            }
        }
    });
    // What still lies in the slots is freed here, on yet another thread.
    drop(slots);
    sum
}

fn assert_nothing_is_live(snapshot: &Snapshot) {
    for name in NAMES {
        for space in [Space::HOST, space()] {
            let live = snapshot.records(space).iter().find(|row| row.name == name);
            let live = live.map_or((0, 0), |row| (row.live, row.live_blocks));
            assert_eq!(live, (0, 0), "{name} in {space}");
        }
    }
    let totals = snapshot.totals(space());
    assert_eq!((totals.live, totals.live_blocks), (0, 0));
}

fn assert_exact(sum: &[[Expected; SITES]; 2]) {
    let snapshot = memprof::snapshot();
    for (space, expected) in [(Space::HOST, sum[HOST]), (space(), sum[NAMED])] {
        for (name, expected) in NAMES.iter().zip(expected) {
            assert_eq!(Expected::read(&snapshot, space, name), expected, "{name} in {space}");
        }
    }
    assert_nothing_is_live(&snapshot);
    let totals = snapshot.totals(space());
    let root = sum[NAMED][ROOT];
    assert_eq!((totals.total, totals.blocks_total, totals.no_scope_total), (root.memory_total, root.blocks_total, 0));
    assert_eq!((totals.unknown_frees, totals.missed_frees), (0, 0));
    let at_peak: u64 = snapshot.records(space()).iter().map(|row| row.at_peak).sum();
    assert_eq!(at_peak, totals.peak);
}

/// What holds of every snapshot, whatever runs beside it.
fn assert_untorn(snapshot: &Snapshot) {
    for row in snapshot.records(space()) {
        let pairs = [
            (row.memory_total, row.blocks_total),
            (row.self_total, row.self_blocks),
            (row.live.cast_unsigned(), row.live_blocks.cast_unsigned()),
            (row.at_peak, row.at_peak_blocks),
        ];
        for (bytes, blocks) in pairs {
            assert_eq!(bytes, blocks.wrapping_mul(NAMED_BYTES), "{row:?}");
        }
        assert_eq!(row.memory_peak % NAMED_BYTES, 0, "{row:?}");
        assert!(row.largest <= NAMED_BYTES);
    }
    let totals = snapshot.totals(space());
    assert_eq!(totals.live, totals.live_blocks * NAMED_BYTES.cast_signed());
    assert_eq!(totals.total, totals.blocks_total * NAMED_BYTES);
    assert_eq!(totals.peak, totals.peak_blocks * NAMED_BYTES);
}

#[test]
fn totals_are_exact_under_snapshots() {
    let _alone = alone();
    let mut snapshots = 0;
    let sum = run(1, || {
        assert_untorn(&memprof::snapshot());
        snapshots += 1;
    });
    assert!(snapshots > 0);
    assert_exact(&sum);
}

#[test]
fn nothing_is_live_when_all_is_freed_whatever_was_switched_and_the_next_run_is_exact() {
    let _alone = alone();
    let switches = AtomicBool::new(true);
    let mut round = 0u32;
    run(2, || {
        if switches.fetch_xor(true, Ordering::Relaxed) {
            memprof::disable();
        } else {
            memprof::enable();
        }
        round += 1;
        if round.is_multiple_of(7) {
            drop(memprof::snapshot());
        }
        if round.is_multiple_of(31) {
            memprof::reset();
        }
        // Some of the workers' time passes between two switches.
        std::thread::yield_now();
    });
    memprof::enable();
    // Named blocks that were recorded while on and freed while on or off are gone; those that were
    // recorded while off were never there.
    assert_nothing_is_live(&memprof::snapshot());
    memprof::reset();
    let sum = run(3, std::thread::yield_now);
    assert_exact(&sum);
}
