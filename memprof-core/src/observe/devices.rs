//! Devices: what their own allocators say, beside what memprof attributes.
//!
//! The recorder knows no device. Whoever does registers a probe, which every snapshot asks.

use memprof_report::Device;

use crate::base::lock::Lock;
use crate::space::mark;
use crate::space::spaces::Space;

/// Fills in what memprof attributes to the device now, just after the driver was asked.
pub fn attribute_now(device: &mut Device) {
    let space = Space::all().find(|space| space.name() == device.space);
    device.attribute(space.map_or(0, |space| mark::of(space).live));
}

type Probe = fn() -> Vec<Device>;

static PROBES: Lock<Vec<Probe>> = Lock::new(Vec::new());

/// Has every snapshot ask `probe` for the devices it knows. While it runs nothing of its thread is
/// recorded; it must not take a snapshot.
pub fn on_snapshot(probe: Probe) {
    let mut probes = PROBES.lock();
    if !probes.contains(&probe) {
        probes.push(probe);
    }
}

/// What the probes say now, by space.
pub(crate) fn ask() -> Vec<Device> {
    let probes = PROBES.lock().clone();
    let mut devices: Vec<Device> = probes.into_iter().flat_map(|probe| probe()).collect();
    devices.sort_by(|one, next| one.space.cmp(&next.space));
    devices
}
