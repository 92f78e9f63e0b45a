//! Without the recorder there is next to nothing to keep: names of spaces and scopes, in the program's memory, and
//! looked for one by one.
//!
//! The same names and signatures as those of `tables`, as far as [`map`](super::map) and
//! [`mark`](crate::space::mark) use them. Hashes are ignored. The error types say less than the ones that they
//! stand for: nobody asks them anything.

/// A vector of the program's own memory.
pub(crate) type PageVec<T> = Vec<T>;

pub(crate) const fn page_vec<T>() -> PageVec<T> {
    Vec::new()
}

/// Entries in no order.
pub(crate) struct PageTable<T>(Vec<T>);

pub(crate) const fn page_table<T>() -> PageTable<T> {
    PageTable(Vec::new())
}

/// An entry that was found, by its place.
pub(crate) struct Found<'t, T>(&'t mut Vec<T>, usize);

impl<T> Found<'_, T> {
    /// Takes the entry out; the last one takes its place.
    pub(crate) fn remove(self) -> (T, ()) {
        (self.0.swap_remove(self.1), ())
    }
}

/// That it is not there.
pub(crate) struct Absent;

impl<T> PageTable<T> {
    pub(crate) fn find(&self, _hash: u64, mut eq: impl FnMut(&T) -> bool) -> Option<&T> {
        self.0.iter().find(|entry| eq(entry))
    }

    pub(crate) fn find_mut(&mut self, _hash: u64, mut eq: impl FnMut(&T) -> bool) -> Option<&mut T> {
        self.0.iter_mut().find(|entry| eq(entry))
    }

    pub(crate) fn find_entry(&mut self, _hash: u64, eq: impl FnMut(&T) -> bool) -> Result<Found<'_, T>, Absent> {
        let place = self.0.iter().position(eq).ok_or(Absent)?;
        Ok(Found(&mut self.0, place))
    }

    pub(crate) fn try_reserve(
        &mut self,
        more: usize,
        _hash: impl Fn(&T) -> u64,
    ) -> Result<(), std::collections::TryReserveError> {
        self.0.try_reserve(more)
    }

    pub(crate) fn insert_unique(&mut self, _hash: u64, entry: T, _hasher: impl Fn(&T) -> u64) {
        self.0.push(entry);
    }
}
