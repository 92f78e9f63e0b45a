//! Devices: what their own allocators say, beside what memprof attributes.
//!
//! The recorder knows no device. Whoever does registers a probe, which every snapshot asks.
//!
//! What a driver says of a device holds for all processes, and for what no allocator reports: contexts, kernels,
//! libraries. Beside it stands what memprof attributes, asked just after, so that the two are of one moment as
//! nearly as can be had.

use memprof_report::Device;

use crate::base::lock::Lock;
use crate::space::mark;
use crate::space::spaces::Space;

/// Fills in what memprof attributes to the device now, just after the driver was asked.
pub fn attribute_now(device: &mut Device) {
    let space = Space::all().find(|space| space.name() == device.space);
    device.attribute(space.map_or(0, |space| mark::of(space).live));
}

/// Gives the devices that it knows, each with what its driver says now.
type Probe = fn() -> Vec<Device>;

static PROBES: Lock<Vec<Probe>> = Lock::new(Vec::new());

/// Has every snapshot ask `probe` for the devices it knows. While it runs nothing of its thread is
/// recorded; it must not take a snapshot.
///
/// A probe that is registered twice is asked once. It may take as long as its driver does; a snapshot waits for it.
pub fn on_snapshot(probe: Probe) {
    let mut probes = PROBES.lock();
    if !probes.contains(&probe) {
        probes.push(probe);
    }
}

/// What the probes say now, by space.
///
/// No lock is held while they are asked: a probe may wait for a thread that registers another one.
pub(crate) fn ask() -> Vec<Device> {
    let probes = PROBES.lock().clone();
    let mut devices: Vec<Device> = probes.into_iter().flat_map(|probe| probe()).collect();
    devices.sort_by(|one, next| one.space.cmp(&next.space));
    devices
}
