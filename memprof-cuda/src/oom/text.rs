//! The report of an allocation that failed for want of memory.
//!
//! A name takes one line, whatever it holds, as in every report. What is known is left to [`facts`](super::facts), how often it is said to
//! [`burst`](super::burst).

use std::fmt;

use memprof_core::__allocator::{one_line, thousands};
use memprof_core::{Device, Space};

use super::facts::{OutOfMemory, Owner, reserve};

/// Several lines, without a newline at the end.
impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "out of memory in {}: {} bytes requested", self.space(), thousands(self.bytes))?;
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
            let (bytes, blocks) = (thousands(self.attributed), thousands(self.attributed_blocks));
            let plural = if self.attributed_blocks == 1 { "" } else { "s" };
            write!(f, "\n{}: {bytes} bytes attributed, in {blocks} block{plural}", self.space())?;
        }
        self.write_owners(f)?;
        if !self.measuring {
            return f.write_str("\nmemprof is off: blocks allocated since then are unattributed");
        }
        self.write_open_scopes(f)
    }
}

impl OutOfMemory {
    /// The space's name, which the program may have given.
    fn space(&self) -> String {
        one_line(self.space.name())
    }

    /// Whether anything is known of who holds what.
    fn is_known(&self) -> bool {
        self.measuring || !self.owners.is_empty()
    }

    fn write_owners(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.owners.is_empty() {
            return write!(f, "\nnobody is known to hold memory of {}", self.space());
        }
        write!(f, "\nlargest owners of {}, live bytes and blocks:", self.space())?;
        let width = |number: fn(&Owner) -> i64| {
            self.owners.iter().map(|owner| thousands(number(owner)).to_string().len()).max().unwrap_or(0)
        };
        let (bytes_width, blocks_width) = (width(|owner| owner.bytes), width(|owner| owner.blocks));
        for owner in &self.owners {
            let bytes = thousands(owner.bytes).to_string();
            let blocks = thousands(owner.blocks).to_string();
            write!(f, "\n    {bytes:>bytes_width$} {blocks:>blocks_width$} {}", one_line(&owner.path))?;
        }
        if self.other_owners_count > 0 {
            let bytes = thousands(self.other_owners.bytes);
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
            write!(f, "\n    {}", one_line(scope))?;
        }
        Ok(())
    }
}

fn write_device(f: &mut fmt::Formatter<'_>, device: &Device, is_known: bool) -> fmt::Result {
    let [free, total] = [device.total.saturating_sub(device.used), device.total].map(thousands);
    let reserve = thousands(reserve(device));
    write!(f, "\n{}: {free} of {total} bytes free", device.space)?;
    if device.last_known {
        f.write_str(" (last known)")?;
    }
    if !is_known {
        return write!(f, "\n    in the reserve of pools {reserve}");
    }
    let attributed = thousands(device.attributed);
    write!(f, "\n    attributed {attributed}, in the reserve of pools {reserve}, ")?;
    if device.unattributed < 0 {
        let excess = thousands(-i128::from(device.unattributed));
        return write!(f, "which is {excess} more than the device has in use");
    }
    let unattributed = thousands(device.unattributed);
    write!(f, "unattributed {unattributed} (contexts, modules, libraries, other processes)")
}

#[cfg(test)]
mod tests {
    use memprof_core::Space;

    use super::{OutOfMemory, Owner};

    /// Names come from the program: none breaks a line, and none turns the writing direction.
    #[test]
    fn a_name_takes_one_line() {
        let facts = OutOfMemory {
            space: Space::named("heap\n1"),
            bytes: 1_000,
            measuring: true,
            attributed: 2_000,
            attributed_blocks: 1,
            device: None,
            owners: vec![Owner { path: "load\u{202e}\n".to_owned(), bytes: 2_000, blocks: 1 }],
            other_owners: Owner::default(),
            other_owners_count: 0,
            open_scopes: vec!["layer\u{1b}[2J".to_owned()],
        };
        let expected = "out of memory in heap\\n1: 1,000 bytes requested
the device's own numbers are not known here
heap\\n1: 2,000 bytes attributed, in 1 block
largest owners of heap\\n1, live bytes and blocks:
    2,000 1 load\\u{202e}\\n
scopes open on this thread, innermost first:
    layer\\u{1b}[2J";
        assert_eq!(facts.to_string(), expected);
    }
}
