//! Devices: what their own allocators say, beside what memprof attributes.
//!
//! The recorder knows no device. Whoever does registers a probe, which every snapshot asks.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::blind;

/// How the memory of one device adds up at a snapshot, in bytes.
///
/// `used` is what the driver says is taken on the device by anybody, other processes included. Of that, memprof knows
/// `attributed`, the live bytes of the device's space, and what the driver's pools hold in reserve on top; the rest is
/// `unattributed`: contexts, modules, libraries, other processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Device {
    /// The name of its space, `cuda:0`.
    pub space: String,
    /// Live bytes of that space.
    pub attributed: i64,
    /// What the driver's pools hold, used or not: the device's default and current one, and others that are known to be
    /// there; 0 where there is none.
    pub pool_reserved: u64,
    /// The most that each of them held, added up.
    pub pool_reserved_high: u64,
    /// What of them is handed out.
    pub pool_used: u64,
    /// The most that was of each, added up.
    pub pool_used_high: u64,
    /// Taken on the device, by anybody.
    pub used: u64,
    /// The device's memory; 0 where the driver could never be asked: then only `attributed` is known.
    pub total: u64,
    /// `used`, less `attributed` and what of the pool's reserve is not handed out. Negative where more is attributed than
    /// the device has in use: the report says so.
    pub unattributed: i64,
    /// Set where the driver could not be asked any more: the numbers but `attributed` are the last known ones.
    pub last_known: bool,
    /// Why it could not be asked, as `no context is left on the device`; empty where it was.
    #[serde(default)]
    pub silence: String,
}

impl Device {
    /// What a driver said of a device whose space this is; [`attributed`](Self::attributed) is filled in by the snapshot.
    #[doc(hidden)]
    pub fn of(space: String) -> Self {
        Self { space, ..Self::default() }
    }

    /// Fills in what memprof attributes, and what remains.
    pub(crate) fn attribute(&mut self, live: i64) {
        self.attributed = live;
        if self.total == 0 {
            self.unattributed = 0;
            return;
        }
        let used = i128::from(self.used) - i128::from(self.pool_reserved.saturating_sub(self.pool_used));
        self.unattributed =
            i64::try_from(used - i128::from(live)).unwrap_or(if used < 0 { i64::MIN } else { i64::MAX });
    }
}

type Probe = fn() -> Vec<Device>;

static PROBES: Mutex<Vec<Probe>> = Mutex::new(Vec::new());

/// Has every snapshot ask `probe` for the devices it knows. The probe runs while the thread is hidden from the
/// recorder, and must not take a snapshot.
pub fn on_snapshot(probe: Probe) {
    let _blind = blind::enter();
    let mut probes = PROBES.lock().unwrap_or_else(PoisonError::into_inner);
    if !probes.contains(&probe) {
        probes.push(probe);
    }
}

/// What the probes say now, by space.
pub(crate) fn ask() -> Vec<Device> {
    let probes = PROBES.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut devices: Vec<Device> = probes.into_iter().flat_map(|probe| probe()).collect();
    devices.sort_by(|one, next| one.space.cmp(&next.space));
    devices
}

#[cfg(test)]
mod tests {
    use super::Device;

    #[test]
    fn what_is_used_is_attributed_or_in_reserve_or_unattributed() {
        let mut device =
            Device { pool_reserved: 100, pool_used: 60, used: 1000, total: 8000, ..Device::of("cuda:0".to_owned()) };
        device.attribute(300);
        assert_eq!((device.attributed, device.unattributed), (300, 660));
        device.attribute(2000);
        assert_eq!(device.unattributed, -1040);
    }
}
