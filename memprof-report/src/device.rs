//! [`Device`]: how the memory of one device adds up, as its own allocators say.
//!
//! Plain numbers and the two sums that tie them together. Who asks the driver, and when, is left to the recorder and
//! to whoever knows the device.

/// How the memory of one device adds up at a snapshot, in bytes.
///
/// `used` is what the driver says is taken on the device by anybody, other processes included. Of that, memprof knows
/// `attributed`, the live bytes of the device's space, and what the driver's pools hold in reserve on top; the rest is
/// `unattributed`: contexts, modules, libraries, other processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "formats", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Device {
    /// The name of its space, `cuda:0`.
    pub space: String,
    /// Live bytes of that space, at the snapshot.
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
    /// `used`, less what of the pool's reserve is not handed out, and what was attributed when the driver said so.
    /// Negative where more was attributed than the device had in use: the report says so.
    pub unattributed: i64,
    /// Set where the driver could not be asked any more: the numbers but `attributed` are the last known ones. The
    /// report says how much was attributed then, where that was another number.
    pub last_known: bool,
    /// Why it could not be asked, as `no context is left on the device`; empty where it was.
    #[cfg_attr(feature = "formats", serde(default))]
    pub silence: String,
}

impl Device {
    /// What a driver says of a device whose space this is.
    #[doc(hidden)]
    pub fn of(space: String) -> Self {
        Self { space, ..Self::default() }
    }

    /// Fills in what memprof attributes, and what remains; of the last known values, only the former.
    #[doc(hidden)]
    pub fn attribute(&mut self, live: i64) {
        self.attributed = live;
        if !self.last_known && self.total > 0 {
            self.unattributed = saturated(self.accounted() - i128::from(live));
        }
    }

    /// What was attributed when the driver said what it has in use.
    pub fn attributed_when_asked(&self) -> i64 {
        if self.last_known { saturated(self.accounted() - i128::from(self.unattributed)) } else { self.attributed }
    }

    /// What is attributed or unattributed.
    fn accounted(&self) -> i128 {
        i128::from(self.used) - i128::from(self.pool_reserved.saturating_sub(self.pool_used))
    }
}

fn saturated(bytes: i128) -> i64 {
    i64::try_from(bytes).unwrap_or(if bytes < 0 { i64::MIN } else { i64::MAX })
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

    #[test]
    fn what_was_unattributed_when_the_driver_was_asked_stays_so() {
        let mut device =
            Device { pool_reserved: 100, pool_used: 60, used: 1000, total: 8000, ..Device::of("cuda:0".to_owned()) };
        device.attribute(300);
        device.last_known = true;
        device.attribute(2000);
        assert_eq!((device.attributed, device.attributed_when_asked(), device.unattributed), (2000, 300, 660));
        let mut never_asked = Device::of("cuda:0".to_owned());
        never_asked.attribute(5);
        assert_eq!((never_asked.attributed, never_asked.unattributed), (5, 0));
    }
}
