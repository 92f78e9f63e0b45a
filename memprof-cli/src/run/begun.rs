//! [`Begun`]: the processes of a run in which memprof measured, and whose end it did not meet; and what is said of them.
//!
//! | the process | a report | what is said |
//! |---|---|---|
//! | that was started | none | why there is none, by how it ended |
//! | that was started | one | that it is of before the end: `--interval` had it written |
//! | another one | none | its name; how it ended, nobody knows here |
//! | another one | one | nothing: it may still run, and its report is what it is |

use std::{fs, path::Path};

/// What programs are told the folder by.
pub(crate) use memprof_report::__common::begun::VARIABLE;
use memprof_report::{__common::begun, one_line};

use crate::ended::Ended;

/// So many are named.
const MOST_NAMED: usize = 3;

/// What helps.
const KEEPS: &str = "--interval 500ms keeps the last one written before";

/// A process in which memprof began, and was not asked at the end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) pid: u32,
    program: String,
}

impl Begun {
    /// Those whose files are in the folder of a run.
    pub(crate) fn read(folder: &Path) -> Vec<Self> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(begun::process) else { continue };
            let program = fs::read(entry.path()).unwrap_or_default();
            found.push(Self { pid, program: String::from_utf8_lossy(&program).into_owned() });
        }
        found.sort_by_key(|process| process.pid);
        found
    }
}

/// How the process that was started ended, of which memprof measured all but the end.
pub(crate) fn end(ended: Ended) -> String {
    match ended.killed_by() {
        None => "it ended without its exit handlers (`_exit`), or became another program".to_owned(),
        Some(signal @ ("SIGINT" | "SIGTERM" | "SIGHUP" | "SIGQUIT" | "SIGABRT")) => {
            format!("it was killed by {signal} before one could be written")
        }
        Some(signal) => format!("it was killed by {signal}, at which a program cannot write one"),
    }
}

/// That as the reason why there is no report, with what helps.
pub(crate) fn why_none(ended: Ended) -> String {
    format!("{}; {KEEPS}", end(ended))
}

/// The line about processes that left no report, others than the one that was started. `None` where there are none.
pub(crate) fn of_others(others: &[&Begun]) -> Option<String> {
    let (named, rest) = others.split_at(others.len().min(MOST_NAMED));
    let named: Vec<String> =
        named.iter().map(|process| format!("{} (pid {})", one_line(&process.program), process.pid)).collect();
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    let each = if others.len() == 1 { "it" } else { "each" };
    (!named.is_empty()).then(|| {
        format!(
            "no report of {}{more}: {each} ended by `_exit` or was killed, became another program, or still runs; {KEEPS}",
            named.join(", ")
        )
    })
}
