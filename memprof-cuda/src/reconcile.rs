//! How a device's memory adds up: what its driver says at a snapshot, beside what memprof attributes.
//!
//! A device is watched from the first context or tracked stream on it, and all are while interception is on. No context is kept alive for that: a snapshot
//! asks through one that the program still holds, else through the device's primary context if anybody has it active.
//! Where neither is, or the driver is gone, the numbers are those of the last time, and say so. That is also asked when
//! the last tracked stream of a device ends, so that a report at exit knows more than the start.
//!
//! No lock is held while the driver is called, and the thread's current context is as before afterwards.

#![expect(unsafe_code, reason = "the driver is asked")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use cudarc::driver::{CudaContext, DriverError, result, sys};
use memprof_core::__allocator;
use memprof_core::Device;

use crate::resource::call;
use crate::{driver, events};

/// So many ends of a device's last tracked stream have the driver asked, some 50 µs each; after that, a program that
/// makes and drops its streams all the time has it asked no more often than this.
const ENDS: u64 = 1000;
const PAUSE: Duration = Duration::from_millis(10);

/// A device that snapshots report.
struct Watched {
    ordinal: usize,
    device: sys::CUdevice,
    contexts: Vec<Weak<CudaContext>>,
    /// What the driver said last.
    known: Device,
    /// Tracked streams that are alive, and how often they were none again.
    streams: u64,
    ends: u64,
    asked: Instant,
}

/// Whether devices are watched that no context of the program is known for.
static ALL: AtomicBool = AtomicBool::new(false);

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

fn watched() -> MutexGuard<'static, Vec<Watched>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    fn new(ordinal: usize, device: sys::CUdevice) -> Self {
        let known = Device::of(call::device_space_at(ordinal).name().to_owned());
        Self { ordinal, device, contexts: Vec::new(), known, streams: 0, ends: 0, asked: Instant::now() }
    }
}

/// Has snapshots report the device of this context from now on.
pub(crate) fn watch(context: &Arc<CudaContext>) {
    let _blind = __allocator::blind();
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
        __allocator::on_snapshot(devices);
        refresh(ordinal);
    }
}

/// Has snapshots report every device that is in use from now on, whoever uses it: interception knows of all.
pub(crate) fn watch_all() {
    ALL.store(true, Ordering::Relaxed);
    __allocator::on_snapshot(devices);
}

/// Watches the devices that are there, if all are to be watched and the driver has started.
fn find_all() {
    if !ALL.load(Ordering::Relaxed) || events::is_in_callback() || driver::require(&[]).is_err() {
        return;
    }
    for index in 0..result::device::get_count().unwrap_or(0) {
        let (Ok(ordinal), Ok(device)) = (usize::try_from(index), result::device::get(index)) else { continue };
        let mut all = watched();
        if !all.iter().any(|known| known.ordinal == ordinal) {
            all.push(Watched::new(ordinal, device));
        }
    }
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
        let due = self.count(|entry| {
            entry.streams -= 1;
            if entry.streams > 0 {
                return false;
            }
            entry.ends += 1;
            entry.ends <= ENDS || entry.asked.elapsed() >= PAUSE
        });
        if due == Some(true) && memprof_core::is_enabled() {
            let _blind = __allocator::blind();
            refresh(self.ordinal);
        }
    }
}

/// Every watched device: the probe of snapshots.
fn devices() -> Vec<Device> {
    find_all();
    let ordinals: Vec<usize> = watched().iter().map(|known| known.ordinal).collect();
    ordinals.into_iter().filter_map(refresh).collect()
}

/// What the driver says of a device now; the last known values where it cannot be asked, zeros if it never could.
fn refresh(ordinal: usize) -> Option<Device> {
    if events::is_in_callback() {
        // The driver may not be called here, nor a context ended, as dropping the last holder of one would.
        let mut known = watched().iter().find(|known| known.ordinal == ordinal)?.known.clone();
        known.last_known = true;
        return Some(known);
    }
    let (device, contexts, space) = watched().iter().find(|known| known.ordinal == ordinal).map(|known| {
        let contexts: Vec<_> = known.contexts.iter().filter_map(Weak::upgrade).collect();
        (known.device, contexts, known.known.space.clone())
    })?;
    let said = ask(space, device, contexts.first());
    // Perhaps the last holders of these contexts: they end with no lock held.
    drop(contexts);
    let mut all = watched();
    let entry = all.iter_mut().find(|known| known.ordinal == ordinal)?;
    let last_known = said.is_err();
    if let Ok(said) = said {
        entry.asked = Instant::now();
        entry.known = said;
    }
    let mut known = entry.known.clone();
    known.last_known = last_known;
    Some(known)
}

/// The driver cannot be asked: it is gone, or has no context on the device.
struct Silent;

impl From<DriverError> for Silent {
    fn from(_: DriverError) -> Self {
        Self
    }
}

fn ask(space: String, device: sys::CUdevice, context: Option<&Arc<CudaContext>>) -> Result<Device, Silent> {
    driver::require(&[]).map_err(|_| Silent)?;
    let primary;
    let context = if let Some(context) = context {
        context.cu_ctx()
    } else {
        primary = Primary::if_active(device)?;
        primary.context
    };
    let _current = Current::set(context)?;
    let (free, total) = result::mem_get_info()?;
    let mut said = Device::of(space);
    said.total = total as u64;
    said.used = total.saturating_sub(free) as u64;
    // A device without pools has nothing in reserve.
    let _ = ask_pool(device, &mut said);
    Ok(said)
}

/// What the device's default pool holds.
fn ask_pool(device: sys::CUdevice, said: &mut Device) -> Result<(), Silent> {
    driver::require(&["cuDeviceGetDefaultMemPool", "cuMemPoolGetAttribute"]).map_err(|_| Silent)?;
    // SAFETY: the device is one that the driver gave.
    let pool = unsafe { result::device::get_default_mem_pool(device) }?;
    let number = |attribute| {
        let mut number = 0_u64;
        // SAFETY: the pool is the device's own, which lives as long as the driver; these attributes are 64-bit numbers.
        unsafe { result::mem_pool::get_attribute(pool, attribute, (&raw mut number).cast()) }?;
        Ok::<_, DriverError>(number)
    };
    let reserved = number(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?;
    let reserved_high = number(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH)?;
    let used = number(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?;
    let used_high = number(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)?;
    (said.pool_reserved, said.pool_reserved_high) = (reserved, reserved_high);
    (said.pool_used, said.pool_used_high) = (used, used_high);
    Ok(())
}

/// The context that is current on this thread, set back when this is dropped.
struct Current {
    before: sys::CUcontext,
}

impl Current {
    fn set(context: sys::CUcontext) -> Result<Self, Silent> {
        let before = result::ctx::get_current()?.unwrap_or(std::ptr::null_mut());
        // SAFETY: the caller holds the context.
        unsafe { result::ctx::set_current(context) }?;
        Ok(Self { before })
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        // SAFETY: it was current on this thread just before, or there was none.
        let _ = unsafe { result::ctx::set_current(self.before) };
    }
}

/// A device's primary context, which somebody else has active, held meanwhile.
struct Primary {
    device: sys::CUdevice,
    context: sys::CUcontext,
}

impl Primary {
    fn if_active(device: sys::CUdevice) -> Result<Self, Silent> {
        driver::require(&["cuDevicePrimaryCtxGetState"]).map_err(|_| Silent)?;
        let (mut flags, mut active) = (0, 0);
        // SAFETY: both places are written before the call returns.
        unsafe { sys::cuDevicePrimaryCtxGetState(device, &raw mut flags, &raw mut active) }.result()?;
        if active == 0 {
            return Err(Silent);
        }
        // SAFETY: the device is one that the driver gave.
        let context = unsafe { result::primary_ctx::retain(device) }?;
        Ok(Self { device, context })
    }
}

impl Drop for Primary {
    fn drop(&mut self) {
        // SAFETY: retained when this was made, and given back once.
        let _ = unsafe { result::primary_ctx::release(self.device) };
    }
}
