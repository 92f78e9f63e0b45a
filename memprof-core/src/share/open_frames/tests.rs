//! The rule by which a scope folds into its parent stands in three forms: in the ledger, on the frames that a
//! reader copied, and on plain values. Random programs of one thread see all three agree at every step, by whichever path its events and
//! its scopes go: also while its lane grows.

use crate::base::random::Random;
use crate::base::tally::{Counters, Tally};
use crate::events::any::{alloc, free, realloc};
use crate::lanes::pending::HandOver;
use crate::names::site::Site;
use crate::scope::{leave, plain};
use crate::share::open_frames::Stack;
use crate::space::spaces::Space;
use crate::thread::frame::Frame;
use crate::thread::row::RowCopy;
use crate::thread::slot::Slot;

/// One site for each depth, so that no scope is inside another one of its site.
const DEPTHS: [&str; 6] = ["rule 0", "rule 1", "rule 2", "rule 3", "rule 4", "rule 5"];

/// The contract on plain values: one tally for each open scope, the base first.
struct Reference(Vec<Tally>);

impl Reference {
    fn add(&mut self, bytes: i64, blocks: i64) {
        let largest = if blocks > 0 { bytes.unsigned_abs() } else { 0 };
        self.fold(bytes, blocks, Tally { largest, ..Tally::default() });
    }

    fn resize(&mut self, from: u64, to: u64) {
        self.fold(to.cast_signed() - from.cast_signed(), 0, Tally { reallocs: 1, largest: to, ..Tally::default() });
    }

    fn fold(&mut self, bytes: i64, blocks: i64, rest: Tally) {
        let [total_bytes, total_blocks] = [bytes.max(0), blocks.max(0)];
        let counters = Counters {
            current_bytes: bytes,
            current_blocks: blocks,
            peak_bytes: total_bytes,
            peak_blocks: total_blocks,
            total_bytes,
            total_blocks,
        };
        self.0.last_mut().expect("the base").fold(&Tally { counters, ..rest });
    }

    fn leave(&mut self) -> Tally {
        let ended = self.0.pop().expect("a scope");
        self.0.last_mut().expect("the base").fold(&ended);
        ended
    }

    /// What the scope at `depth` recorded, with those above it as if they ended now.
    fn ended(&self, depth: usize) -> Tally {
        let above = self.0[depth..].iter().rev().copied();
        above
            .reduce(|above, mut below| {
                below.fold(&above);
                below
            })
            .expect("it is open")
    }

    /// What was reached until now counts with the value before the hand-over.
    fn charge(&mut self, depth: usize, hand_over: HandOver) {
        let reached = self.ended(depth).counters;
        let counters = &mut self.0[depth].counters;
        (counters.peak_bytes, counters.peak_blocks) = (reached.peak_bytes, reached.peak_blocks);
        let [bytes, blocks] = hand_over.to_level();
        counters.current_bytes += bytes;
        counters.current_blocks += blocks;
    }
}

fn frames(slot: &'static Slot) -> Vec<&'static Frame> {
    let mut frames: Vec<_> = core::iter::successors(Some(slot.top()), |frame| frame.below()).collect();
    frames.reverse();
    frames
}

/// What a reader makes of a copy of each open scope, and if `asked` what the ledger says, which ends growing.
fn compare(slot: &'static Slot, reference: &Reference, asked: bool, step: &str) {
    let mut ended = Stack::of(slot, Space::HOST, &slot.host).end(Space::HOST, |_, _| Tally::default());
    ended.reverse();
    for (depth, frame) in frames(slot).into_iter().enumerate() {
        let expected = reference.ended(depth);
        assert_eq!(ended[depth].tally, expected, "{step}: a copy, depth {depth}");
        if asked {
            slot.end_growing();
            assert_eq!(slot.host.tally_of(frame, None), expected, "{step}: the ledger, depth {depth}");
        }
    }
}

#[test]
fn the_rule_of_folding_is_the_same_in_all_its_forms() {
    let mut left_growing = 0;
    for seed in 0..200 {
        let slot = Slot::take().expect("a slot");
        slot.begin_note();
        let mut random = Random(seed);
        let mut reference = Reference(vec![Tally::default()]);
        for turn in 0..60 {
            let what = random.below(12);
            let step = format!("seed {seed}, turn {turn}, {what}");
            let depth = reference.0.len() - 1;
            match what {
                0..=2 if depth < DEPTHS.len() => {
                    let site = Site::named(DEPTHS[depth]);
                    let path_entry = slot.path_entry(slot.top().path(), site).expect("memory");
                    slot.enter_scope(slot.top(), &path_entry).expect("memory");
                    reference.0.push(Tally::default());
                }
                3..=4 if depth > 0 => {
                    let frame = slot.top();
                    let row = slot.host.row_of(frame.path()).expect("memory");
                    row.peak.set(0);
                    row.largest.set(0);
                    let before = row.copy();
                    if !frame.handle().is_some_and(|opened| plain::leave_plainly(slot, opened)) {
                        leave::leave_top(slot);
                    }
                    left_growing += u64::from(slot.host.is_growing() && frame.has(Space::HOST.bit()));
                    let ended = reference.leave();
                    let mut sums = before.sums;
                    sums.add(&ended.totals());
                    assert_eq!(row.copy().sums, sums, "{step}: the row");
                    let RowCopy { peak, largest, .. } = row.copy();
                    assert_eq!((peak.cast_signed(), largest), (ended.counters.peak_bytes, ended.largest), "{step}");
                }
                5..=8 => {
                    let bytes = random.below(1_000);
                    alloc(slot, bytes);
                    reference.add(bytes.cast_signed(), 1);
                }
                9 => {
                    let bytes = random.below(1_000);
                    free(slot, bytes);
                    reference.add(-bytes.cast_signed(), -1);
                }
                10 => {
                    let (from, to) = (random.below(1_000), random.below(1_000));
                    realloc(slot, from, to);
                    reference.resize(from, to);
                }
                _ => {
                    let depth = usize::try_from(random.below(reference.0.len() as u64)).expect("small");
                    let hand_over = HandOver { bytes: random.below(500), blocks: 1 };
                    let charge = || slot.host.charge(frames(slot)[depth], Space::HOST.bit(), hand_over);
                    slot.keep_net(Space::HOST, charge).expect("memory");
                    reference.charge(depth, hand_over);
                }
            }
            compare(slot, &reference, random.below(8) == 0, &step);
        }
        while slot.top().depth() > 0 {
            leave::leave_top(slot);
            reference.leave();
        }
        // It may have freed more blocks than it allocated.
        slot.set_outstanding(0);
        slot.give_back();
    }
    assert!(left_growing > 100, "{left_growing} scopes were left while the lane grew");
}
