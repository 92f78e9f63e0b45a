//! The open scopes of one thread, counted as if they ended now.

use std::collections::BTreeMap;

use crate::counters::{Counters, Tally};
use crate::frame::{Frame, Kind};
use crate::ledger::{Entry, Ledger};
use crate::slot::Slot;
use crate::space::Space;

use super::sums::{PathSums, ROW_WORDS, TRIES, copy_row};

/// The rows, in one space, of the paths that are open on one thread.
pub(super) struct OpenScopes {
    /// Few, so that asking for a path that is not open costs next to nothing.
    pub(super) rows: BTreeMap<usize, PathSums>,
    /// Whether they were read at one moment. If not, they hold what was ended.
    pub(super) whole: bool,
}

/// An open frame as it was copied.
struct Open {
    frame: &'static Frame,
    serial: u64,
    path: usize,
    marks: u64,
    kind: Kind,
    tally: Tally,
}

// What is copied of the ledger, of each entry and of each frame, in words.
const SUMS: usize = 6;
const LEDGER_WORDS: usize = SUMS + 3;
const ENTRY_WORDS: usize = SUMS + 4;
const FRAME_WORDS: usize = 4;

impl OpenScopes {
    pub(super) fn read(slot: &'static Slot, space: Space, ledger: &'static Ledger) -> Self {
        let mut frames: Vec<&'static Frame> = Vec::new();
        let (words, whole) = slot.sequence.read(TRIES, || {
            let mut words = Vec::new();
            frames.clear();
            copy(slot, ledger, &mut words, &mut frames);
            words
        });
        let mut open = Self { rows: BTreeMap::new(), whole };
        if !whole || frames.is_empty() {
            return open;
        }
        let entries = (words.len() - LEDGER_WORDS - frames.len() * (FRAME_WORDS + ROW_WORDS)) / ENTRY_WORDS;
        let (sums, rest) = words.split_at(LEDGER_WORDS);
        let (entry_words, frame_words) = rest.split_at(entries * ENTRY_WORDS);
        let frames: Vec<Open> = frames
            .iter()
            .zip(frame_words.chunks(FRAME_WORDS + ROW_WORDS))
            .map(|(frame, words)| {
                let path = usize::try_from(words[1]).unwrap_or(0);
                open.rows.entry(path).or_insert_with(|| PathSums::of_words(&words[FRAME_WORDS..]));
                Open { frame, serial: words[0], path, marks: words[2], kind: kind(words[3]), tally: Tally::default() }
            })
            .collect();
        open.add(space, frames, sums, entry_words);
        open
    }

    /// Adds the frames, from the top down.
    fn add(&mut self, space: Space, frames: Vec<Open>, sums: &[u64], entries: &[u64]) {
        let frames = complete(space, tallies(frames, sums, entries, space.bit()));
        for frame in &frames {
            let Some(row) = self.rows.get_mut(&frame.path) else { continue };
            match frame.kind {
                Kind::Scope => row.add_open(&frame.tally, frame.marks),
                Kind::Poll => {
                    row.add_open(
                        &Tally { counters: Counters { peak_bytes: 0, ..frame.tally.counters }, ..frame.tally },
                        frame.marks,
                    );
                    row.raise_to(&frame.whole_future(space));
                }
                Kind::Base | Kind::Context => {}
            }
        }
    }
}

impl Open {
    /// What the future recorded with this poll, as long as the poll goes on.
    fn whole_future(&self, space: Space) -> Tally {
        let Some(future) = self.frame.future.get() else { return Tally::default() };
        let accounts = future.activation.accounts();
        // The poll is folded in under the same lock.
        if self.frame.serial.get() != self.serial {
            return Tally::default();
        }
        let mut sum = accounts.tally(space);
        sum.fold(&self.tally);
        sum
    }
}

fn kind(word: u64) -> Kind {
    match word {
        0 => Kind::Scope,
        1 => Kind::Poll,
        2 => Kind::Context,
        _ => Kind::Base,
    }
}

fn copy(slot: &'static Slot, ledger: &'static Ledger, words: &mut Vec<u64>, frames: &mut Vec<&'static Frame>) {
    words.extend([ledger.alloc_bytes.get(), ledger.alloc_blocks.get()]);
    words.extend(ledger.freed());
    words.extend([ledger.reallocs.get(), ledger.failed.get()]);
    words.extend([ledger.peak_bytes.get(), ledger.peak_blocks.get(), ledger.largest.get()]);
    let mut entry: Option<&'static Entry> = ledger.entry.get();
    while let Some(open) = entry {
        words.extend(
            [
                &open.alloc_bytes,
                &open.alloc_blocks,
                &open.freed_bytes,
                &open.freed_blocks,
                &open.reallocs,
                &open.failed,
            ]
            .map(crate::system::Counter::get),
        );
        words.extend([open.saved_bytes.get(), open.saved_blocks.get(), open.saved_largest.get()]);
        words.push(open.frame.get().map_or(0, Frame::depth));
        entry = open.below.get();
    }
    let mut frame = Some(slot.top.get());
    while let Some(open) = frame {
        let path = open.path();
        let kind = match open.kind() {
            Kind::Scope => 0,
            Kind::Poll => 1,
            Kind::Context => 2,
            Kind::Base => 3,
        };
        words.extend([open.serial.get(), path.index() as u64, open.marks.get(), kind]);
        match ledger.rows.get(path.index()) {
            Some(row) => words.extend(copy_row(row)),
            None => words.extend([0; ROW_WORDS]),
        }
        frames.push(open);
        frame = open.below();
    }
}

/// Works out what each frame recorded, from the copy of the ledger and its entries, both from the top down.
fn tallies(mut frames: Vec<Open>, sums: &[u64], entries: &[u64], bit: u64) -> Vec<Open> {
    let top = frames.len() - 1;
    let mut now: Vec<u64> = sums[..SUMS].to_vec();
    let (mut bytes, mut blocks, mut largest) = (sums[SUMS].cast_signed(), sums[SUMS + 1].cast_signed(), sums[SUMS + 2]);
    let depth_of = |entry: &[u64]| usize::try_from(entry[SUMS + 3]).unwrap_or(0).min(top);
    let mut rest = entries.chunks(ENTRY_WORDS).peekable();
    while let Some(entry) = rest.next() {
        let place = top - depth_of(entry);
        frames[place].tally = difference(&now, entry, bytes, blocks, largest);
        let below = rest.peek().map_or(top, |below| top - depth_of(below));
        let is_context = frames[place..below].iter().any(|frame| frame.kind == Kind::Context);
        if is_context {
            // What is further down sees nothing of this.
            now = entry[..SUMS].to_vec();
            (bytes, blocks, largest) = (entry[SUMS].cast_signed(), entry[SUMS + 1].cast_signed(), entry[SUMS + 2]);
        } else {
            bytes = bytes.max(entry[SUMS].cast_signed());
            blocks = blocks.max(entry[SUMS + 1].cast_signed());
            largest = largest.max(entry[SUMS + 2]);
        }
    }
    inherit(&mut frames, bit);
    frames
}

/// Gives a frame without an entry what the next one above recorded: it saw nothing of its own.
fn inherit(frames: &mut [Open], bit: u64) {
    for place in 1..frames.len() {
        let above = &frames[place - 1];
        let untouched = frames[place].marks & bit == 0;
        if untouched && above.kind != Kind::Context {
            frames[place].tally = above.tally;
        }
    }
}

fn difference(now: &[u64], entry: &[u64], peak_bytes: i64, peak_blocks: i64, largest: u64) -> Tally {
    let level = |sums: &[u64], kind: usize| sums[kind].wrapping_sub(sums[kind + 2]).cast_signed();
    let since = |kind: usize| now[kind].wrapping_sub(entry[kind]);
    let counters = Counters {
        current_bytes: level(now, 0) - level(entry, 0),
        current_blocks: level(now, 1) - level(entry, 1),
        peak_bytes: peak_bytes - level(entry, 0),
        peak_blocks: peak_blocks - level(entry, 1),
        total_bytes: since(0).cast_signed(),
        total_blocks: since(1).cast_signed(),
    };
    Tally { counters, reallocs: since(4), failed: since(5), largest }
}

/// Adds what came in under contexts captured at these frames, to them and to those they fold into.
fn complete(space: Space, mut frames: Vec<Open>) -> Vec<Open> {
    for place in 0..frames.len() {
        if frames[place].kind == Kind::Context || frames[place].frame.serial.get() != frames[place].serial {
            continue;
        }
        let Some(shared) = frames[place].frame.shared() else { continue };
        let before = frames[place].tally;
        let after = shared.complete(space, &before, &frames[place].frame.before_poll(space));
        frames[place].tally = after;
        for parent in &mut frames[place + 1..] {
            if parent.kind == Kind::Context {
                break;
            }
            parent.tally.correct(&before, &after);
        }
    }
    frames
}
