//! Random programs of one thread that capture scopes, work under contexts and have hand-overs charged: after each event a captured scope
//! was told of all that the thread holds but for less than a step, and what is watched follows from what it was told.

use std::sync::Arc;

use crate::base::blind;
use crate::base::random::Random;
use crate::events::any::{alloc, free, realloc};
use crate::lanes::captured::Shared;
use crate::lanes::kind::Kind;
use crate::lanes::pending::HandOver;
use crate::lanes::waiting::{STEP, Waited};
use crate::names::site::Site;
use crate::scope::{leave, plain};
use crate::share::{context, settle, sharing};
use crate::space::spaces::Space;
use crate::thread::slot::Slot;

const SITES: [&str; 8] = ["told 0", "told 1", "told 2", "told 3", "told 4", "told 5", "told 6", "told 7"];
const SIZES: [u64; 3] = [1_000, 20_000, 100_000];

/// The most that a scope which sees the thread's events was not told of.
fn most_untold(slot: &'static Slot) -> i64 {
    let mut is_hidden = false;
    let seen = slot.host.held_by(sharing::frames(slot));
    let seen = seen.take_while(|(frame, _)| !core::mem::replace(&mut is_hidden, frame.hides()));
    seen.map(|(frame, [held, _])| (held - frame.published.get().now[0]).abs()).max().unwrap_or(0)
}

#[test]
fn a_captured_scope_is_told_of_each_step_and_what_is_watched_follows_from_that() {
    let step = STEP.cast_signed();
    let mut sharing_and_still = 0;
    for seed in 0..200 {
        let slot = Slot::take().expect("a slot");
        slot.begin_note();
        let mut random = Random(seed);
        let mut captured: Vec<Arc<Shared>> = Vec::new();
        for turn in 0..100 {
            let top = slot.top();
            let what = random.below(14);
            let step_of = format!("seed {seed}, turn {turn}, {what}");
            let size = SIZES[random.index(SIZES.len())];
            match what {
                0..=1 if top.depth() < SITES.len() as u64 => {
                    let site = Site::named(SITES[random.index(SITES.len())]);
                    let path_entry = slot.path_entry(top.path(), site).expect("memory");
                    if plain::enter_known(slot, site).is_none() {
                        slot.enter_scope(top, &path_entry).expect("memory");
                    }
                }
                2 if top.depth() > 0 => {
                    let _blind = blind::enter();
                    captured.extend(context::capture(slot));
                }
                3 if !captured.is_empty() && top.depth() < SITES.len() as u64 => {
                    let _blind = blind::enter();
                    context::enter_context(slot, &captured[random.index(captured.len())]).expect("memory");
                }
                4 if top.depth() > 0 => {
                    if top.kind() == Kind::Context {
                        // It may have freed more blocks than it allocated.
                        slot.set_outstanding(0);
                    }
                    if !top.handle().is_some_and(|opened| plain::leave_plainly(slot, opened)) {
                        leave::leave_top(slot);
                    }
                }
                5 => {
                    let segment = slot.segments().next().expect("the base");
                    let sum = HandOver { bytes: random.below(size), blocks: 1 };
                    let waited = Waited { space: Space::HOST, sum, is_forwarded: random.below(2) == 0 };
                    settle::charge(slot, segment, waited, |_| true);
                }
                6..=8 => alloc(slot, random.below(size)),
                9..=11 => free(slot, random.below(size)),
                _ => realloc(slot, random.below(size), random.below(size)),
            }
            if what >= 6 {
                assert!(most_untold(slot) < step, "{step_of}: {} bytes were not told", most_untold(slot));
                sharing_and_still += u64::from(slot.sharing.get().is_some() && most_untold(slot) > 0);
            }
            assert!(slot.watches_what_is_shared(), "{step_of}: what is watched is not what was told");
        }
        while slot.top().depth() > 0 {
            slot.set_outstanding(0);
            leave::leave_top(slot);
        }
        slot.set_outstanding(0);
        slot.give_back();
    }
    assert!(sharing_and_still > 1_000, "{sharing_and_still} events were below a step");
}
