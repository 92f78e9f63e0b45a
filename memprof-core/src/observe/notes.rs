//! What a snapshot says in words: limits that were reached, and numbers that mean less than they seem to.
//!
//! Each limit has its sentence here and nowhere else. A note is written only where it is true, so that one is read:
//! most reports have none. Where they stand in a report is left to the formats.
//!
//! | note | means | what to do |
//! |---|---|---|
//! | a limit was reached | rows stand for more than their name says | fewer names that are made at run time |
//! | calls came from a signal handler, while memprof was at work | some rows are too small, by as many events | nothing: it is counted |
//! | no memory | likewise | |
//! | threads' parts changed too fast | open scopes of a busy thread are missing | take the snapshot again |
//! | a poll ended inside a scope | what came later was charged elsewhere | `scope!` with an `async` block |

use memprof_report::__recorder::thousands;

use crate::base::map::Refused;
use crate::base::missed;
use crate::base::state;
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::space::spaces::Space;

/// The lines, of which most snapshots have none.
///
/// `unread`: how many parts of threads this snapshot could not read whole.
pub(crate) fn notes(unread: usize) -> Vec<String> {
    let (sites, names) = Site::limits_reached();
    let limits = [
        (Space::limit_reached(), "32 spaces are recorded; further ones stand under `other`"),
        (PathId::limit_reached(), "1,048,576 paths are recorded; deeper calls count for the paths they were made from"),
        (names, "65,536 run-time names are recorded; further ones stand under `other`"),
        (sites, "1,048,576 sites are recorded; further ones stand under `other`"),
    ];
    let mut notes: Vec<String> =
        limits.iter().filter(|(reached, _)| *reached).map(|(_, note)| (*note).to_owned()).collect();
    let missed = [
        (
            Refused::AtWork,
            "calls came from a signal handler, or from an allocator, while memprof was at work on the same thread, and are not recorded",
        ),
        (Refused::NoMemory, "calls are not recorded, or not in full, as the system had no memory for it"),
    ];
    notes.extend(missed.into_iter().filter_map(|(why, note)| {
        let count = missed::count(why);
        (count > 0).then(|| format!("{count} {note}"))
    }));
    if unread > 0 {
        notes.push(format!(
            "{unread} of the threads' parts changed too fast to be read whole and hold only what was ended"
        ));
    }
    notes.extend(scopes_left_by_polls());
    notes
}

/// A line for each scope that was held over an await: it ended with the poll, and what came later was charged
/// elsewhere.
fn scopes_left_by_polls() -> impl Iterator<Item = String> {
    let epoch = state::epoch();
    Site::all().filter_map(move |site| {
        let left = site.left_by_polls(epoch);
        let times = if left == 1 { "time" } else { "times" };
        (left > 0).then(|| {
            format!(
                "{} {times} a poll ended inside the scope {}: give scope! an async block instead",
                thousands(left),
                site.quoted_with_place()
            )
        })
    })
}
