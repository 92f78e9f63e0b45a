//! The picture of the host at its mark: who owned what when most was live.
//!
//! It is summed over all threads' rows, at most once per rise of the mark by 1/256, by the thread that brings the rise.
//! On a program that grows to 1 GiB from 1 MiB that is some 1,800 times, however many allocations it makes.
//! Nobody waits for it: whoever finds it being taken or read goes on without. How high the mark is, is left to
//! [`level`](crate::space::level).

use core::sync::atomic::{AtomicBool, Ordering};

use crate::base::counter::Counter;
use crate::base::memory::{Blank, Table};
use crate::names::path::{PATH_CHUNKS, PathId};
use crate::space::level;
use crate::thread::slot;

/// What one path owned when the picture was taken.
pub(crate) struct Owned {
    pub(crate) bytes: Counter,
    pub(crate) blocks: Counter,
}

impl Blank for Owned {
    const BLANK: Self = Self { bytes: Counter::new(0), blocks: Counter::new(0) };
}

static PICTURE: Table<Owned, PATH_CHUNKS> = Table::new();
/// Held while the picture is taken or read. Whoever allocates never waits for it.
static PICTURE_BUSY: AtomicBool = AtomicBool::new(false);

/// Rows for which a picture costs no more than some microseconds; past that, pictures come less often.
const CHEAP_ROWS: i64 = 4096;
/// Bytes that the mark has to rise for each row summed, past [`CHEAP_ROWS`]: a nanosecond or so of summing for each
/// 16 bytes allocated.
const BYTES_PER_ROW: i64 = 16;

/// Sums who owns what on the host. Gives `false`, at once, if somebody is at it.
#[cold]
pub(crate) fn picture() -> bool {
    if PICTURE_BUSY.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        return false;
    }
    let paths = PathId::count();
    PICTURE.iter(paths).for_each(|(_, owned)| {
        owned.bytes.set(0);
        owned.blocks.set(0);
    });
    let mut live = 0;
    let mut rows = 0;
    for slot in slot::slots() {
        for (path, row) in slot.host.rows.iter(paths) {
            let [bytes, blocks] = slot.owned(row);
            rows += 1;
            if bytes == 0 && blocks == 0 {
                continue;
            }
            let Some(owned) = PICTURE.get(path).or_else(|| PICTURE.make(path)) else { continue };
            owned.bytes.add(bytes);
            owned.blocks.add(blocks);
            live += bytes.cast_signed();
        }
    }
    let rise = (live / 256).max(if rows > CHEAP_ROWS { rows * BYTES_PER_ROW } else { 0 });
    level::note_picture(live, rise);
    PICTURE_BUSY.store(false, Ordering::Release);
    true
}

/// Gives what each path owned at the mark to `see`.
pub(crate) fn see_picture(mut see: impl FnMut(PathId, i64, i64)) {
    while PICTURE_BUSY.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        std::thread::yield_now();
    }
    for (path, owned) in PICTURE.iter(PathId::count()) {
        see(PathId::of_index(path), owned.bytes.signed(), owned.blocks.signed());
    }
    PICTURE_BUSY.store(false, Ordering::Release);
}

/// Begins a new epoch of the host's mark, at what is live.
pub(crate) fn reset(bytes: i64, blocks: i64) {
    level::reset(bytes, blocks);
    while !picture() {
        std::thread::yield_now();
    }
}
