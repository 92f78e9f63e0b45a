//! Bursts of failures: what was said of one is not said again.
//!
//! By space: the first failure of a burst is said, the others are not, and of all bursts the first ten are written to
//! stderr too. An allocation that succeeds pays one load while no space is in a burst. What is said, and whether
//! memprof measures at all, is left to [`retry`](super::retry).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use memprof_core::__allocator::{blind, print_line};
use memprof_core::Space;

/// As many reports are written to stderr for each space: a program that lives with failures is not drowned in them.
const MOST_WRITTEN: u32 = 10;

/// How much is to be said of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    Nothing,
    InTheError,
    InTheErrorAndOnStderr,
}

#[derive(Clone, Copy)]
struct Failures {
    space: Space,
    /// Since the last allocation that succeeded.
    in_burst: bool,
    written: u32,
}

static SPACES: Mutex<Vec<Failures>> = Mutex::new(Vec::new());
/// How many of [`SPACES`] are in a burst: so that an allocation that succeeds takes no lock.
static IN_BURST: AtomicUsize = AtomicUsize::new(0);

fn spaces() -> MutexGuard<'static, Vec<Failures>> {
    SPACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A failure in `space`: the first of a burst is to be said.
pub(super) fn begin(space: Space) -> Say {
    let _blind = blind();
    let mut spaces = spaces();
    let place = spaces.iter().position(|failures| failures.space == space);
    let place = place.unwrap_or_else(|| {
        spaces.push(Failures { space, in_burst: false, written: 0 });
        spaces.len() - 1
    });
    let Some(failures) = spaces.get_mut(place) else { return Say::Nothing };
    if failures.in_burst {
        return Say::Nothing;
    }
    failures.in_burst = true;
    IN_BURST.fetch_add(1, Ordering::Release);
    if failures.written >= MOST_WRITTEN {
        return Say::InTheError;
    }
    failures.written += 1;
    if failures.written == MOST_WRITTEN {
        print_line(&format!("memprof: the next report is the last one written of {space} running out of memory"));
    }
    Say::InTheErrorAndOnStderr
}

/// An allocation in `space` succeeded.
pub(super) fn end(space: Space) {
    if IN_BURST.load(Ordering::Acquire) == 0 {
        return;
    }
    let mut spaces = spaces();
    if let Some(failures) = spaces.iter_mut().find(|failures| failures.space == space && failures.in_burst) {
        failures.in_burst = false;
        IN_BURST.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use memprof_core::Space;

    use super::{MOST_WRITTEN, Say, begin, end};

    #[test]
    fn a_burst_is_said_once_and_ends_with_a_success_in_its_own_space() {
        let [one, other] = ["burst one", "burst other"].map(Space::named);
        assert_eq!(
            [begin(one), begin(one), begin(other)],
            [Say::InTheErrorAndOnStderr, Say::Nothing, Say::InTheErrorAndOnStderr]
        );
        end(other);
        assert_eq!(begin(one), Say::Nothing);
        end(one);
        assert_eq!(begin(one), Say::InTheErrorAndOnStderr);
    }

    #[test]
    fn stderr_is_not_written_to_for_ever() {
        let space = Space::named("burst for ever");
        for _ in 0..MOST_WRITTEN {
            assert_eq!(begin(space), Say::InTheErrorAndOnStderr);
            end(space);
        }
        assert_eq!(begin(space), Say::InTheError);
    }
}
