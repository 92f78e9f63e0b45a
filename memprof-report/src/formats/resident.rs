//! The line that says what the system holds of the process beside what memprof knows: why `top` says more.
//!
//! It says nothing where the host was not measured or the system did not say. The two come from different sources at
//! different moments, so what is live may be more than is resident: then the line says by how much, and no number in it
//! is below 0 but what is live.

use crate::{
    snapshot::{HostState, Snapshot},
    thousands::thousands,
};

#[cfg(test)]
mod tests;

/// `resident: 412,000,000 bytes, peak 530,000,000; 301,000,000 live here, 111,000,000 elsewhere (..)`, where the host was
/// measured and the system says it.
pub(crate) fn line(snapshot: &Snapshot) -> Option<String> {
    let resident = snapshot.resident().filter(|_| snapshot.parts().host == HostState::Measured)?;
    let live = i128::from(snapshot.totals("host").live);
    let elsewhere = (i128::from(resident.now) - live.max(0)).max(0);
    let while_off = if snapshot.parts().was_off { ", blocks allocated while it was off" } else { "" };
    let mut line = format!(
        "resident: {} bytes, peak {}; {} live here, {} elsewhere \
         (allocator's slack, code, stacks, memory that memprof does not see{while_off})",
        thousands(resident.now),
        thousands(resident.peak),
        thousands(live),
        thousands(elsewhere),
    );
    let absent = live - i128::from(resident.now);
    if absent > 0 {
        let absent = thousands(absent).to_string();
        line.extend([
            "; at least ",
            &absent,
            " bytes of what is live are not resident (never touched, or swapped out)",
        ]);
    }
    if let Some(limit) = resident.limit {
        line.extend(["; limit ", &thousands(limit).to_string()]);
    }
    Some(line)
}
