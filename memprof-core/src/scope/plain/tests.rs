//! Random programs of one thread that enter scopes of a few sites, capture them and work under contexts: whether another activation of its site or
//! node is open around a scope is what a walk over all that is open says, by whichever way it was entered.

use std::sync::Arc;

use crate::base::blind;
use crate::base::random::Random;
use crate::lanes::captured::Shared;
use crate::lanes::kind::{AGAIN, Kind, NODE_OPEN, SITE_OPEN, UNDER_CONTEXT};
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::scope::{leave, plain};
use crate::share::context;
use crate::thread::frame::Frame;
use crate::thread::slot::Slot;

const SITES: [&str; 4] = ["around a", "around b", "around c", "around d"];
const MOST_OPEN: u64 = 12;

/// The flags of a scope of `path` that is entered on `top`, by a look at everything that is open around it.
fn flags_by_a_walk(top: &'static Frame, path: PathId) -> u64 {
    let mut open = Vec::new();
    let mut under_context = 0;
    for frame in core::iter::successors(Some(top), |frame| frame.below()) {
        match frame.kind() {
            Kind::Context => {
                under_context = UNDER_CONTEXT;
                let shared = frame.shared().expect("a context shares");
                shared.has_any_open(|node| {
                    open.push(node);
                    false
                });
                break;
            }
            Kind::Scope => open.push(frame.path()),
            Kind::Base | Kind::Poll | Kind::Ambient => {}
        }
    }
    let node_open = open.contains(&path);
    let site_open = open.iter().any(|node| node.site() == path.site());
    under_context | if node_open { NODE_OPEN } else { 0 } | if site_open { SITE_OPEN } else { 0 }
}

#[test]
fn what_is_known_of_what_is_open_around_a_scope_is_what_a_walk_says() {
    let sites = SITES.map(Site::named);
    let (mut known, mut known_again, mut left_plainly) = (0, 0, 0);
    for seed in 0..300 {
        let slot = Slot::take().expect("a slot");
        slot.begin_note();
        let mut random = Random(seed);
        let mut captured: Vec<Arc<Shared>> = Vec::new();
        for turn in 0..80 {
            let top = slot.top();
            match random.below(10) {
                0..=4 if top.depth() < MOST_OPEN => {
                    let site = sites[random.index(SITES.len())];
                    let path_entry = slot.path_entry(top.path(), site).expect("memory");
                    let expected = flags_by_a_walk(top, path_entry.path);
                    let entered = plain::enter_known(slot, site);
                    if entered.is_some() && expected & UNDER_CONTEXT != 0 {
                        known += 1;
                        known_again += u64::from(expected & AGAIN == AGAIN);
                    }
                    let entered = entered.or_else(|| slot.enter_scope(top, &path_entry)).expect("memory");
                    let frame = slot.frame_of(entered).expect("it was opened");
                    let flags = frame.flags.get() & (UNDER_CONTEXT | AGAIN);
                    assert_eq!(flags, expected, "seed {seed}, turn {turn}");
                    assert_eq!(frame.path(), path_entry.path, "seed {seed}, turn {turn}");
                }
                5 => {
                    let _blind = blind::enter();
                    captured.extend(context::capture(slot));
                }
                6 if top.depth() < MOST_OPEN && !captured.is_empty() => {
                    let _blind = blind::enter();
                    let shared = &captured[random.index(captured.len())];
                    context::enter_context(slot, shared).expect("memory");
                }
                _ if top.depth() > 0 => {
                    let is_under_context = top.has(UNDER_CONTEXT) && top.kind() == Kind::Scope;
                    if top.handle().is_some_and(|opened| plain::leave_plainly(slot, opened)) {
                        left_plainly += u64::from(is_under_context);
                    } else {
                        leave::leave_top(slot);
                    }
                }
                _ => {}
            }
        }
        while slot.top().depth() > 0 {
            leave::leave_top(slot);
        }
        slot.give_back();
    }
    assert!(known > 300 && known_again > 30 && left_plainly > 300, "{known}, {known_again}, {left_plainly}");
}
