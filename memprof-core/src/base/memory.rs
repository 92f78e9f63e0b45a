//! The recorder's own memory.
//!
//! Everything that the recorder keeps comes straight from the system ([`pages`]), is never freed and never moves:
//! tables grow with sites, paths and threads, never with events, and a `&'static` into them may be read by a
//! snapshot at any time. It is made where it stays, entry by entry: the stack of a thread may have room for little
//! more than one entry. This module holds the only raw pointers of those tables; what it hands out is safe. When
//! the system has no memory left it says `None`, and the caller records less instead of failing.
//!
//! | what is asked for | given |
//! |---|---|
//! | one small value | [`leak`] |
//! | one value too large for the stack | [`Original::leak`]: a copy of a constant |
//! | a text | [`leak_str`] |
//! | an array of blank entries | [`leak_blank`] |
//! | an array that grows, whose entries are found by number | [`Table`] |
//!
//! A table is two levels: a directory of pointers, and chunks of 64 entries that are made when an entry in them is
//! first asked for. A reader follows two pointers, and never waits: both go from null to a chunk once, and never
//! change again.
//!
//! ```text
//! Table ──► directory (a pointer a chunk) ──► chunk 0: entries 0 .. 63
//!                                         ├─► null: never asked for
//!                                         └─► chunk 2: entries 128 .. 191
//! ```

#![expect(unsafe_code, reason = "raw memory from the system, handed out as &'static")]

use core::alloc::Layout;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::thread::LocalKey;

use crate::base::pages;
use crate::base::single::{self, Alone};

/// A pointer that is null or leads to a `T` that lives forever.
pub(crate) struct AtomicOptionRef<T: 'static>(AtomicPtr<T>);

impl<T: Sync> AtomicOptionRef<T> {
    pub(crate) const fn null() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// What it leads to. The acquire load meets the release store of whoever put it there, so all that was written
    /// to the `T` before is seen.
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: only `set` and `install` write here, and both take a `&'static T`.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    #[inline(always)]
    pub(crate) fn set(&self, value: Option<&'static T>) {
        let pointer = value.map_or(core::ptr::null_mut(), |value| core::ptr::from_ref(value).cast_mut());
        self.0.store(pointer, Ordering::Release);
    }

    /// [`is`](Self::is) in a record that this thread is changing.
    #[inline(always)]
    pub(crate) fn is_own(&self, value: &'static T, alone: Alone) -> bool {
        core::ptr::eq(single::read_pointer(&self.0, alone), value)
    }

    /// Whether it leads nowhere; in a record that this thread is changing.
    #[inline(always)]
    pub(crate) fn is_none(&self, alone: Alone) -> bool {
        single::read_pointer(&self.0, alone).is_null()
    }

    /// [`set`](Self::set), and with it a place in the one order that [`get_in_order`](Self::get_in_order) is in: a locked instruction.
    pub(crate) fn set_in_order(&self, value: Option<&'static T>) {
        let pointer = value.map_or(core::ptr::null_mut(), |value| core::ptr::from_ref(value).cast_mut());
        self.0.swap(pointer, Ordering::SeqCst);
    }

    /// [`get`](Self::get) in the order of all sequentially consistent operations.
    pub(crate) fn get_in_order(&self) -> Option<&'static T> {
        // SAFETY: as in `get`.
        unsafe { self.0.load(Ordering::SeqCst).as_ref() }
    }

    /// Whether this leads to that very `T`.
    #[inline(always)]
    pub(crate) fn is(&self, value: &'static T) -> bool {
        core::ptr::eq(self.0.load(Ordering::Relaxed), value)
    }

    /// The value that stands here, put there by whoever came first; the memory of one that came too late is lost.
    fn install(&self, make: impl FnOnce() -> Option<&'static T>) -> Option<&'static T> {
        if let Some(present) = self.get() {
            return Some(present);
        }
        let made = core::ptr::from_ref(make()?).cast_mut();
        let _first = self.0.compare_exchange(core::ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire);
        self.get()
    }
}

/// A pointer that always leads to a `T` that lives forever: what a [`AtomicOptionRef`] is once it was set.
pub(crate) struct AtomicRef<T: 'static>(AtomicPtr<T>);

impl<T: Sync> AtomicRef<T> {
    /// Leads there from the beginning: so nobody has to ask whether it does.
    pub(crate) const fn new(value: &'static T) -> Self {
        Self(AtomicPtr::new(core::ptr::from_ref(value).cast_mut()))
    }

    /// What it leads to: a load, without a comparison with null.
    #[inline(always)]
    pub(crate) fn get(&self) -> &'static T {
        // SAFETY: only `new` and `set` write here, and both take a `&'static T`.
        unsafe { &*self.0.load(Ordering::Acquire) }
    }

    #[inline(always)]
    pub(crate) fn set(&self, value: &'static T) {
        self.0.store(core::ptr::from_ref(value).cast_mut(), Ordering::Release);
    }

    /// What this thread's one leads to. `get` in a closure would cost a comparison with null.
    #[inline(always)]
    pub(crate) fn of_thread(key: &'static LocalKey<Self>) -> &'static T {
        let pointer = key.with(|known| known.0.load(Ordering::Relaxed));
        // SAFETY: as in `get`.
        unsafe { &*pointer }
    }

    /// Whether this leads to that very `T`.
    #[inline(always)]
    pub(crate) fn is(&self, value: &'static T) -> bool {
        core::ptr::eq(self.0.load(Ordering::Relaxed), value)
    }
}

/// Memory for a `T`, zeroed, that nobody else knows of and that is never given back.
fn room<T>() -> Option<NonNull<T>> {
    pages::allocate(Layout::new::<T>()).map(NonNull::cast)
}

/// Puts `value` into memory of its own that is never freed. For what is small: it passes by the stack.
pub(crate) fn leak<T: Sync>(value: T) -> Option<&'static T> {
    let place = room::<T>()?;
    // SAFETY: fresh memory, large and aligned enough for a `T`.
    unsafe { place.write(value) };
    // SAFETY: there is a `T`, which nobody frees.
    Some(unsafe { place.as_ref() })
}

/// Puts a copy of `text` into memory that is never freed.
pub(crate) fn leak_str(text: &str) -> Option<&'static str> {
    let layout = Layout::for_value(text);
    if layout.size() == 0 {
        return Some("");
    }
    let place = pages::allocate(layout)?;
    // SAFETY: fresh memory for so many bytes.
    unsafe { place.copy_from_nonoverlapping(NonNull::from(text).cast(), layout.size()) };
    // SAFETY: so many bytes were written there, and nobody frees them.
    let bytes = unsafe { core::slice::from_raw_parts(place.as_ptr(), layout.size()) };
    core::str::from_utf8(bytes).ok()
}

/// A blank value to copy from, for what is too large to pass by the stack. Nobody can write to it.
pub(crate) struct Original<T>(T);

impl<T: Blank> Original<T> {
    pub(crate) const fn new() -> Self {
        Self(T::BLANK)
    }

    /// A blank value in memory of its own that is never freed.
    pub(crate) fn leak(&'static self) -> Option<&'static T> {
        let place = room::<T>()?;
        // SAFETY: fresh memory, large and aligned enough for a `T`. What is copied is a constant's value as it was
        // when the program began, so a copy is what naming the constant once more gives.
        unsafe { place.copy_from_nonoverlapping(NonNull::from(&self.0), 1) };
        // SAFETY: there is a `T`, which nobody frees.
        Some(unsafe { place.as_ref() })
    }
}

/// So many blank entries in memory of their own that is never freed, each made where it stays.
pub(crate) fn leak_blank<T: Blank, const COUNT: usize>() -> Option<&'static [T; COUNT]> {
    let array = room::<[T; COUNT]>()?;
    let first = array.cast::<T>();
    for index in 0..COUNT {
        // SAFETY: the array has that many entries.
        let place = unsafe { first.add(index) };
        // SAFETY: fresh memory, large and aligned enough for a `T`.
        unsafe { place.write(T::BLANK) };
    }
    // SAFETY: all its entries were written, and nobody frees it.
    Some(unsafe { array.as_ref() })
}

/// A value of a table entry that nothing was recorded in yet.
pub(crate) trait Blank: Sync + Sized + 'static {
    /// What stands in every entry until somebody writes to it. A constant and not a function: it is part of the
    /// program's image, and copied.
    const BLANK: Self;
}

impl<T: Sync> Blank for AtomicOptionRef<T> {
    const BLANK: Self = Self::null();
}

/// Entries in one chunk of a [`Table`]. A chunk of rows is some 10 KiB: small enough to waste little where few
/// entries are used, large enough that a directory for a million entries stays at 128 KiB of address space.
const CHUNK: usize = 64;

/// An array of up to `64 * CHUNKS` entries, made in chunks when first asked for. Entries never move.
pub(crate) struct Table<T: Blank, const CHUNKS: usize> {
    /// Made with the first entry: a table that is never used costs one word.
    directory: AtomicOptionRef<[AtomicOptionRef<[T; CHUNK]>; CHUNKS]>,
}

impl<T: Blank, const CHUNKS: usize> Table<T, CHUNKS> {
    /// Without any memory yet.
    pub(crate) const fn new() -> Self {
        Self { directory: AtomicOptionRef::null() }
    }

    /// The entry, if its chunk is there.
    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Option<&'static T> {
        Some(&self.chunk(index)?[index % CHUNK])
    }

    /// The chunk of an entry, if it is there.
    #[inline(always)]
    pub(crate) fn chunk(&self, index: usize) -> Option<&'static [T; CHUNK]> {
        self.directory.get()?.get(index / CHUNK)?.get()
    }

    /// The entry, made now if its chunk is not there.
    ///
    /// `None` if the index is past the end, or the system has no memory. Two threads that make the same chunk at
    /// the same moment both get the one that came first.
    #[cold]
    pub(crate) fn make(&self, index: usize) -> Option<&'static T> {
        Some(&self.make_chunk(index)?[index % CHUNK])
    }

    /// The chunk of an entry, made now if it is not there; see [`make`](Self::make).
    pub(crate) fn make_chunk(&self, index: usize) -> Option<&'static [T; CHUNK]> {
        self.directory.install(empty_directory)?.get(index / CHUNK)?.install(leak_blank)
    }

    /// Every entry whose chunk is there, with its index, below `end`.
    pub(crate) fn iter(&self, end: usize) -> impl Iterator<Item = (usize, &'static T)> + use<'_, T, CHUNKS> {
        self.range(0..end)
    }

    /// Every entry of a range whose chunk is there, with its index.
    pub(crate) fn range(&self, range: Range<usize>) -> impl Iterator<Item = (usize, &'static T)> + use<'_, T, CHUNKS> {
        let start = range.start;
        self.chunks(range.end).skip_while(move |(first, chunk)| first + chunk.len() <= start).flat_map(
            move |(first, chunk)| {
                let places = start.saturating_sub(first)..chunk.len();
                places.map(move |place| (first + place, &chunk[place]))
            },
        )
    }

    /// Every chunk that is there, as far as it lies below `end`, with the index of its first entry.
    pub(crate) fn chunks(&self, end: usize) -> impl Iterator<Item = (usize, &'static [T])> + use<'_, T, CHUNKS> {
        let directory = self.directory.get().map_or(&[][..], |directory| &directory[..]);
        let chunks = directory.iter().take(end.div_ceil(CHUNK)).enumerate();
        chunks.filter_map(move |(number, chunk)| {
            let first = number * CHUNK;
            Some((first, &chunk.get()?[..CHUNK.min(end - first)]))
        })
    }
}

/// Untouched: its pages cost nothing until they are written.
fn empty_directory<T: Blank, const CHUNKS: usize>() -> Option<&'static [AtomicOptionRef<[T; CHUNK]>; CHUNKS]> {
    let directory = room::<[AtomicOptionRef<[T; CHUNK]>; CHUNKS]>()?;
    // SAFETY: fresh memory is zeroed, a null `AtomicPtr` is all zero bytes, and nobody frees it.
    Some(unsafe { directory.as_ref() })
}

#[cfg(test)]
mod tests {
    use super::{AtomicOptionRef, Blank, Table, leak};
    use crate::base::counter::Counter;

    impl Blank for Counter {
        const BLANK: Self = Counter::new(0);
    }

    #[test]
    fn table_entries_stay_where_they_are() {
        static TABLE: Table<Counter, 4> = Table::new();
        assert!(TABLE.get(70).is_none());
        let entry = TABLE.make(70).expect("memory");
        entry.set(7);
        assert_eq!(TABLE.get(70).expect("made").get(), 7);
        assert!(TABLE.make(256).is_none(), "four chunks of 64 hold no entry 256");
        let entries: Vec<_> = TABLE.iter(71).map(|(index, entry)| (index, entry.get())).collect();
        assert_eq!(entries, [(64, 0), (65, 0), (66, 0), (67, 0), (68, 0), (69, 0), (70, 7)]);
        let indices = |range| TABLE.range(range).map(|(index, _)| index).collect::<Vec<_>>();
        assert_eq!((indices(10..66), indices(69..71), indices(71..71)), (vec![64, 65], vec![69, 70], vec![]));
        assert_eq!(indices(0..256).len(), 64, "no other chunk is there");
    }

    #[test]
    fn a_value_that_comes_second_gives_way() {
        static PLACE: AtomicOptionRef<Counter> = AtomicOptionRef::null();
        let second = || {
            PLACE.install(|| leak(Counter::new(1)));
            leak(Counter::new(2))
        };
        assert_eq!(PLACE.install(second).expect("memory").get(), 1);
    }
}
