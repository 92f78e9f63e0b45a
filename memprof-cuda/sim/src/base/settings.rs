//! What the environment says of the simulator.
//!
//! It is read once a process. A wrong value does not stand silently for another: it is an error of
//! [`load`](crate::load), and of `cuInit` where the library is loaded without it; what a test changes later is left to
//! [`Sim`](crate::Sim).

use std::env;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::sync::OnceLock;

/// More devices than any machine has.
const MOST_DEVICES: u64 = 64;

/// The settings, each with what holds where the environment says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `CUDA_SIM_DEVICES`: how many devices there are; 1.
    pub(crate) devices: usize,
    /// `CUDA_SIM_MEM`: bytes of memory of each; 256 MiB.
    pub(crate) bytes: u64,
    /// `CUDA_SIM_POOLS`: whether devices have memory pools; 1. With 0 cudarc allocates by `cuMemAlloc`.
    pub(crate) pools: bool,
    /// `CUDA_SIM_LOG`: every call and its result on stderr; 0.
    pub(crate) log: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { devices: 1, bytes: 256 << 20, pools: true, log: false }
    }
}

impl Settings {
    /// What `variable` gives. An error names the variable, its value and what is accepted; an empty one is unset.
    fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        let number = |name: &str, accepted: RangeInclusive<u64>, what: &str| {
            let Some(text) = variable(name).filter(|text| !text.is_empty()) else { return Ok(None) };
            let number =
                text.to_str().and_then(|text| text.trim().parse().ok()).filter(|number| accepted.contains(number));
            number.map(Some).ok_or_else(|| format!("{name}={} is not {what}", text.display()))
        };
        let flag = |name| number(name, 0..=1, "0 or 1").map(|flag| flag.map(|flag| flag == 1));
        let otherwise = Self::default();
        let devices = format!("a number of devices, from 0 to {MOST_DEVICES}");
        let devices = number("CUDA_SIM_DEVICES", 0..=MOST_DEVICES, &devices)?;
        Ok(Self {
            devices: devices.map_or(otherwise.devices, |devices| devices as usize),
            bytes: number("CUDA_SIM_MEM", 0..=u64::MAX, "a number of bytes, in digits")?.unwrap_or(otherwise.bytes),
            pools: flag("CUDA_SIM_POOLS")?.unwrap_or(otherwise.pools),
            log: flag("CUDA_SIM_LOG")?.unwrap_or(otherwise.log),
        })
    }
}

/// The process's settings, read once; or what is wrong with them.
pub(crate) fn read() -> Result<Settings, &'static str> {
    static READ: OnceLock<Result<Settings, String>> = OnceLock::new();
    READ.get_or_init(|| Settings::read(|name| env::var_os(name))).as_ref().copied().map_err(String::as_str)
}

/// The settings; where they are wrong, which keeps the driver from starting, what holds without them.
pub(crate) fn settings() -> Settings {
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Settings;

    fn read(name: &str, value: &str) -> Result<Settings, String> {
        Settings::read(|asked| (asked == name).then(|| value.into()))
    }

    #[test]
    fn what_is_not_said_or_empty_is_as_always() {
        assert_eq!(read("", ""), Ok(Settings::default()));
        assert_eq!(read("CUDA_SIM_MEM", ""), Ok(Settings::default()));
    }

    #[test]
    fn each_setting_is_read() {
        assert_eq!(read("CUDA_SIM_DEVICES", " 2 "), Ok(Settings { devices: 2, ..Settings::default() }));
        assert_eq!(read("CUDA_SIM_MEM", "1000"), Ok(Settings { bytes: 1000, ..Settings::default() }));
        assert_eq!(read("CUDA_SIM_POOLS", "0"), Ok(Settings { pools: false, ..Settings::default() }));
        assert_eq!(read("CUDA_SIM_LOG", "1"), Ok(Settings { log: true, ..Settings::default() }));
    }

    #[test]
    fn a_value_that_is_none_is_an_error_that_says_what_is_accepted() {
        let devices = "is not a number of devices, from 0 to 64";
        for (name, value, accepted) in [
            ("CUDA_SIM_DEVICES", "abc", devices),
            ("CUDA_SIM_DEVICES", "65", devices),
            ("CUDA_SIM_DEVICES", "-1", devices),
            ("CUDA_SIM_MEM", "64M", "is not a number of bytes, in digits"),
            ("CUDA_SIM_POOLS", "off", "is not 0 or 1"),
            ("CUDA_SIM_LOG", "2", "is not 0 or 1"),
        ] {
            assert_eq!(read(name, value), Err(format!("{name}={value} {accepted}")));
        }
    }
}
