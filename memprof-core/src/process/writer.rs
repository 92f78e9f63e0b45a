//! Writing the report: to the file that is asked for, or to stderr.
//!
//! A forked child is a process of its own: it writes to a file of its own name, and nothing to stderr, where its
//! parent's report goes. A file that cannot be written is said in one line, and the report goes to stderr instead,
//! so that no run is lost. When a report is written is left to [`helper`](super::helper) and [`exit`](super::exit).
//!
//! | | parent | forked child |
//! |---|---|---|
//! | no `MEMPROF_OUTPUT` | the text, on stderr | nothing |
//! | a file | the file | a file with the child's id in its name |
//! | a file that cannot be written | one line, and the text on stderr | likewise |

use core::sync::atomic::{AtomicU32, Ordering};

use memprof_report::{Asker, Options};

use crate::base::platform;
use crate::base::state;
use crate::observe::snapshot;
use crate::process::output::Output;
use crate::process::settings::Settings;

/// The process that read the environment; a forked child is another one.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// This is the process that reads the environment.
pub(crate) fn begin() {
    PROCESS.store(std::process::id(), Ordering::Relaxed);
}

/// Whether this process was forked from the one that read the environment. Asks the system each time: a child is
/// told by nobody.
pub(crate) fn is_forked() -> bool {
    PROCESS.load(Ordering::Relaxed) != std::process::id()
}

/// Writes the report to where it is to be at the end; a forked child has its own file, or none.
pub(crate) fn write_last(settings: &Settings) {
    match &settings.output {
        Some(output) => {
            if let Err(problem) = write(output, &settings.report) {
                platform::print_line(&problem);
                platform::print(&text(&settings.report));
            }
        }
        None if is_forked() => {}
        None => platform::print(&text(&settings.report)),
    }
}

/// Writes the file while the process runs. `false` if that cannot be done: the next time would be no better.
pub(crate) fn write_file(settings: &Settings) -> bool {
    let Some(output) = &settings.output else { return false };
    let written = write(output, &settings.report);
    if let Err(problem) = &written {
        // The report goes to stderr at exit; every interval would drown the program's own lines.
        platform::print_line(&problem.replace("; it follows here", "; the report at exit goes to stderr"));
    }
    written.is_ok()
}

/// The file, whole: it appears under its name when all of it is written. The error is a line without its end.
fn write(output: &Output, options: &Options) -> Result<(), String> {
    let path = output.path(std::process::id(), is_forked());
    let snapshot = snapshot::take(state::is_announced_on());
    let report = snapshot.report().options(options.clone()).asker(Asker::Environment).format(output.format());
    report.write_to(path).map_err(|error| format!("memprof: {error}; it follows here"))
}

/// The report as text, with what the environment asks for.
fn text(options: &Options) -> String {
    snapshot::take(state::is_announced_on()).report().options(options.clone()).asker(Asker::Environment).to_string()
}
