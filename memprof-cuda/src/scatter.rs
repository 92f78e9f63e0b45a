//! How tables find an address or a handle of the driver's.
//!
//! It has no seed and is no defence: a table by anything that somebody else can choose takes the standard library's
//! hasher. A look-up in a callback costs one multiplication.

use std::hash::{BuildHasherDefault, Hasher};

/// For a table by addresses.
pub(crate) type Scattered = BuildHasherDefault<Scatter>;

/// Scatters addresses by one multiplication: they come from the driver, so nobody picks them to collide.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scatter(u64);

impl Hasher for Scatter {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, address: u64) {
        // Fibonacci hashing: 2^64 divided by the golden ratio. The table takes high and low bits.
        let scattered = (self.0 ^ address).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = scattered ^ (scattered >> 32);
    }
}
