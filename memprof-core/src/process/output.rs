//! Report files: where a process writes its report, and writing it so that no reader sees half of it.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::report::{Format, one_line};

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
    /// The output of this template; `None` if its ending is not one of [`Format::ENDINGS`]. A relative template is
    /// relative to the directory that the process is in when it writes, until [`stay_in`](Self::stay_in).
    pub(crate) fn parse(template: &str) -> Option<Output> {
        let format = Format::of(Path::new(template))?;
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
        self.directory.join(path_for(&self.template, pid, forked))
    }
}

/// `template` with the process id for each `%p`.
///
/// A forked child must not write over its parent's file: where the template has no `%p`, its id is added
/// before the ending, which still names the format: `report.json` becomes `report.42.json`.
pub(crate) fn path_for(template: &str, pid: u32, forked: bool) -> PathBuf {
    let path = PathBuf::from(template.replace("%p", &pid.to_string()));
    if !forked || template.contains("%p") {
        return path;
    }
    match path.extension().and_then(|ending| ending.to_str()) {
        Some(ending) => path.with_extension(format!("{pid}.{ending}")),
        None => path.with_extension(pid.to_string()),
    }
}

/// Writes `text` to `path`, all of it or nothing: into a temporary file beside it, which then takes its name.
/// A reader sees the report before or this one. The directory must be there; a link at `path` is replaced.
///
/// # Errors
///
/// The line to print, and to print the report after: `memprof: cannot write the report to ‘path’: reason; it
/// follows here`. Nothing is left behind, and what stood at `path` still stands.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), String> {
    write_and_rename(path, text).map_err(|error| {
        let path = one_line(&path.to_string_lossy());
        format!("memprof: cannot write the report to ‘{path}’: {error}; it follows here")
    })
}

fn write_and_rename(path: &Path, text: &str) -> io::Result<()> {
    let (mut file, temporary) = create_beside(path)?;
    let written = file.write_all(text.as_bytes());
    // Closed before it is renamed: Windows refuses to rename an open file.
    drop(file);
    let done = written.and_then(|()| fs::rename(&temporary, path));
    if done.is_err() {
        // The first failure is the one to tell of; if this fails too, nobody can do more.
        let _ = fs::remove_file(&temporary);
    }
    done
}

/// A new file in the directory of `path`, under a name that no other process or thread uses.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    static FILES: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".memprof-{}-{number}.tmp", process::id()));
        match File::create_new(&temporary) {
            // Left by a killed process that had the same id.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (file, temporary)),
        }
    }
}
