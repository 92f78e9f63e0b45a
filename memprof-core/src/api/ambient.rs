//! `ambient`: a scope for the threads that no scope reaches.
//!
//! A scope reaches the thread that entered it, and a `Context` those that are told of it. Neither reaches a thread
//! that somebody else started and feeds: a runtime's workers, a library's own pool. For those this scope is open
//! everywhere at once, where nothing more specific is. How threads find it and what it comes to is left to
//! [`share::ambient`](crate::share::ambient).

use crate::api::context::Context;
use crate::base::blind;
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::pages;
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::process::ready::ready_to_enter;
use crate::process::serve::start_threads;
use crate::share::ambient;

/// An ambient scope: it ends when this is dropped. See [`ambient()`].
///
/// It may be dropped on another thread than the one that opened it.
#[must_use = "an ambient scope ends when it is dropped: bind it to a name"]
#[derive(Debug)]
pub struct Ambient {
    /// `None` if memprof was off.
    id: Option<ambient::Id>,
}

/// Opens a scope for every thread that has none open, now or later, until the guard is dropped.
///
/// For threads that a program does not start itself: a framework's runner thread, a pool. Each of them that has no
/// scope open works for the ambient scope, from its next event on; one with a scope open joins when it has left
/// that. What such a thread allocates directly is the ambient scope's own, whichever thread frees it. A scope that
/// the thread opens stands under the ambient one, is measured as it would be anywhere, and adds to it when it is
/// left. So the ambient scope's peak is what it held at once: to the byte in every space but the host, and there to
/// within 64 KiB for each thread. A thread that ends leaves its blocks to it.
///
/// It makes an ordinary row, under the scope in which it was opened, which also gets its sums and ends it when it
/// ends; opened outside any scope, it adds to nobody else. When it ends, what its threads have open counts so far;
/// what they add later reaches nobody. The newest of several is meant, and one that ends first ends those that were
/// opened in it.
///
/// Calls and events under it cost about what they cost elsewhere: `docs/performance.md`.
///
/// ```
/// # use memprof_core as memprof;
/// let ambient = memprof::ambient("pool");
/// std::thread::spawn(|| vec![0_u8; 1000].len()).join().unwrap();
/// drop(ambient);
/// ```
///
/// Opening and ending cost about 1 µs together, also where there are 64 threads: they set a word of each. Each
/// thread then looks for the newest scope at its next event, once, under a lock that it does not wait for. While
/// memprof is off, and where the system has no memory left, the guard does nothing.
pub fn ambient(name: &str) -> Ambient {
    Ambient { id: open(|| Site::named(name)) }
}

/// [`ambient()`] with a site of its own.
pub(crate) fn ambient_of(site: &'static Site) -> Ambient {
    Ambient { id: open(|| site) }
}

/// Opens an ambient scope under what is open on this thread; `site` is made only where memprof measures.
fn open(site: impl FnOnce() -> &'static Site) -> Option<ambient::Id> {
    let slot = ready_to_enter()?;
    start_threads();
    let site = site();
    let context = Context::current();
    slot.note_other_lanes();
    let _blind = blind::enter();
    if !pages::program_has(1 << 14) {
        missed::note(Refused::NoMemory);
        return None;
    }
    let parent = context.shared().filter(|shared| !shared.is_closed()).cloned();
    // A scope that has ended still gives the path.
    let base = context.shared().map_or(PathId::ROOT, |captured| captured.path);
    let path_entry = slot.path_entry(base, site)?;
    let flags = if parent.is_some() { slot.flags_for(slot.top(), &path_entry) } else { 0 };
    let id = ambient::open(path_entry.path, parent, flags)?;
    slot.count_call(&path_entry);
    Some(id)
}

impl Drop for Ambient {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            ambient::end(id);
        }
    }
}
