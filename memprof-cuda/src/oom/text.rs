//! The report of an allocation that failed for want of memory.

use std::fmt;

use memprof_core::{Device, Space};

use super::facts::{OutOfMemory, Owner, reserve};

/// Several lines, without a newline at the end.
impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "out of memory in {}: {} bytes requested", self.space, Thousands(self.bytes.into()))?;
        if let Some(device) = &self.device {
            write_device(f, device, self.is_known())?;
        } else if self.space != Space::PINNED && self.space != Space::HOST {
            f.write_str("\nthe device's own numbers are not known here")?;
        }
        if !self.is_known() {
            return f.write_str(
                "\nmemprof is off, so nobody is known to hold it: run with MEMPROF=1 or call memprof::enable()",
            );
        }
        if self.device.as_ref().is_none_or(|device| device.space != self.space.name()) {
            let (bytes, blocks) = (Thousands(self.attributed.into()), Thousands(self.attributed_blocks.into()));
            let plural = if self.attributed_blocks == 1 { "" } else { "s" };
            write!(f, "\n{}: {bytes} bytes attributed, in {blocks} block{plural}", self.space)?;
        }
        self.write_owners(f)?;
        if !self.measuring {
            return f.write_str("\nmemprof is off: blocks allocated since then are unattributed");
        }
        self.write_open_scopes(f)
    }
}

impl OutOfMemory {
    /// Whether anything is known of who holds what.
    fn is_known(&self) -> bool {
        self.measuring || !self.owners.is_empty()
    }

    fn write_owners(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.owners.is_empty() {
            return write!(f, "\nnobody is known to hold memory of {}", self.space);
        }
        write!(f, "\nlargest owners of {}, live bytes and blocks:", self.space)?;
        let width = |number: fn(&Owner) -> i64| {
            self.owners.iter().map(|owner| Thousands(number(owner).into()).to_string().len()).max().unwrap_or(0)
        };
        let (bytes_width, blocks_width) = (width(|owner| owner.bytes), width(|owner| owner.blocks));
        for owner in &self.owners {
            let bytes = Thousands(owner.bytes.into()).to_string();
            let blocks = Thousands(owner.blocks.into()).to_string();
            write!(f, "\n    {bytes:>bytes_width$} {blocks:>blocks_width$} {}", OneLine(&owner.path))?;
        }
        if self.other_owners_count > 0 {
            let bytes = Thousands(self.other_owners.bytes.into());
            write!(f, "\n    and {} more, with {bytes} bytes", self.other_owners_count)?;
        }
        Ok(())
    }

    fn write_open_scopes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.open_scopes.is_empty() {
            return f.write_str("\nno scope is open on this thread");
        }
        f.write_str("\nscopes open on this thread, innermost first:")?;
        for scope in &self.open_scopes {
            write!(f, "\n    {}", OneLine(scope))?;
        }
        Ok(())
    }
}

fn write_device(f: &mut fmt::Formatter<'_>, device: &Device, is_known: bool) -> fmt::Result {
    let [free, total] = [device.total.saturating_sub(device.used), device.total].map(|bytes| Thousands(bytes.into()));
    let reserve = Thousands(reserve(device).into());
    write!(f, "\n{}: {free} of {total} bytes free", device.space)?;
    if device.last_known {
        f.write_str(" (last known)")?;
    }
    if !is_known {
        return write!(f, "\n    in the reserve of pools {reserve}");
    }
    let attributed = Thousands(device.attributed.into());
    write!(f, "\n    attributed {attributed}, in the reserve of pools {reserve}, ")?;
    if device.unattributed < 0 {
        let excess = Thousands(-i128::from(device.unattributed));
        return write!(f, "which is {excess} more than the device has in use");
    }
    let unattributed = Thousands(device.unattributed.into());
    write!(f, "unattributed {unattributed} (contexts, modules, libraries, other processes)")
}

/// A number with a comma before every third digit from the end.
struct Thousands(i128);

impl fmt::Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let digits = self.0.unsigned_abs().to_string();
        for (index, digit) in digits.char_indices() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A text whose control characters are written as their escapes.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| {
            if character.is_control() { write!(f, "{}", character.escape_default()) } else { write!(f, "{character}") }
        })
    }
}
