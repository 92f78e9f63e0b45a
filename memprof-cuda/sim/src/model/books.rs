//! The simulator's own ledger: bytes and blocks by space, which tests hold against memprof's.
//!
//! It is kept by the simulator's own allocations and frees and knows nothing of memprof, so that a test compares two
//! accounts that were kept apart. A free of what is not there is refused before it gets here, so no number falls below
//! 0.

use crate::base::abi::ordinal;

/// Where a block's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Space {
    /// A device's memory: allocated, from a pool, an array, physical memory of the virtual memory functions.
    Device(usize),
    /// Page-locked host memory that the driver allocated.
    Pinned,
    /// Managed memory, wherever its pages are.
    Managed,
    /// Host memory of the program's that it had page-locked.
    Registered,
    /// Memory that another owns: opened by an IPC handle, or imported.
    Foreign,
    /// Memory of a device that launched graphs hold.
    Graph,
}

impl Space {
    /// The number that crosses the C border: devices from 0, the rest below.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Device(index) => ordinal(index),
            Self::Pinned => -1,
            Self::Managed => -2,
            Self::Registered => -3,
            Self::Foreign => -4,
            Self::Graph => -5,
        }
    }
}

/// Bytes as requested, not as rounded, and blocks.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Bytes that are live.
    pub bytes: u64,
    /// Blocks that are live.
    pub blocks: u64,
    /// The most bytes that were live at once, since the last reset.
    pub peak_bytes: u64,
    /// Blocks allocated since the last reset.
    pub allocations: u64,
    /// Blocks freed since the last reset.
    pub frees: u64,
}

/// The ledger.
#[derive(Default)]
pub(crate) struct Books {
    /// Pinned, managed, registered, foreign, of graphs.
    others: [Usage; 5],
    devices: Vec<Usage>,
}

impl Books {
    /// One more device.
    pub(crate) fn add_device(&mut self) {
        self.devices.push(Usage::default());
    }

    pub(crate) fn usage(&self, space: Space) -> Usage {
        match space {
            Space::Device(index) => self.devices[index],
            Space::Pinned => self.others[0],
            Space::Managed => self.others[1],
            Space::Registered => self.others[2],
            Space::Foreign => self.others[3],
            Space::Graph => self.others[4],
        }
    }

    /// The usage of a space by its number.
    pub(crate) fn by_number(&self, number: i32) -> Option<Usage> {
        match number {
            -5..=-1 => Some(self.others[number.abs_diff(-1) as usize]),
            _ => self.devices.get(usize::try_from(number).ok()?).copied(),
        }
    }

    pub(crate) fn add(&mut self, space: Space, bytes: u64) {
        let usage = self.entry(space);
        usage.bytes += bytes;
        usage.blocks += 1;
        usage.allocations += 1;
        usage.peak_bytes = usage.peak_bytes.max(usage.bytes);
    }

    pub(crate) fn remove(&mut self, space: Space, bytes: u64) {
        let usage = self.entry(space);
        usage.bytes -= bytes;
        usage.blocks -= 1;
        usage.frees += 1;
    }

    /// Peaks and totals begin anew.
    pub(crate) fn restart(&mut self) {
        for usage in self.devices.iter_mut().chain(&mut self.others) {
            usage.peak_bytes = usage.bytes;
            usage.allocations = 0;
            usage.frees = 0;
        }
    }

    fn entry(&mut self, space: Space) -> &mut Usage {
        match space {
            Space::Device(index) => &mut self.devices[index],
            Space::Pinned => &mut self.others[0],
            Space::Managed => &mut self.others[1],
            Space::Registered => &mut self.others[2],
            Space::Foreign => &mut self.others[3],
            Space::Graph => &mut self.others[4],
        }
    }
}
