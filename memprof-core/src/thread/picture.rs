//! The picture of the host at its mark: who owned what when most was live.
//!
//! It is summed over all threads' rows, at most once per rise of the mark by 1/256, by the thread that brings the rise.
//! On a program that grows to 1 GiB from 1 MiB that is some 1,800 times, however many allocations it makes.
//! No event waits for it: whoever finds it being taken or read goes on without. How high the mark is, is left to
//! [`level`](crate::space::level).

use crate::base::lock::Lock;
use crate::base::memory::CHUNK;
use crate::base::tables::{PageVec, page_vec};
use crate::names::path::PathId;
use crate::space::level;
use crate::thread::current;
use crate::thread::slot::{self, Slot};

/// Bytes and blocks that a path owns, by its number.
type Owned = PageVec<[u64; 2]>;

/// The picture that is shown, and the one that is being made.
struct Picture {
    sides: [Owned; 2],
    shown: usize,
    /// A chunk of another thread's rows, as they are copied: the stack may have no room for it.
    chunk: [[u64; 2]; CHUNK],
}

/// Held while the picture is taken or read. Whoever allocates never waits for it; who waits has made sure that its own thread does not hold it
/// ([`lock::holds_any`](crate::base::lock::holds_any)).
static PICTURE: Lock<Picture> =
    Lock::new(Picture { sides: [page_vec(), page_vec()], shown: 0, chunk: [[0; 2]; CHUNK] });

/// Rows for which a picture costs no more than some microseconds; past that, pictures come less often.
const CHEAP_ROWS: usize = 4096;
/// Bytes that the mark has to rise for each row summed, past [`CHEAP_ROWS`]: a nanosecond or so of summing for each
/// 16 bytes allocated.
const BYTES_PER_ROW: usize = 16;

/// How taking a picture ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Whole,
    /// A thread that stands in the midst of an event could not be read: the picture before it is still the one that is shown.
    Torn,
    /// Somebody else was at it.
    Busy,
}

/// Sums who owns what on the host. Gives up at once if somebody is at it, and keeps the picture before if not all could be read.
#[cold]
pub(crate) fn picture() {
    take(false);
}

/// [`picture`], and how it ended; `anyway`: shown also if it is torn.
fn take(anyway: bool) -> Taken {
    let Some(mut picture) = PICTURE.try_lock() else { return Taken::Busy };
    let Picture { sides, shown, chunk } = &mut *picture;
    let (rows, is_whole) = sum_all(&mut sides[1 - *shown], chunk);
    if is_whole || anyway {
        *shown = 1 - *shown;
        level::note_picture(if rows > CHEAP_ROWS { (rows * BYTES_PER_ROW) as u64 } else { 0 });
    } else {
        level::put_off_picture();
    }
    if is_whole { Taken::Whole } else { Taken::Torn }
}

/// Makes a picture of all threads' rows: of how many, and whether each was read as it stood at one moment. Where there is no memory for them, the
/// last paths are not in it.
fn sum_all(picture: &mut Owned, chunk: &mut [[u64; 2]; CHUNK]) -> (usize, bool) {
    let paths = PathId::count();
    let _grown = picture.try_reserve(paths.saturating_sub(picture.len()));
    picture.resize(paths.min(picture.capacity()), [0; 2]);
    let (mut rows, mut is_whole) = (0, true);
    let own = current::own().filter(|own| {
        let own_rows = set(own, picture);
        rows += own_rows.unwrap_or(0);
        own_rows.is_some()
    });
    if own.is_none() {
        picture.fill([0; 2]);
    }
    for slot in slot::slots() {
        if own.is_none_or(|own| !core::ptr::eq(own, slot)) {
            let (its_rows, are_whole) = add(slot, picture, chunk);
            rows += its_rows;
            is_whole &= are_whole;
        }
    }
    (rows, is_whole)
}

/// Makes a picture of the rows of this thread's own slot, which stay as they are meanwhile: a signal handler is recorded aside; and says how many
/// they are. `None`: this is one, which has interrupted a change or an event, and nothing was done.
#[inline(never)]
fn set(slot: &'static Slot, picture: &mut [[u64; 2]]) -> Option<usize> {
    let (_, alone) = slot.top.begin_change_at_rest()?;
    let rows = slot.host.is_at_rest().then(|| {
        let (mut count, mut end) = (0, 0);
        for (first, rows) in slot.host.rows.chunks(picture.len()) {
            picture[end..first].fill([0; 2]);
            end = first + rows.len();
            for (row, owned) in rows.iter().zip(&mut picture[first..end]) {
                *owned = row.own_owned(alone);
            }
            count += rows.len();
        }
        picture[end..].fill([0; 2]);
        count
    });
    slot.top.end_change();
    rows
}

/// Adds the rows of a slot to the picture: how many, and whether each was read as it stood at one moment.
#[inline(never)]
fn add(slot: &'static Slot, picture: &mut [[u64; 2]], chunk: &mut [[u64; 2]; CHUNK]) -> (usize, bool) {
    let (mut count, mut all_whole) = (0, true);
    for (first, rows) in slot.host.rows.chunks(picture.len()) {
        all_whole &= slot.copy_owned(rows, chunk);
        for (sum, owned) in picture[first..].iter_mut().zip(&chunk[..rows.len()]) {
            *sum = [sum[0].wrapping_add(owned[0]), sum[1].wrapping_add(owned[1])];
        }
        count += rows.len();
    }
    (count, all_whole)
}

/// Gives what each path owned at the mark to `see`.
pub(crate) fn see_picture(mut see: impl FnMut(PathId, i64, i64)) {
    let picture = PICTURE.lock();
    for (path, owned) in picture.sides[picture.shown].iter().enumerate() {
        let [bytes, blocks] = owned.map(u64::cast_signed);
        see(PathId::of_index(path), bytes, blocks);
    }
}

/// Begins a new epoch of the host's mark, at what is live. The picture of the epoch before is not kept: a thread that stands in the
/// midst of an event is given time to go on, and then read as it stands.
pub(crate) fn reset(bytes: i64, blocks: i64) {
    const PATIENCE: u32 = 1_000;
    level::reset(bytes, blocks);
    let mut tries = 0;
    loop {
        match take(tries == PATIENCE) {
            Taken::Whole => return,
            Taken::Torn if tries == PATIENCE => return,
            Taken::Torn => tries += 1,
            Taken::Busy => {}
        }
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::{Taken, see_picture, take};
    use crate::base::{blind, lock};

    /// A snapshot in a signal handler would wait for its own thread, and a fork does for whoever is blind: a child that is copied in the midst of a
    /// picture would wait for a thread that it lacks.
    #[test]
    fn whoever_is_at_the_picture_is_seen_to_be_by_its_own_handlers_and_by_forks() {
        while take(true) == Taken::Busy {}
        let mut seen = 0;
        see_picture(|_, _, _| {
            seen += 1;
            assert!(lock::holds_any() && blind::is_blind());
            assert!(take(true) == Taken::Busy);
        });
        assert!(seen > 0 && !lock::holds_any() && !blind::is_blind());
    }
}
