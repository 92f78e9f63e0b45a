//! Tracked futures that nobody polls right now: what they recorded stands in no thread's frames.

use std::sync::Arc;

use crate::base::tally::{Counters, Tally};
use crate::lanes::account::Account;
use crate::lanes::activation::Activation;
use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::share::ambient;
use crate::space::spaces::Space;

/// Gives what each open future recorded in its polls so far to `see`, by space.
pub(super) fn open_futures(mut see: impl FnMut(PathId, Space, &Account)) {
    for activation in Activation::all() {
        activation.see_accounts(|tag, space, account| see(tag.path(), space, account));
    }
}

/// Gives each future that was captured as a `Context`, but for those in `polled`, to `see`: its path, what it recorded in the
/// polls that have ended, and what was added under its contexts and handed over to it since.
pub(super) fn suspended(space: Space, polled: &[&'static Activation], mut see: impl FnMut(PathId, &Tally, &Tally)) {
    let is_polled = |activation: &Activation| polled.iter().any(|polled| core::ptr::eq(*polled, activation));
    for activation in Activation::all().filter(|activation| activation.is_captured() && !is_polled(activation)) {
        if let Some((path, before, added)) = read_suspended(activation, space) {
            see(path, &before, &added);
        }
    }
}

fn read_suspended(activation: &Activation, space: Space) -> Option<(PathId, Tally, Tally)> {
    let shared = activation.shared()?;
    let path = Tag(activation.tag.get()).path();
    let before = activation.tally(space)?;
    let ambient = ambient::inside(&shared, space);
    let waiting = activation.lane.get().map(|own| own.waiting(space)).unwrap_or_default();
    let [current_bytes, current_blocks] = waiting.to_level();
    let counters = Counters { current_bytes, current_blocks, ..Counters::default() };
    let since = Tally { counters, ..Tally::default() };
    let added = shared.complete(space, &since, &before.counters, &ambient, &mut [0; 2]);
    // The future may have ended meanwhile, and another one may have taken its place.
    let is_same = activation.shared().is_some_and(|now| Arc::ptr_eq(&now, &shared));
    (is_same && path != PathId::ROOT).then_some((path, before, added))
}
