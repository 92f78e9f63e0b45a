//! The recorder's own memory.
//!
//! Everything that the recorder keeps comes straight from the [`System`] allocator, is never freed and never
//! moves: tables grow with sites, paths and threads, never with events, and a `&'static` into them may be read by
//! a snapshot at any time. This module holds the only raw pointers of those tables; what it hands out is safe.
//! When the system has no memory left it says `None`, and the caller records less instead of failing.

#![expect(unsafe_code, reason = "raw memory from the system, handed out as &'static")]

use core::alloc::{GlobalAlloc, Layout};
use core::mem::ManuallyDrop;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::alloc::System;
use std::thread::LocalKey;

/// A pointer that is null or leads to a `T` that lives forever.
pub(crate) struct StaticRef<T: 'static>(AtomicPtr<T>);

impl<T: Sync> StaticRef<T> {
    pub(crate) const fn null() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

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

    /// Whether this leads to that very `T`.
    #[inline(always)]
    pub(crate) fn is(&self, value: &'static T) -> bool {
        core::ptr::eq(self.0.load(Ordering::Relaxed), value)
    }

    /// The value that stands here, put there by whoever came first; one that came too late is freed again.
    fn install(&self, make: impl FnOnce() -> Option<Owned<T>>) -> Option<&'static T> {
        if let Some(present) = self.get() {
            return Some(present);
        }
        let made = make()?;
        let pointer = made.0.as_ptr();
        match self.0.compare_exchange(core::ptr::null_mut(), pointer, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(made.forever()),
            Err(_) => self.get(),
        }
    }
}

/// A pointer that always leads to a `T` that lives forever: what a [`StaticRef`] is once it was set.
pub(crate) struct Known<T: 'static>(AtomicPtr<T>);

impl<T: Sync> Known<T> {
    pub(crate) const fn new(value: &'static T) -> Self {
        Self(AtomicPtr::new(core::ptr::from_ref(value).cast_mut()))
    }

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

/// A `T` in memory of its own that nobody else knows of.
struct Owned<T>(NonNull<T>);

impl<T: Sync> Owned<T> {
    const LAYOUT: Layout = {
        assert!(size_of::<T>() > 0, "the system gives no block without a size");
        Layout::new::<T>()
    };

    fn new(value: T) -> Option<Self> {
        // SAFETY: the layout has a size.
        let memory = NonNull::new(unsafe { System.alloc(Self::LAYOUT) }.cast::<T>())?;
        // SAFETY: the memory is fresh, large and aligned enough for a `T`.
        unsafe { memory.write(value) };
        Some(Self(memory))
    }

    /// A `T` that is all zero bytes, untouched: its pages cost nothing until they are written.
    ///
    /// # Safety
    ///
    /// All zero bytes are a `T`.
    unsafe fn zeroed() -> Option<Self> {
        // SAFETY: the layout has a size.
        let memory = unsafe { System.alloc_zeroed(Self::LAYOUT) }.cast::<T>();
        NonNull::new(memory).map(Self)
    }

    /// Never frees it.
    fn forever(self) -> &'static T {
        let value = ManuallyDrop::new(self).0;
        // SAFETY: there is a `T`, which nobody frees.
        unsafe { value.as_ref() }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the block came from `System` with this layout, and goes away once.
        unsafe { System.dealloc(self.0.as_ptr().cast(), Layout::new::<T>()) };
    }
}

/// Puts `value` into memory of its own that is never freed.
pub(crate) fn leak<T: Sync>(value: T) -> Option<&'static T> {
    Owned::new(value).map(Owned::forever)
}

/// A value of a table entry that nothing was recorded in yet.
pub(crate) trait Blank: Sync + Sized + 'static {
    const BLANK: Self;
}

impl<T: Sync> Blank for StaticRef<T> {
    const BLANK: Self = Self::null();
}

/// Entries in one chunk of a [`Table`].
const CHUNK: usize = 64;

/// An array of up to `64 * CHUNKS` entries, made in chunks when first asked for. Entries never move.
pub(crate) struct Table<T: Blank, const CHUNKS: usize> {
    directory: StaticRef<[StaticRef<[T; CHUNK]>; CHUNKS]>,
}

impl<T: Blank, const CHUNKS: usize> Table<T, CHUNKS> {
    pub(crate) const fn new() -> Self {
        Self { directory: StaticRef::null() }
    }

    /// The entry, if its chunk is there.
    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Option<&'static T> {
        let chunk = self.directory.get()?.get(index / CHUNK)?.get()?;
        Some(&chunk[index % CHUNK])
    }

    /// The entry, made now if its chunk is not there.
    #[cold]
    pub(crate) fn make(&self, index: usize) -> Option<&'static T> {
        let directory = self.directory.install(empty_directory)?;
        let chunk = directory.get(index / CHUNK)?.install(|| Owned::new([const { T::BLANK }; CHUNK]))?;
        Some(&chunk[index % CHUNK])
    }

    /// Every entry whose chunk is there, with its index, below `end`.
    pub(crate) fn iter(&self, end: usize) -> impl Iterator<Item = (usize, &'static T)> + use<'_, T, CHUNKS> {
        self.range(0..end)
    }

    /// Every entry of a range whose chunk is there, with its index.
    pub(crate) fn range(&self, range: Range<usize>) -> impl Iterator<Item = (usize, &'static T)> + use<'_, T, CHUNKS> {
        let Range { start, end } = range;
        let directory = self.directory.get().map_or(&[][..], |directory| &directory[..]);
        let chunks = directory.iter().enumerate().take(end.div_ceil(CHUNK)).skip(start / CHUNK);
        chunks.filter_map(|(number, chunk)| Some((number * CHUNK, chunk.get()?))).flat_map(move |(first, chunk)| {
            let places = start.saturating_sub(first)..CHUNK.min(end - first);
            places.map(move |place| (first + place, &chunk[place]))
        })
    }
}

fn empty_directory<T: Blank, const CHUNKS: usize>() -> Option<Owned<[StaticRef<[T; CHUNK]>; CHUNKS]>> {
    // SAFETY: a null `AtomicPtr` is all zero bytes.
    unsafe { Owned::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::{Blank, Owned, StaticRef, Table};
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

    /// Under `AddressSanitizer` the value that came second would be reported as leaked.
    #[test]
    fn a_value_that_comes_second_gives_way() {
        static PLACE: StaticRef<Counter> = StaticRef::null();
        let second = || {
            PLACE.install(|| Owned::new(Counter::new(1)));
            Owned::new(Counter::new(2))
        };
        assert_eq!(PLACE.install(second).expect("memory").get(), 1);
    }
}
