//! The beginning and the end of a tracked future's activation, and which lane its polls run on.
//!
//! An activation begins at the first poll, where its path and its kind are fixed: a future that is polled inside another
//! tracked one, with no `Context` between them, is a part of that one's task; any other is a task itself, with a lane of its own.
//! It ends when the future is dropped, on whichever thread that is. The polls between are left to [`poll`](super::poll).

use crate::base::blind;
use crate::lanes::account::LeftBehind;
use crate::lanes::activation::{Activation, Extras};
use crate::lanes::kind::Kind;
use crate::lanes::lane::Lane;
use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::share::ambient;
use crate::thread::current;
use crate::thread::path_entry::{PathEntry, key, place};
use crate::thread::row::Row;
use crate::thread::slot::Slot;

/// Begins the activation of a future that is about to be polled for the first time: its path, which is given too, is fixed, and its call
/// counted. `None` if there is no room for it.
pub(crate) fn begin(slot: &'static Slot, site: &'static Site) -> Option<(&'static Activation, PathEntry)> {
    let top = slot.top();
    let path_entry = slot.path_entry(top.path(), site)?;
    let polled = slot.segment.get().filter(|segment| segment.kind() == Kind::Poll);
    let is_inside = polled.is_some_and(|poll| poll.future.get().is_task());
    let own = if is_inside { None } else { Some(Lane::take()?) };
    let activation = Activation::take(own);
    let home = own.or_else(|| top.tag().lane());
    let (Some(activation), Some(home)) = (activation, home) else {
        own.inspect(|lane| lane.end(None, 0));
        activation.inspect(|activation| activation.give_back());
        return None;
    };
    activation.tag.set(Tag::new(home, path_entry.path).0);
    // A path leads to itself by its own site, so a poll uses the cache that scopes do.
    let key = key(path_entry.path, path_entry.site);
    activation.key.set(key);
    activation.cache_place.set(place(key) as u64);
    slot.count_call(&path_entry);
    Some((activation, path_entry))
}

/// A future is not polled or dropped under an ambient scope that was opened in it.
#[inline]
pub(crate) fn come_out_of_ambient(slot: &'static Slot, activation: &Activation) {
    if let Some(shared) = activation.shared() {
        ambient::come_out_of_those_in(slot, &shared);
    }
}

/// Notes the lane that this poll of a task merges into, and keeps it from becoming somebody else's: it gets the task's blocks
/// if this is the last poll.
#[inline]
pub(crate) fn note_parent(slot: &'static Slot, activation: &Activation) {
    let parent = slot.lane.get();
    if activation.is_task() && !activation.parent.is(parent) {
        parent.hold();
        if let Some(before) = activation.parent.get() {
            before.release();
        }
        activation.parent.set(Some(parent));
    }
}

/// Ends the activation of a future that was polled and is dropped now.
pub(crate) fn end(activation: &'static Activation) {
    let path = Tag(activation.tag.get()).path();
    let slot = current::recording().unwrap_or_else(Slot::ended);
    let (host, extras) = activation.clear();
    slot.count_left(path, |calls| {
        if let Some(host) = host
            && let Some(row) = calls.row().or_else(|| slot.host.row_of(path))
        {
            end_in_row(row, &host);
        }
    });
    if let Some(extras) = extras {
        end_extras(slot, path, extras);
    }
    let (own, parent) = (activation.lane.get(), activation.parent.get());
    let outstanding = activation.outstanding.signed();
    activation.lane.set(None);
    activation.parent.set(None);
    activation.give_back();
    match own {
        Some(own) if own.has_ended() => {
            own.add_outstanding(outstanding);
            own.release();
        }
        Some(own) => own.end(parent, outstanding),
        None => {}
    }
    if let Some(parent) = parent {
        parent.release();
    }
}

/// Counts in the row of its path what a future kept that has ended, and raises the row to what it recorded: its last poll may have
/// been in an epoch before this. Within a change.
fn end_in_row(row: &Row, &LeftBehind { kept: [kept, flat], peak_bytes, largest }: &LeftBehind) {
    row.count_kept(kept, flat);
    row.raise(peak_bytes, largest);
}

/// Ends what few futures have.
#[cold]
fn end_extras(slot: &'static Slot, path: PathId, extras: Extras) {
    let _blind = blind::enter();
    if let Some(shared) = &extras.shared {
        shared.close();
    }
    for (space, account) in &extras.spaces {
        if let Some(row) = slot.ledger(*space).and_then(|ledger| ledger.row_of(path)) {
            slot.change(|| end_in_row(row, &account.left_behind()));
        }
    }
    drop(extras);
}
