//! Sites: the static places in source that scopes are activations of.
//!
//! A site is a `static` in the program, so entering one needs no look-up: its number stands in it. What is a site
//! only at run time, a layer's name say, is looked up by its text ([`Site::named`]) and kept for ever, as a number
//! may stand in a tag for as long.
//!
//! | word of a site | written | read |
//! |---|---|---|
//! | `id` | once, when a scope is first entered here | by every scope |
//! | `first_left` | when a scope is first left in an epoch | by a snapshot, to order ties |
//! | `left_by_polls` | by each poll that ends an open scope | by a snapshot, for its notes |
//!
//! What was recorded at a site stands in no site but in the threads' rows, by path.

use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::base::blind;
use crate::base::map::{Map, Refused};
use crate::base::memory::{AtomicOptionRef, Table, leak, leak_str};
use crate::base::missed;
use crate::names::label::function_label;

/// Sites that one process can tell apart; what comes later is recorded as the site [`OTHER`].
const MOST_SITES: u32 = 1 << 20;
/// Run-time names that one process can tell apart; what comes later is recorded as [`OTHER`].
const MOST_NAMES: u32 = 1 << 16;

/// A place in source that scopes are entered at: file, line and function, or a run-time name.
///
/// One `static` stands at each annotated function ([`track`](https://docs.rs/memprof/latest/memprof/attr.track.html))
/// and at each [`site!`](https://docs.rs/memprof/latest/memprof/macro.site.html); names that are made at run time are
/// interned with [`Site::named`].
///
/// Sites are told apart by where they stand, not by their name: two functions `new` of two types are two sites, and
/// one function compiled for two types is one.
pub struct Site {
    file: &'static str,
    line: u32,
    name: Name,
    /// 0 until the first scope is entered here.
    id: AtomicU32,
    /// When a scope of this site was first left: epoch in the upper, place in the order in the lower half.
    first_left: AtomicU64,
    /// Scopes of this site that a poll's end ended: epoch in the upper, their number in the lower half.
    left_by_polls: AtomicU64,
}

/// What a report shows of a site.
pub(crate) struct Shown {
    /// `file:line(function)`, or the run-time name.
    pub(crate) name: String,
    /// The source file; empty for a run-time name.
    pub(crate) file: String,
    /// The line of the `fn` keyword, or of the macro call; 0 for a run-time name.
    pub(crate) line: u32,
    /// The function's label, or the name.
    pub(crate) function: String,
}

/// What a site is called, as far as the compiler knows it.
enum Name {
    /// Of a block: the name that was written there.
    Static(&'static str),
    /// The interned name; such a site has no file and no line.
    Runtime(&'static str),
    /// Of a function: its label is made of the type name that `here` gives, in this module
    /// ([`label`](crate::names::label)). Made when it is shown, as the compiler gives it at run time alone.
    Function { module: &'static str, here: fn() -> &'static str },
}

/// The sites by their numbers, for readers that have a path and want its name.
static SITES: Table<AtomicOptionRef<Site>, { MOST_SITES as usize / 64 }> = Table::new();
static NEXT_SITE: AtomicU32 = AtomicU32::new(1);
/// Places in the order in which sites were first left.
static NEXT_LEFT: AtomicU32 = AtomicU32::new(1);
static RUNTIME_NAMES: AtomicU32 = AtomicU32::new(0);
/// What is recorded once a limit is reached.
static OTHER: Site = Site::of(Name::Runtime("other"), "", 0);
/// Where a name would have been made at run time, but memprof was off: nothing is ever entered here.
static UNNAMED: Site = Site::of(Name::Runtime(""), "", 0);

impl Site {
    const fn of(name: Name, file: &'static str, line: u32) -> Self {
        Self {
            file,
            line,
            name,
            id: AtomicU32::new(0),
            first_left: AtomicU64::new(0),
            left_by_polls: AtomicU64::new(0),
        }
    }

    /// The site of a function: what `#[track]` expands to.
    #[doc(hidden)]
    pub const fn function(file: &'static str, line: u32, module: &'static str, here: fn() -> &'static str) -> Self {
        Self::of(Name::Function { module, here }, file, line)
    }

    /// The site of a named block: what `site!`, `scope!` and `#[track(name = "..")]` expand to.
    #[doc(hidden)]
    pub const fn block(file: &'static str, line: u32, name: &'static str) -> Self {
        Self::of(Name::Static(name), file, line)
    }

    /// The site with this run-time name, the same one for the same name.
    ///
    /// Costs a look-up in a hash map, about 50 ns; each new name costs its length once and is never freed. After
    /// 65,536 names further ones are recorded under the name `other`, and the report says so. So they are in a
    /// signal handler that interrupted this very look-up, and where the system has no memory left.
    ///
    /// ```
    /// let layer = memprof_core::Site::named("layer 3");
    /// assert!(std::ptr::eq(layer, memprof_core::Site::named(&format!("layer {}", 3))));
    /// ```
    pub fn named(name: &str) -> &'static Self {
        static NAMES: Map<&str, &Site> = Map::new();
        if let Ok(Some(site)) = NAMES.get(name) {
            return site;
        }
        if RUNTIME_NAMES.load(Ordering::Relaxed) >= MOST_NAMES {
            return &OTHER;
        }
        let made = leak_str(name).map_or(Err(Refused::NoMemory), |kept| {
            NAMES.get_or_make(kept, || {
                let site = leak(Self::of(Name::Runtime(kept), "", 0))?;
                RUNTIME_NAMES.fetch_add(1, Ordering::Relaxed);
                Some((kept, site))
            })
        });
        made.unwrap_or_else(|why| {
            missed::note(why);
            &OTHER
        })
    }

    /// The site of what has no name because memprof was off when it was made. It is never an activation.
    pub(crate) fn unnamed() -> &'static Self {
        &UNNAMED
    }

    /// The number of this site, 0 if no scope was entered here yet.
    #[inline(always)]
    pub(crate) fn id(&self) -> u32 {
        self.id.load(Ordering::Relaxed)
    }

    /// The number of this site, given now if it has none; `None` for [`unnamed`](Self::unnamed). Sites past the limit
    /// share the number of `other`.
    ///
    /// Costs a table's entry, once a site. Two threads that enter a site for the first time at the same moment
    /// agree on one number, as the exchange lets one of them win.
    #[cold]
    pub(crate) fn register(&'static self) -> Option<u32> {
        if self.id() != 0 {
            return Some(self.id());
        }
        if core::ptr::eq(self, &raw const UNNAMED) {
            return None;
        }
        let id = NEXT_SITE
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| (next < MOST_SITES).then_some(next + 1));
        let Ok(id) = id else {
            return if core::ptr::eq(self, &raw const OTHER) { None } else { OTHER.register() };
        };
        let entry = SITES.make(id as usize)?;
        match self.id.compare_exchange(0, id, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => {
                entry.set(Some(self));
                Some(id)
            }
            // Another thread came first; the number taken here stays unused.
            Err(first) => Some(first),
        }
    }

    /// The site of a number.
    pub(crate) fn of_id(id: u32) -> Option<&'static Self> {
        SITES.get(id as usize)?.get()
    }

    /// Notes that a scope of this site was left, for the order of ties in the report.
    ///
    /// Once a site and epoch: whoever left it first in this epoch set the word, and others leave it. The order is
    /// that of the ends and not of the entries, as the seed's report has it.
    #[cold]
    pub(crate) fn left(&self, epoch: u32) {
        let order = u64::from(NEXT_LEFT.fetch_add(1, Ordering::Relaxed));
        let _ = self.first_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| {
            let known_epoch = known >> 32;
            (known_epoch != u64::from(epoch) || known == 0).then_some(u64::from(epoch) << 32 | order)
        });
    }

    /// Notes that a scope of this site was still open when the poll that it was entered in ended.
    #[cold]
    pub(crate) fn note_left_by_poll(&self, epoch: u32) {
        let first = u64::from(epoch) << 32 | 1;
        let _ = self.left_by_polls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| {
            let number = known & u64::from(u32::MAX);
            let is_of_epoch = number != 0 && known >> 32 == u64::from(epoch);
            if is_of_epoch { (number < u64::from(u32::MAX)).then_some(known + 1) } else { Some(first) }
        });
    }

    /// How many scopes of this site polls have ended in this epoch.
    pub(crate) fn left_by_polls(&self, epoch: u32) -> u64 {
        let known = self.left_by_polls.load(Ordering::Relaxed);
        if known >> 32 == u64::from(epoch) { known & u64::from(u32::MAX) } else { 0 }
    }

    /// Every site that a scope was entered at, in the order of their first entry.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        let made = NEXT_SITE.load(Ordering::Relaxed);
        (1..made).filter_map(Self::of_id)
    }

    /// Sorts sites as the report wants ties: in the order in which they were first left in this epoch, then those
    /// never left in the order in which they were first entered.
    pub(crate) fn order(&self, epoch: u32) -> (bool, u64) {
        let left = self.first_left.load(Ordering::Relaxed);
        if left != 0 && left >> 32 == u64::from(epoch) {
            (false, left & u64::from(u32::MAX))
        } else {
            (true, u64::from(self.id()))
        }
    }

    /// The source file as the report shows it; empty for a run-time name.
    pub(crate) fn file(&self) -> String {
        shown_file(self.file)
    }

    /// The function's label, or the name.
    pub(crate) fn label(&self) -> String {
        match self.name {
            Name::Static(name) => name.to_owned(),
            Name::Runtime(name) => shown_name(name),
            Name::Function { module, here } => function_label(here(), module),
        }
    }

    /// `file:line(function)`, or the run-time name.
    pub(crate) fn full_name(&self) -> String {
        self.shown().name
    }

    /// What a report shows of this site. Takes some microseconds for a function's label, and memory from the program's allocator.
    pub(crate) fn shown(&self) -> Shown {
        let (file, function) = (self.file(), self.label());
        let name = match self.name {
            Name::Runtime(_) => function.clone(),
            Name::Static(_) | Name::Function { .. } => format!("{file}:{}({function})", self.line),
        };
        Shown { name, file, line: self.line, function }
    }

    /// `"name" (file:line)`, or the run-time name alone, in quotes.
    pub(crate) fn quoted_with_place(&self) -> String {
        match self.name {
            Name::Runtime(name) => format!("{name:?}"),
            Name::Static(_) | Name::Function { .. } => format!("{:?} ({}:{})", self.label(), self.file(), self.line),
        }
    }

    /// The site of what other threads do for the scopes of this one.
    pub(crate) fn of_other_threads(&self) -> &'static Self {
        let _blind = blind::enter();
        Self::named(&format!("{}, on other threads", self.label()))
    }

    /// Whether a limit on sites or names was reached.
    pub(crate) fn limits_reached() -> (bool, bool) {
        (NEXT_SITE.load(Ordering::Relaxed) >= MOST_SITES, RUNTIME_NAMES.load(Ordering::Relaxed) >= MOST_NAMES)
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Site").field(&self.full_name()).finish()
    }
}

/// A run-time name as it is; one of blanks alone in quotes, as its row would seem to have no name.
fn shown_name(name: &str) -> String {
    if name.trim().is_empty() { format!("{name:?}") } else { name.to_owned() }
}

/// `crate-version/src/file.rs` for a file of a registry dependency, whose path holds the directory
/// `registry/src/<index>/`; any other path as it is.
fn shown_file(file: &str) -> String {
    if file.is_empty() {
        return String::new();
    }
    let unix = file.replace('\\', "/");
    let dependency = unix.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    dependency.map_or_else(|| file.to_owned(), |(_, rest)| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Site, shown_file};

    #[test]
    fn a_dependencys_file_is_shown_from_its_crate_on() {
        for (file, shown) in [
            ("src/lib.rs", "src/lib.rs"),
            (
                "/home/u/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/rayon-1.2.0/src/lib.rs",
                "rayon-1.2.0/src/lib.rs",
            ),
            (r"C:\Users\u\.cargo\registry\src\index-1\rayon-1.2.0\src\lib.rs", "rayon-1.2.0/src/lib.rs"),
            ("/work/registry.rs", "/work/registry.rs"),
        ] {
            assert_eq!(shown_file(file), shown);
        }
    }

    #[test]
    fn a_name_of_blanks_is_shown_in_quotes() {
        for (name, shown) in [("", "\"\""), ("  ", "\"  \""), ("\t", "\"\\t\""), (" a ", " a ")] {
            assert_eq!(
                (Site::named(name).label(), Site::named(name).full_name()),
                (shown.to_owned(), shown.to_owned())
            );
        }
    }

    #[test]
    fn a_sites_number_is_given_once() {
        static SITE: Site = Site::block("a.rs", 3, "f");
        assert_eq!(SITE.id(), 0);
        let id = SITE.register().expect("memory");
        assert_eq!((SITE.register(), SITE.id()), (Some(id), id));
        assert!(core::ptr::eq(Site::of_id(id).expect("registered"), &raw const SITE));
        assert_eq!(SITE.full_name(), "a.rs:3(f)");
    }
}
