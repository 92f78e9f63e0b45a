//! The devices that snapshots report, and when their driver is asked.
//!
//! A context is held weakly, so watching keeps none alive. The table's lock is held to look and to change, never while
//! the driver is called or a context may end. Numbers are those of the last answer, marked as such where there is none
//! now. What is asked, and through which context, is left to [`ask`], how often to [`due`], and whether at all to
//! [`asking`].

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use cudarc::driver::{CudaContext, CudaStream, result, sys};
use memprof_core::__allocator;
use memprof_core::Device;

use super::ask::ask;
use super::due;
use super::silence::Silence;
use crate::asking::{self, Refusal};
use crate::ending::{self, Step};
use crate::{driver, relaxed, spaces};

/// So many ends on a device have the driver asked; after that, a program that makes and drops its streams all the time
/// has it asked only when that is [due] anyway.
const ENDS: u64 = 1000;

/// A device that snapshots report.
struct Watched {
    ordinal: usize,
    device: sys::CUdevice,
    contexts: Vec<Weak<CudaContext>>,
    /// What the driver said last.
    known: Device,
    /// Why it has said nothing since.
    silence: Option<Silence>,
    /// Tracked streams that are alive.
    streams: u64,
    /// How often they were none again, or a context lost what held it last.
    ends: u64,
}

/// The process in which devices are watched that no context of the program is known for; 0: in none.
static ALL: AtomicU32 = AtomicU32::new(0);

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

fn watched() -> MutexGuard<'static, Vec<Watched>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    fn new(ordinal: usize, device: sys::CUdevice) -> Self {
        let known = Device::of(spaces::of_device(u32::try_from(ordinal).unwrap_or(u32::MAX)).name().to_owned());
        Self { ordinal, device, contexts: Vec::new(), known, silence: None, streams: 0, ends: 0 }
    }
}

/// Has snapshots report the device of this context from now on.
pub(crate) fn watch(context: &Arc<CudaContext>) {
    let _blind = __allocator::blind();
    asking::driver_met();
    let ordinal = context.ordinal();
    let mut all = watched();
    let new = !all.iter().any(|known| known.ordinal == ordinal);
    if new {
        all.push(Watched::new(ordinal, context.cu_device()));
    }
    let Some(entry) = all.iter_mut().find(|known| known.ordinal == ordinal) else { return };
    entry.contexts.retain(|context| context.strong_count() > 0);
    if !entry.contexts.iter().any(|known| Weak::as_ptr(known) == Arc::as_ptr(context)) {
        entry.contexts.push(Arc::downgrade(context));
    }
    drop(all);
    if new {
        ending::begins_with(process_ends);
        ending::watch(Step::Context);
        __allocator::on_snapshot(devices);
        refresh(ordinal);
    }
}

/// Has snapshots report every device that is in use from now on, whoever uses it: interception knows of all.
pub(crate) fn watch_all() {
    ALL.store(process::id(), Ordering::Relaxed);
    __allocator::on_snapshot(devices);
    ending::begins_with(process_ends);
    ending::watch(Step::Interception);
}

/// Watches the devices that are there, if all are to be watched and the driver has started.
fn find_all() {
    if ALL.load(Ordering::Relaxed) != process::id() || driver::require(&[]).is_err() {
        return;
    }
    let _not_now = asking::asked(|| {
        for index in 0..result::device::get_count().unwrap_or(0) {
            let (Ok(ordinal), Ok(device)) = (usize::try_from(index), result::device::get(index)) else { continue };
            asking::driver_met();
            let mut all = watched();
            if !all.iter().any(|known| known.ordinal == ordinal) {
                all.push(Watched::new(ordinal, device));
            }
        }
    });
}

/// A tracked stream, for as long as it is alive: the last one of a device to end has the driver asked.
#[derive(Debug)]
pub(crate) struct Watch {
    ordinal: usize,
}

impl Watch {
    pub(crate) fn new(context: &Arc<CudaContext>) -> Self {
        watch(context);
        let watch = Self { ordinal: context.ordinal() };
        watch.count(|entry| entry.streams += 1);
        watch
    }

    fn count<R>(&self, change: impl FnOnce(&mut Watched) -> R) -> Option<R> {
        watched().iter_mut().find(|known| known.ordinal == self.ordinal).map(change)
    }
}

impl Clone for Watch {
    fn clone(&self) -> Self {
        self.count(|entry| entry.streams += 1);
        Self { ordinal: self.ordinal }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let is_last = self.count(|entry| {
            entry.streams -= 1;
            entry.streams == 0
        });
        if is_last == Some(true) {
            ends(self.ordinal);
        }
    }
}

/// Something tracked was allocated in this context, and recorded: the driver is asked, if that is due, it [may be](asking), and this
/// stream, whose memory it is, is not captured just then. Costs the reading of a coarse clock otherwise.
pub(crate) fn allocated(context: &CudaContext, stream: Option<&CudaStream>) {
    if !memprof_core::is_enabled() || !due::is_due(context.ordinal()) {
        return;
    }
    ending::watch(Step::Memory);
    // First whether it may be asked at all.
    if asking::refusal().is_none() && stream.is_none_or(|stream| !relaxed::is_capturing(stream)) {
        let _blind = __allocator::blind();
        refresh(context.ordinal());
    }
}

/// Something tracked in this context was freed, or ends: the driver is asked if that is due, or if nothing but the
/// caller holds the context any more.
pub(crate) fn freed(context: &CudaContext, stream: Option<&CudaStream>, is_last: bool) {
    if is_last {
        ends(context.ordinal());
    } else {
        allocated(context, stream);
    }
}

/// The driver is asked about a device before it may be too late.
fn ends(ordinal: usize) {
    let _blind = __allocator::blind();
    let count = watched().iter_mut().find(|known| known.ordinal == ordinal).map(|entry| {
        entry.ends += 1;
        entry.ends
    });
    if memprof_core::is_enabled() && count.is_some_and(|count| count <= ENDS || due::is_due(ordinal)) {
        refresh(ordinal);
    }
}

/// The driver is asked about every watched device: interception ends.
pub(crate) fn interception_ends() {
    if memprof_core::is_enabled() {
        let _blind = __allocator::blind();
        devices();
    }
}

/// The process begins to end, and the driver with it: it is asked a last time.
fn process_ends() {
    interception_ends();
}

/// Every watched device: the probe of snapshots.
fn devices() -> Vec<Device> {
    find_all();
    let ordinals: Vec<usize> = watched().iter().map(|known| known.ordinal).collect();
    ordinals.into_iter().filter_map(refresh).collect()
}

/// What the driver says of a device now; the last known values where it cannot be asked, zeros if it never could.
fn refresh(ordinal: usize) -> Option<Device> {
    if let Some(refusal) = asking::refusal() {
        // Nor may a context end here, as it would with its last holder.
        let all = watched();
        let known = all.iter().find(|known| known.ordinal == ordinal)?;
        // Asked as the end began, it may have said nothing for another reason.
        let silence = if refusal == Refusal::Ending { known.silence } else { None };
        return Some(last_known(known.known.clone(), silence.unwrap_or(refusal.into())));
    }
    let (device, contexts, space) = {
        let all = watched();
        let known = all.iter().find(|known| known.ordinal == ordinal)?;
        let contexts: Vec<_> = known.contexts.iter().filter_map(Weak::upgrade).collect();
        (known.device, contexts, known.known.space.clone())
    };
    due::asked(ordinal);
    let said = relaxed::while_relaxed(|| ask(space, device, contexts.first()));
    // Perhaps the last holders of these contexts: they end with no lock held.
    drop(contexts);
    let mut all = watched();
    let entry = all.iter_mut().find(|known| known.ordinal == ordinal)?;
    match said {
        Ok(said) => {
            (entry.known, entry.silence) = (said, None);
            Some(entry.known.clone())
        }
        Err(silence) => {
            entry.silence = Some(silence);
            Some(last_known(entry.known.clone(), silence))
        }
    }
}

fn last_known(mut known: Device, silence: Silence) -> Device {
    known.last_known = true;
    known.silence = silence.to_string();
    known
}
