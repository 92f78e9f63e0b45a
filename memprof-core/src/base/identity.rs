//! Which process this is: when memprof started in it, and what the environment calls it.
//!
//! Noted once, at the start; a snapshot says it with what it counted. Arguments, environment, user and host name
//! are not asked for: they hold secrets.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use memprof_report::__recorder::rfc3339;
use memprof_report::Process;

use super::platform::processor_time;

/// What is known of the process from its start.
struct Identity {
    started: SystemTime,
    started_at: Instant,
    used: Option<Duration>,
    label: Option<String>,
}

static IDENTITY: OnceLock<Identity> = OnceLock::new();

/// Notes that memprof starts now, in a process that `MEMPROF_LABEL` calls `label`.
///
/// Three clocks are noted: one that can be written down as a date, one that is never set back, for the seconds in
/// between, and what the process has used of processors.
pub(crate) fn begin(label: Option<String>) {
    let _ = IDENTITY.set(Identity {
        started: SystemTime::now(),
        started_at: Instant::now(),
        used: processor_time(),
        label,
    });
}

/// This process, now. The system is asked for the program's file each time. Seconds are whole milliseconds; times
/// are UTC, in the form of RFC 3339.
pub(crate) fn process() -> Process {
    let (taken, taken_at) = (SystemTime::now(), Instant::now());
    let begun = IDENTITY.get();
    let mut process = Process::default();
    process.program = program();
    process.pid = std::process::id();
    process.started = rfc3339(begun.map_or(taken, |begun| begun.started));
    process.taken = rfc3339(taken);
    let since = begun.map(|begun| taken_at.saturating_duration_since(begun.started_at)).unwrap_or_default();
    process.seconds = seconds(since);
    // What ran before in the process (a shell or cargo, which became this program) is not the program's.
    let used_before = begun.and_then(|begun| begun.used).unwrap_or_default();
    process.processor_seconds = processor_time().map(|used| seconds(used.saturating_sub(used_before)));
    env!("CARGO_PKG_VERSION").clone_into(&mut process.memprof);
    process.label = begun.and_then(|begun| begun.label.clone());
    process
}

/// The name of the program's file; empty if the system does not say.
pub(crate) fn program() -> String {
    let program = std::env::current_exe().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    // What the system adds to the name of a file that was replaced or removed meanwhile.
    program.map(|name| name.trim_end_matches(" (deleted)").to_owned()).unwrap_or_default()
}

/// Whole milliseconds, in seconds.
fn seconds(time: Duration) -> f64 {
    Duration::from_millis(time.as_millis() as u64).as_secs_f64()
}
