//! Tracked futures that nobody polls right now: what they recorded stands in no thread's frames.
//!
//! A future between two polls has its numbers in its [`Activation`]. A future that is being polled has a part there
//! and a part on a thread's stack, and is read with that thread ([`open_rows`](super::open_rows)). One that begins
//! or ends a poll while it is read could be in both or in neither: so threads are read first and say whom they were
//! polling, and only then are the others asked here.

use std::sync::Arc;

use crate::base::tally::{Counters, Tally};
use crate::lanes::account::Account;
use crate::lanes::activation::Activation;
use crate::lanes::captured::Shared;
use crate::names::path::PathId;
use crate::share::ambient;
use crate::space::spaces::Space;

/// Gives what each open future recorded in its polls so far to `see`, by space.
pub(super) fn open_futures(mut see: impl FnMut(PathId, Space, &Account)) {
    for activation in Activation::all() {
        activation.see_accounts(|tag, space, account| see(tag.path(), space, account));
    }
}

/// Gives each open future, but for those in `polled`, to `see`: its path, what it recorded in the polls that have
/// ended, and what was handed over to it and added under its contexts since.
pub(super) fn suspended(space: Space, polled: &[&'static Activation], mut see: impl FnMut(PathId, &Account, &Tally)) {
    let is_polled = |activation: &Activation| polled.iter().any(|polled| core::ptr::eq(*polled, activation));
    for activation in Activation::all().filter(|activation| !is_polled(activation)) {
        if let Some((path, before, added)) = read_suspended(activation, space) {
            see(path, &before, &added);
        }
    }
}

/// What one open future recorded and is to get; `None` if there is none, or if it is another one than when the
/// reading began.
fn read_suspended(activation: &Activation, space: Space) -> Option<(PathId, Account, Tally)> {
    let shared = activation.shared();
    let waiting = activation.lane.get().map(|own| own.waiting(space)).unwrap_or_default();
    let (tag, before) = activation.account(space)?;
    let [current_bytes, current_blocks] = waiting.to_level();
    let counters = Counters { current_bytes, current_blocks, ..Counters::default() };
    let mut added = Tally { counters, ..Tally::default() };
    if let Some(shared) = &shared {
        let ambient = ambient::inside(shared, space);
        added = shared.complete(space, &added, &before.tally.counters, &ambient, &mut [0; 2]);
    }
    // The future may have ended meanwhile, and another one may have taken its place.
    let is_same = activation.tag.get() == tag.0 && is_same(activation.shared().as_ref(), shared.as_ref());
    (is_same && tag.path() != PathId::ROOT).then_some((tag.path(), before, added))
}

/// Whether both are the same shared part, or there is none.
fn is_same(one: Option<&Arc<Shared>>, other: Option<&Arc<Shared>>) -> bool {
    one.map(Arc::as_ptr) == other.map(Arc::as_ptr)
}
