//! Snapshots that no program makes, of any bytes: extreme numbers, names that mean something to a format, trees of any form, totals
//! that nothing adds up to.

use arbitrary::{Result, Unstructured};
use memprof_report::__recorder::{HostState, SnapshotParts, SpaceData};
use memprof_report::{Device, PathRecord, Process, Record, Resident, Snapshot, Totals};

/// Names that mean something to one format or another.
const NAMES: &[&str] = &[
    "",
    " ",
    "f",
    "src/a.rs:1(f)",
    "(outside any scope)",
    "[host]",
    "a;b;c 12",
    "a,\"b\"",
    "```` `` `|\\|`",
    "<script>alert(1)</script>",
    "</script><!--",
    "{{data}}",
    "]]>&amp;&#0;",
    "line\nbreak\r\ttab\0",
    "\u{202e}turned\u{2028}\u{2029}",
    "\u{fffe}\u{ffff}\u{1b}[31m",
    "مرحبا 漢字 🦀",
    "# EOF",
    "\\",
    "-1",
    "=1+1",
    "__proto__",
];

/// The snapshot that these bytes stand for. All bytes stand for one.
pub fn snapshot(bytes: &[u8]) -> Snapshot {
    let mut bytes = Unstructured::new(bytes);
    // Where bytes end, zeros follow; an error is not to be expected, and a snapshot of nothing is one too.
    Snapshot::new(parts(&mut bytes).unwrap_or_else(|_| empty()))
}

fn empty() -> SnapshotParts {
    SnapshotParts {
        enabled: false,
        host: HostState::Untagged,
        scopes_entered: false,
        was_off: false,
        process: Process::default(),
        resident: None,
        notes: Vec::new(),
        spaces: Vec::new(),
        devices: Vec::new(),
    }
}

fn parts(bytes: &mut Unstructured<'_>) -> Result<SnapshotParts> {
    let mut process = Process::default();
    (process.program, process.started, process.taken) = (name(bytes)?, name(bytes)?, name(bytes)?);
    (process.pid, process.memprof) = (bytes.arbitrary()?, name(bytes)?);
    process.seconds = *bytes.choose(&[0.0, 1.5, -0.0, f64::MAX, f64::MIN_POSITIVE])?;
    process.label = if bytes.arbitrary()? { Some(name(bytes)?) } else { None };
    let resident = if bytes.arbitrary()? {
        let mut resident = Resident::default();
        (resident.now, resident.peak) = (number(bytes)?, number(bytes)?);
        resident.limit = if bytes.arbitrary()? { Some(number(bytes)?) } else { None };
        Some(resident)
    } else {
        None
    };
    Ok(SnapshotParts {
        enabled: bytes.arbitrary()?,
        host: *bytes.choose(&[HostState::Measured, HostState::NoAllocator, HostState::Untagged])?,
        scopes_entered: bytes.arbitrary()?,
        was_off: bytes.arbitrary()?,
        process,
        resident,
        notes: some(bytes, 3, name)?,
        devices: some(bytes, 2, device)?,
        spaces: spaces(bytes)?,
    })
}

/// Host first, then by name, none twice.
fn spaces(bytes: &mut Unstructured<'_>) -> Result<Vec<SpaceData>> {
    let mut spaces = some(bytes, 4, space)?;
    if let Some(space) = spaces.first_mut() {
        "host".clone_into(&mut space.name);
    }
    spaces.sort_by(|a, b| (a.name != "host", &a.name).cmp(&(b.name != "host", &b.name)));
    spaces.dedup_by(|a, b| a.name == b.name);
    Ok(spaces)
}

fn space(bytes: &mut Unstructured<'_>) -> Result<SpaceData> {
    let tree: Vec<Record> = some(bytes, 40, record)?;
    let mut paths = Vec::with_capacity(tree.len());
    for (index, record) in tree.into_iter().enumerate() {
        let parent = match bytes.int_in_range(0..=3)? {
            0 => None,
            1 if index > 0 => Some(bytes.choose_index(index)?),
            _ => index.checked_sub(1),
        };
        paths.push(PathRecord::new(record, parent));
    }
    Ok(SpaceData {
        name: name(bytes)?,
        has_events: bytes.arbitrary()?,
        totals: totals(bytes)?,
        records: some(bytes, 10, record)?,
        tree: paths,
    })
}

fn record(bytes: &mut Unstructured<'_>) -> Result<Record> {
    let mut record = Record::default();
    (record.name, record.file, record.function) = (name(bytes)?, name(bytes)?, name(bytes)?);
    record.line = bytes.arbitrary()?;
    let unsigned = [
        &mut record.ncalls,
        &mut record.memory_peak,
        &mut record.memory_total,
        &mut record.blocks_total,
        &mut record.self_total,
        &mut record.self_blocks,
        &mut record.reallocs,
        &mut record.failed,
        &mut record.at_peak,
        &mut record.at_peak_blocks,
        &mut record.temporary,
        &mut record.largest,
        &mut record.kept_calls,
    ];
    for field in unsigned {
        *field = number(bytes)?;
    }
    for field in [&mut record.live, &mut record.live_blocks, &mut record.kept] {
        *field = number(bytes)?.cast_signed();
    }
    Ok(record)
}

fn totals(bytes: &mut Unstructured<'_>) -> Result<Totals> {
    let mut totals = Totals::default();
    let unsigned = [
        &mut totals.peak,
        &mut totals.peak_blocks,
        &mut totals.at_peak_level,
        &mut totals.total,
        &mut totals.blocks_total,
        &mut totals.failed,
        &mut totals.unknown_frees,
        &mut totals.missed_frees,
        &mut totals.no_scope_total,
        &mut totals.no_scope_at_peak,
        &mut totals.no_scope_blocks,
        &mut totals.no_scope_at_peak_blocks,
        &mut totals.peak_threads,
    ];
    for field in unsigned {
        *field = number(bytes)?;
    }
    let signed =
        [&mut totals.live, &mut totals.live_blocks, &mut totals.no_scope_live, &mut totals.no_scope_live_blocks];
    for field in signed {
        *field = number(bytes)?.cast_signed();
    }
    Ok(totals)
}

fn device(bytes: &mut Unstructured<'_>) -> Result<Device> {
    let mut device = Device::of(name(bytes)?);
    let unsigned = [
        &mut device.pool_reserved,
        &mut device.pool_reserved_high,
        &mut device.pool_used,
        &mut device.pool_used_high,
        &mut device.used,
        &mut device.total,
    ];
    for field in unsigned {
        *field = number(bytes)?;
    }
    (device.attributed, device.unattributed) = (number(bytes)?.cast_signed(), number(bytes)?.cast_signed());
    (device.last_known, device.silence) = (bytes.arbitrary()?, name(bytes)?);
    Ok(device)
}

/// So many of something, few times many.
fn some<T>(
    bytes: &mut Unstructured<'_>,
    most: usize,
    mut one: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = bytes.int_in_range(0..=most)?;
    (0..count).map(|_| one(bytes)).collect()
}

fn name(bytes: &mut Unstructured<'_>) -> Result<String> {
    Ok(match bytes.int_in_range(0..=9)? {
        0 => bytes.arbitrary()?,
        1 => (*bytes.choose(NAMES)?).repeat(bytes.int_in_range(0..=400)?),
        _ => (*bytes.choose(NAMES)?).to_owned(),
    })
}

fn number(bytes: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match bytes.int_in_range(0..=9)? {
        0..=3 => 0,
        4 | 5 => bytes.arbitrary::<u16>()?.into(),
        6 => u64::MAX,
        7 => *bytes.choose(&[1, (1 << 53) - 1, 1 << 53, (1 << 63) - 1, 1 << 63, u64::MAX - 1])?,
        _ => bytes.arbitrary()?,
    })
}
