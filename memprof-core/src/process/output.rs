//! Report files: where a process writes its report. How a file is written whole is left to [`Report::write_to`].
//!
//! [`Report::write_to`]: memprof_report::Report::write_to
//!
//! | `MEMPROF_OUTPUT` | process 41 | its forked child 42 |
//! |---|---|---|
//! | `report.json` | `report.json` | `report.42.json` |
//! | `out/%p.speedscope.json` | `out/41.speedscope.json` | `out/42.speedscope.json` |
//! | `/var/log/app.txt` | that file | `/var/log/app.42.txt` |

use std::path::PathBuf;

use memprof_report::Format;

#[cfg(test)]
mod tests;

/// The file that `MEMPROF_OUTPUT` asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    /// Where the process started; what a relative template is relative to. Empty if the system does not say.
    directory: PathBuf,
    /// As given, `%p` and all.
    template: String,
    /// What the template's ending asks for.
    format: Format,
}

impl Output {
    /// The output of this template; `None` if its ending is that of no [`Format`]. A relative template is
    /// relative to the directory that the process is in when it writes, until [`stay_in`](Self::stay_in).
    pub(crate) fn parse(template: &str) -> Option<Output> {
        let format = Format::of(template)?;
        Some(Output { directory: PathBuf::new(), template: template.to_owned(), format })
    }

    /// Has a relative template name a file in `directory`, wherever the program goes. A `%p` there is no process id.
    pub(crate) fn stay_in(&mut self, directory: PathBuf) {
        self.directory = directory;
    }

    /// How the report is to be written.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Where the process `pid` writes; see [`path_for`].
    pub(crate) fn path(&self, pid: u32, forked: bool) -> PathBuf {
        self.directory.join(path_for(&self.template, self.format.ending(), pid, forked))
    }
}

/// `template` with the process id for each `%p`.
///
/// A forked child must not write over its parent's file: where the template has no `%p`, its id is added
/// before the whole `ending`, which still names the format: `report.json` becomes `report.42.json`.
fn path_for(template: &str, ending: &str, pid: u32, forked: bool) -> PathBuf {
    if !forked || template.contains("%p") {
        return PathBuf::from(template.replace("%p", &pid.to_string()));
    }
    let (stem, ending) =
        template.split_at_checked(template.len().saturating_sub(ending.len())).unwrap_or((template, ""));
    PathBuf::from(format!("{stem}.{pid}{ending}"))
}
