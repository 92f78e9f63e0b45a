//! The picture of the host at its mark: who owned what when most was live.
//!
//! It is summed over all threads' rows, at most once per rise of the mark by 1/256, by the thread that brings the rise.
//! On a program that grows to 1 GiB from 1 MiB that is some 1,800 times, however many allocations it makes.
//! Nobody waits for it: whoever finds it being taken or read goes on without. How high the mark is, is left to
//! [`level`](crate::space::level).

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::base::counter::Counter;
use crate::base::lock::Holding;
use crate::base::memory::{Blank, Table};
use crate::names::path::{PATH_CHUNKS, PathId};
use crate::space::level;
use crate::thread::row::Row;
use crate::thread::slot::{self, Slot};

/// What one path owned when a picture was taken: in the picture that is shown, and in the one that is being made.
struct Owned([Side; 2]);

/// In one of the two.
struct Side {
    bytes: Counter,
    blocks: Counter,
}

impl Blank for Owned {
    const BLANK: Self = Self([const { Side { bytes: Counter::new(0), blocks: Counter::new(0) } }; 2]);
}

impl Owned {
    /// Side 0 or 1.
    fn side(&self, side: usize) -> &Side {
        &self.0[side & 1]
    }
}

static PICTURE: Table<Owned, PATH_CHUNKS> = Table::new();
/// Which of the two is shown. Changed by whoever holds [`PICTURE_BUSY`].
static SHOWN: AtomicUsize = AtomicUsize::new(0);
/// Held while the picture is taken or read. Whoever allocates never waits for it; who waits has made sure that its own thread does not hold it
/// ([`lock::holds_any`](crate::base::lock::holds_any)).
static PICTURE_BUSY: AtomicBool = AtomicBool::new(false);

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
    let _holding = Holding::begin();
    if PICTURE_BUSY.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        return Taken::Busy;
    }
    let paths = PathId::count();
    let side = 1 - SHOWN.load(Ordering::Relaxed);
    for (_, chunk) in PICTURE.chunks(paths) {
        for owned in chunk {
            owned.side(side).bytes.set(0);
            owned.side(side).blocks.set(0);
        }
    }
    let is_short = paths <= CHEAP_ROWS;
    let mut sum = Sum { live: 0, rows: 0 };
    let mut all_whole = true;
    for slot in slot::slots() {
        // Its own rows stay as they are while this thread reads them, if no signal handler comes: in some 100 us, then, or it would come each time.
        let moment = if is_short { slot.own_read_begin() } else { None };
        if moment.is_some() {
            sum.add(slot, paths, side, Row::owned);
        } else {
            sum.add(slot, paths, side, |row| {
                let (owned, whole) = slot.owned(row);
                all_whole &= whole;
                owned
            });
        }
        all_whole &= moment.is_none_or(|moment| slot.own_read_validate(moment));
    }
    let taken = if all_whole { Taken::Whole } else { Taken::Torn };
    if all_whole || anyway {
        SHOWN.store(side, Ordering::Relaxed);
        let Sum { live, rows } = sum;
        let for_the_rows = if rows > CHEAP_ROWS { (rows * BYTES_PER_ROW) as u64 } else { 0 };
        level::note_picture(live, (live / 256).max(for_the_rows.cast_signed()));
    } else {
        level::put_off_picture();
    }
    PICTURE_BUSY.store(false, Ordering::Release);
    taken
}

/// What the picture has so far: bytes, and of how many rows.
struct Sum {
    live: i64,
    rows: usize,
}

impl Sum {
    /// Adds to one side of the picture what each row of a thread `says` that its path owns; nothing where there is no memory
    /// for it. Chunk by chunk: a path's row and its place in the picture have the same number, so neither is looked up by itself.
    #[inline]
    fn add(&mut self, slot: &'static Slot, paths: usize, side: usize, mut says: impl FnMut(&'static Row) -> [u64; 2]) {
        for (first, rows) in slot.host.rows.chunks(paths) {
            let Some(places) = PICTURE.make_chunk(first) else { continue };
            self.rows += rows.len();
            for (row, owned) in rows.iter().zip(places) {
                let [bytes, blocks] = says(row);
                if bytes != 0 || blocks != 0 {
                    self.live += bytes.cast_signed();
                    owned.side(side).bytes.add(bytes);
                    owned.side(side).blocks.add(blocks);
                }
            }
        }
    }
}

/// Gives what each path owned at the mark to `see`.
pub(crate) fn see_picture(mut see: impl FnMut(PathId, i64, i64)) {
    let _holding = Holding::begin();
    while PICTURE_BUSY.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        std::thread::yield_now();
    }
    let side = SHOWN.load(Ordering::Relaxed);
    for (path, owned) in PICTURE.iter(PathId::count()) {
        let Side { bytes, blocks } = owned.side(side);
        see(PathId::of_index(path), bytes.signed(), blocks.signed());
    }
    PICTURE_BUSY.store(false, Ordering::Release);
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
    use super::{Owned, PICTURE, see_picture};
    use crate::base::lock;
    use crate::names::path::PathId;

    /// A snapshot in a signal handler would wait for its own thread.
    #[test]
    fn who_asks_while_this_thread_is_at_the_picture_finds_it_at_work() {
        let _owned: &Owned = PICTURE.make(PathId::ROOT.index()).expect("memory");
        let mut seen = 0;
        see_picture(|_, _, _| {
            seen += 1;
            assert!(lock::holds_any());
        });
        assert!(seen > 0 && !lock::holds_any());
    }
}
