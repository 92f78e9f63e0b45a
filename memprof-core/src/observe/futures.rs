//! Tracked futures that nobody polls right now: what they recorded stands in no thread's frames.

use crate::base::tally::Tally;
use crate::lanes::activation::Account;
use crate::lanes::lane::Lane;
use crate::names::path::PathId;
use crate::share::ambient;
use crate::space::spaces::Space;

/// Gives what each open future recorded in its polls so far to `see`, by space.
pub(super) fn open_futures(mut see: impl FnMut(PathId, Space, &Account)) {
    for lane in Lane::all() {
        lane.activation.see_accounts(|tag, space, account| see(tag.path(), space, account));
    }
}

/// Gives each future that was captured as a `Context`, but for those in `polled`, to `see`: its path, what it recorded in the
/// polls that have ended, and what was added under its contexts since.
pub(super) fn suspended(space: Space, polled: &[&'static Lane], mut see: impl FnMut(PathId, &Tally, &Tally)) {
    for lane in Lane::all().filter(|lane| !polled.iter().any(|polled| core::ptr::eq(*polled, *lane))) {
        if let Some((path, before, added)) = lane.activation.suspended(space, ambient::inside) {
            see(path, &before, &added);
        }
    }
}
