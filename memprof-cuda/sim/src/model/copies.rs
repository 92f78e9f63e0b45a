//! Copies and fills, bounds-checked on the device's side, done at once.
//!
//! The device's side is checked, down to the byte; the host's is the program's promise, as to a real driver. What is
//! checked against are [`memory`](super::memory)'s blocks and mapped memory.

use super::arena;
use super::state::State;
use crate::base::abi::{Code, Done};

impl State {
    /// Copies between two blocks.
    pub(crate) fn copy_inside(&self, to: u64, from: u64, bytes: usize) -> Done {
        self.reachable(to, bytes)?;
        self.reachable(from, bytes)?;
        arena::copy(to, from, bytes);
        Ok(())
    }

    /// Copies from the program's memory into a block.
    pub(crate) fn copy_in(&self, to: u64, from: u64, bytes: usize) -> Done {
        self.reachable(to, bytes)?;
        copy_host(to, from, bytes)
    }

    /// Copies from a block into the program's memory.
    pub(crate) fn copy_out(&self, to: u64, from: u64, bytes: usize) -> Done {
        self.reachable(from, bytes)?;
        copy_host(to, from, bytes)
    }

    /// Copies between any two addresses: where both are the program's, it is the program's promise.
    pub(crate) fn copy_unified(&self, to: u64, from: u64, bytes: usize) -> Done {
        match (self.reachable(to, bytes), self.reachable(from, bytes)) {
            (Err(code), Err(_)) => Err(code),
            _ => copy_host(to, from, bytes),
        }
    }

    pub(crate) fn fill(&self, address: u64, pattern: &[u8], count: usize) -> Done {
        if !address.is_multiple_of(pattern.len() as u64) {
            return Err(Code::INVALID_VALUE);
        }
        let bytes = count.checked_mul(pattern.len()).ok_or(Code::INVALID_VALUE)?;
        self.reachable(address, bytes)?;
        if bytes > 0 {
            arena::fill(address, pattern, bytes);
        }
        Ok(())
    }

    pub(crate) fn fill_rows(&self, address: u64, pitch: usize, pattern: &[u8], width: usize, height: usize) -> Done {
        for row in 0..height {
            let offset = row.checked_mul(pitch).ok_or(Code::INVALID_VALUE)?;
            self.fill(address.checked_add(offset as u64).ok_or(Code::INVALID_VALUE)?, pattern, width)?;
        }
        Ok(())
    }
}

fn copy_host(to: u64, from: u64, bytes: usize) -> Done {
    if bytes == 0 {
        return Ok(());
    }
    if to == 0 || from == 0 {
        return Err(Code::INVALID_VALUE);
    }
    arena::copy(to, from, bytes);
    Ok(())
}
