//! Hash maps that many threads change at once, in memory from [`pages`](crate::base::pages).
//!
//! No code but the map's own runs while a thread is inside one: nothing allocates through the program's allocator,
//! nothing is dropped, no other lock is taken. So a call that finds itself inside a map on its own thread can only
//! come from a signal handler that interrupted it there, and is [`Refused`]; any other call is done in bounded
//! time.
//!
//! It is a table of `hashbrown` in each of [`SHARDS`] parts. The standard library's map would take its memory from
//! the program's allocator, and end the process where there is none.

use core::borrow::Borrow;

use crate::base::lock::Leaf;
use crate::base::tables::{PageTable, page_table};

/// What entries are found by.
pub(crate) trait Key {
    /// Spread over all bits.
    fn hash(&self) -> u64;
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// By a signal handler, which interrupted its own thread inside a map.
    AtWork,
    /// The system has no memory left.
    NoMemory,
}

/// Parts with a lock each: some times as many as threads meet here at the same moment, so that two of those seldom
/// want the same part.
const SHARDS: usize = 64;

/// A part. On cache lines of its own, and on two, as processors fetch them in pairs (Intel's optimization manual,
/// *spatial prefetcher*): a lock that is taken does not slow down its neighbour.
#[repr(align(128))]
struct Shard<K, V>(Leaf<PageTable<(K, V)>>);

/// A map of small values, which are copied in and out. See the [module](self).
pub(crate) struct Map<K, V> {
    shards: [Shard<K, V>; SHARDS],
}

impl<K: Key + Eq + Copy, V: Copy> Map<K, V> {
    /// Empty, and without memory until the first entry.
    pub(crate) const fn new() -> Self {
        Self { shards: [const { Shard(Leaf::new(page_table())) }; SHARDS] }
    }

    /// The value of a key, if it stands there.
    pub(crate) fn get<Q: Key + Eq + ?Sized>(&self, key: &Q) -> Result<Option<V>, Refused>
    where
        K: Borrow<Q>,
    {
        let hash = key.hash();
        let shard = self.shard(hash).lock().ok_or(Refused::AtWork)?;
        Ok(shard.find(hash, |(known, _)| known.borrow() == key).map(|(_, value)| *value))
    }

    /// Puts a value in, and gives the one that stood there.
    pub(crate) fn insert(&self, key: K, value: V) -> Result<Option<V>, Refused> {
        let hash = key.hash();
        let mut shard = self.shard(hash).lock().ok_or(Refused::AtWork)?;
        if let Some((_, known)) = shard.find_mut(hash, |(known, _)| *known == key) {
            return Ok(Some(core::mem::replace(known, value)));
        }
        make_room(&mut shard)?;
        shard.insert_unique(hash, (key, value), |(key, _)| key.hash());
        Ok(None)
    }

    /// The value of a key; where there is none, what `make` gives is put in. Threads that ask for the same key wait
    /// for it, so `make` is short, allocates from `pages` alone, and takes no lock.
    pub(crate) fn get_or_make(&self, key: K, make: impl FnOnce() -> Option<(K, V)>) -> Result<V, Refused> {
        let hash = key.hash();
        let mut shard = self.shard(hash).lock().ok_or(Refused::AtWork)?;
        if let Some((_, value)) = shard.find(hash, |(known, _)| *known == key) {
            return Ok(*value);
        }
        make_room(&mut shard)?;
        let (key, value) = make().ok_or(Refused::NoMemory)?;
        shard.insert_unique(hash, (key, value), |(key, _)| key.hash());
        Ok(value)
    }

    /// Takes out the value of a key.
    pub(crate) fn remove(&self, key: &K) -> Result<Option<V>, Refused> {
        let hash = key.hash();
        let mut shard = self.shard(hash).lock().ok_or(Refused::AtWork)?;
        let found = shard.find_entry(hash, |(known, _)| known == key);
        Ok(found.ok().map(|entry| entry.remove().0.1))
    }

    /// By the upper bits: a table finds its places by the lower ones, and tells entries apart by the uppermost seven.
    fn shard(&self, hash: u64) -> &Leaf<PageTable<(K, V)>> {
        &self.shards[(hash >> 48) as usize % SHARDS].0
    }
}

/// Room for one more entry, before anything is changed: a table that is too small doubles, which copies its
/// entries.
fn make_room<K: Key, V>(table: &mut PageTable<(K, V)>) -> Result<(), Refused> {
    table.try_reserve(1, |(key, _)| key.hash()).map_err(|_| Refused::NoMemory)
}

/// Spreads a number over all bits: the last steps of `MurmurHash3`, with the constants of `SplitMix64`.
pub(crate) fn spread(number: u64) -> u64 {
    let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// What a path's children are found by: parent and site, two small numbers.
impl Key for (u32, u32) {
    fn hash(&self) -> u64 {
        spread(u64::from(self.0) << 32 | u64::from(self.1))
    }
}

impl Key for &str {
    fn hash(&self) -> u64 {
        str::hash(self)
    }
}

/// A name. Names are the program's own: nobody chooses them so that they collide.
impl Key for str {
    /// Eight bytes at a time, each mixed into what came before. It begins with the length, so that a text and the
    /// same with zeros behind it differ.
    fn hash(&self) -> u64 {
        let words = self.as_bytes().chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        });
        words.fold(self.len() as u64, |hash, word| spread(hash ^ word))
    }
}

#[cfg(test)]
mod tests {
    use super::{Map, Refused};

    #[test]
    fn what_was_put_in_is_found_until_it_is_taken_out() {
        static MAP: Map<(u32, u32), u32> = Map::new();
        for number in 0..100_000 {
            assert_eq!(MAP.insert((number, 7), number), Ok(None));
        }
        assert_eq!(MAP.insert((5, 7), 6), Ok(Some(5)));
        assert_eq!(MAP.get(&(5, 7)), Ok(Some(6)));
        assert_eq!(MAP.get(&(7, 5)), Ok(None));
        for number in 0..100_000 {
            assert_eq!(MAP.remove(&(number, 7)), Ok(Some(if number == 5 { 6 } else { number })));
        }
        assert_eq!(MAP.get(&(6, 7)), Ok(None));
    }

    #[test]
    fn a_value_is_made_once_a_key() {
        static MAP: Map<&str, u32> = Map::new();
        assert_eq!(MAP.get_or_make("one, and longer than a word", || None), Err(Refused::NoMemory));
        assert_eq!(MAP.get_or_make("one, and longer than a word", || Some(("one, and longer than a word", 1))), Ok(1));
        assert_eq!(MAP.get_or_make("one, and longer than a word", || None), Ok(1));
        assert_eq!(MAP.get("one, and longer than a wore"), Ok(None));
    }

    /// As a signal handler does that interrupts a thread there.
    #[test]
    fn a_thread_that_is_inside_is_refused() {
        static MAP: Map<&str, u32> = Map::new();
        let made = MAP.get_or_make("a", || {
            assert_eq!(MAP.get("a"), Err(Refused::AtWork));
            assert_eq!(MAP.insert("b", 2), Err(Refused::AtWork));
            Some(("a", 1))
        });
        assert_eq!((made, MAP.get("b")), (Ok(1), Ok(None)));
    }
}
