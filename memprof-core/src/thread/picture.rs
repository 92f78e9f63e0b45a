//! The picture of the host at its mark: who owned what when most was live.
//!
//! It is summed over all threads' rows, at most once per rise of the mark by 1/256, by the thread that brings the rise.
//! On a program that grows to 1 GiB from 1 MiB that is some 1,800 times, however many allocations it makes.
//! No event waits for it: whoever finds it being taken or read goes on without. How high the mark is, is left to
//! [`level`](crate::space::level).

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::base::counter::Counter;
use crate::base::lock::{self, Holding};
use crate::base::memory::{Blank, Table};
use crate::names::path::{PATH_CHUNKS, PathId};
use crate::space::level;
use crate::thread::current;
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

    #[inline(always)]
    fn set(&self, side: usize, [bytes, blocks]: [u64; 2]) {
        self.side(side).bytes.set(bytes);
        self.side(side).blocks.set(blocks);
    }
}

static PICTURE: Table<Owned, PATH_CHUNKS> = Table::new();
/// Which of the two is shown. Changed by whoever holds [`PICTURE_BUSY`].
static SHOWN: AtomicUsize = AtomicUsize::new(0);
/// Held while the picture is taken or read. Whoever allocates never waits for it, nor is blind meanwhile: a signal handler is recorded. Who waits has
/// made sure that its own thread does not hold it ([`lock::holds_any`]).
static PICTURE_BUSY: AtomicBool = AtomicBool::new(false);

/// Rows for which a picture costs no more than some microseconds; past that, pictures come less often.
const CHEAP_ROWS: usize = 4096;
/// Bytes that the mark has to rise for each row summed, past [`CHEAP_ROWS`]: a nanosecond or so of summing for each
/// 16 bytes allocated.
const BYTES_PER_ROW: usize = 16;
/// Rows of another thread that are read at once: the stack may have no room for more.
const AT_ONCE: usize = 16;

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
    let mut sum = Sum { paths: PathId::count(), side: 1 - SHOWN.load(Ordering::Relaxed), live: 0, rows: 0 };
    let is_whole = sum.all();
    if is_whole || anyway {
        SHOWN.store(sum.side, Ordering::Relaxed);
        let for_the_rows = if sum.rows > CHEAP_ROWS { (sum.rows * BYTES_PER_ROW) as u64 } else { 0 };
        level::note_picture(sum.live, (sum.live / 256).max(for_the_rows.cast_signed()));
    } else {
        level::put_off_picture();
    }
    PICTURE_BUSY.store(false, Ordering::Release);
    if is_whole { Taken::Whole } else { Taken::Torn }
}

/// A picture that is being made: of which paths, in which side; and what it has so far: bytes, and of how many rows.
struct Sum {
    paths: usize,
    side: usize,
    live: i64,
    rows: usize,
}

impl Sum {
    /// Sums all threads' rows. `false`: of one at least, not as it stood at one moment.
    fn all(&mut self) -> bool {
        let own = current::own().filter(|own| self.set(own));
        if own.is_none() {
            PICTURE.chunks(self.paths).for_each(|(_, places)| self.clear(places));
        }
        let mut all_whole = true;
        for slot in slot::slots().filter(|slot| own.is_none_or(|own| !core::ptr::eq(own, *slot))) {
            all_whole &= self.add(slot);
        }
        all_whole
    }

    fn clear(&self, places: &[Owned]) {
        for owned in places {
            owned.set(self.side, [0; 2]);
        }
    }

    /// Begins with the rows of this thread's own slot, which stay as they are meanwhile: it says that it is being changed, so a signal handler is
    /// recorded aside. `false`: this is one, which has interrupted a change or an event, and nothing was done. Where there is no memory for them, rows
    /// are left out.
    #[inline(never)]
    fn set(&mut self, slot: &'static Slot) -> bool {
        let Some((_, alone)) = slot.top.begin_change_at_rest() else { return false };
        let is_at_rest = slot.host.is_at_rest() && slot.sequence.read_begin().is_some();
        if is_at_rest {
            for (first, _) in slot.host.rows.chunks(self.paths) {
                PICTURE.make_chunk(first);
            }
            for (first, places) in PICTURE.chunks(self.paths) {
                let Some(rows) = slot.host.rows.chunk(first) else {
                    self.clear(places);
                    continue;
                };
                for (owned, row) in places.iter().zip(rows) {
                    let now = row.own_owned(alone);
                    owned.set(self.side, now);
                    self.live += now[0].cast_signed();
                }
                self.rows += places.len();
            }
        }
        slot.top.end_change();
        is_at_rest
    }

    /// Adds the rows of a slot. `false`: of one at least, not as it stood at one moment.
    #[inline(never)]
    fn add(&mut self, slot: &'static Slot) -> bool {
        let mut all_whole = true;
        for (first, rows) in slot.host.rows.chunks(self.paths) {
            let Some(places) = PICTURE.make_chunk(first) else { continue };
            for (rows, places) in rows.chunks(AT_ONCE).zip(places.chunks(AT_ONCE)) {
                let mut now = [[0; 2]; AT_ONCE];
                all_whole &= slot.copy_owned(rows, &mut now);
                for ([bytes, blocks], owned) in now[..rows.len()].iter().zip(places) {
                    if *bytes != 0 || *blocks != 0 {
                        owned.side(self.side).bytes.add(*bytes);
                        owned.side(self.side).blocks.add(*blocks);
                        self.live += bytes.cast_signed();
                    }
                }
            }
            self.rows += rows.len();
        }
        all_whole
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

/// In a fork's child: whoever was at the picture does not exist here, but for this very thread.
pub(crate) fn forget_in_child() {
    if !lock::holds_any() {
        PICTURE_BUSY.store(false, Ordering::Release);
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
    use std::sync::mpsc::channel;

    use super::{Owned, PICTURE, Taken, forget_in_child, see_picture, take};
    use crate::base::lock;
    use crate::names::path::PathId;

    /// A snapshot in a signal handler would wait for its own thread.
    #[test]
    fn who_asks_while_this_thread_is_at_the_picture_finds_it_at_work() {
        let _owned: &Owned = PICTURE.make(PathId::ROOT.index()).expect("memory");
        let mut seen = 0;
        see_picture(|_, _, _| {
            seen += 1;
            forget_in_child();
            assert!(lock::holds_any() && take(true) == Taken::Busy);
        });
        assert!(seen > 0 && !lock::holds_any());
    }

    #[test]
    fn a_forks_child_is_not_kept_from_the_picture_by_a_thread_that_it_lacks() {
        let _owned: &Owned = PICTURE.make(PathId::ROOT.index()).expect("memory");
        let (is_at_it, wait_for_it) = channel();
        let (go_on, wait) = channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut wait = Some(wait);
                see_picture(|_, _, _| {
                    if let Some(wait) = wait.take() {
                        is_at_it.send(()).expect("the test waits");
                        wait.recv().expect_err("the test hangs up");
                    }
                });
            });
            wait_for_it.recv().expect("it is at the picture");
            assert!(take(true) == Taken::Busy);
            forget_in_child();
            assert!(take(true) != Taken::Busy);
            drop(go_on);
        });
    }
}
