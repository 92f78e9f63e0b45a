//! `memprof run`: runs a program with memprof on, and shows its report when it ends.
//!
//! stdin, stdout and stderr are the program's own, and so is the status: it ends as the program did, by its signal too. The report
//! goes to stderr, where the program itself would have printed it, or into the file of `-o`. Each process that the program
//! starts has a file of its own in a temporary folder; the program's is shown and the others' are named.

pub(crate) mod begun;
pub(crate) mod child;
pub(crate) mod profiles;

pub(crate) mod live;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Args;
use memprof_report::{Format, Snapshot};

use self::profiles::Profiles;
use crate::{
    choices::Choices,
    ended::Ended,
    error::{Error, say},
    opener,
    outcome::{NOT_STARTED, Outcome},
    output,
    top::is_terminal,
    words::time,
};

/// Runs a program with memprof on, and shows its report when it ends, also by Ctrl-C.
///
/// The program needs memprof in it. Its output and its exit status stay its own; the report goes to stderr, or into a file.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof run -- ./server --port 8080                   the report on stderr when it ends
  memprof run -o report.html --open -- ./solver in.txt  as a page, opened
  memprof run -o profile.json -- cargo test             a profile to go on with; of other processes one each beside it
  memprof run --tree -- ./solver in.txt                 by who called whom
  memprof run --live -- ./server                        as memprof top, while it runs; then the report

It ends as the program did. 125: it could not be run; 126, 127: it is no program, or is not there.")]
pub(crate) struct Arguments {
    /// A file for the report instead of stderr; its ending picks the format
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Open the file with the program that is set up for it
    #[arg(long, requires = "output")]
    open: bool,
    #[command(flatten)]
    choices: Choices,
    /// Also write the profile every so often (500ms, 10s, 2m), so that a killed program leaves one
    #[arg(long, value_name = "TIME", value_parser = interval)]
    interval: Option<String>,
    /// Also measure what the CUDA driver allocates for anybody, where the program has memprof's feature `cuda`
    #[arg(long)]
    cuda: bool,
    /// Show what it holds while it runs, as memprof top does; needs a terminal, and the program's stdin is empty
    #[arg(long)]
    live: bool,
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

/// What the program takes as `MEMPROF_INTERVAL`.
pub(crate) fn interval(text: &str) -> Result<String, String> {
    time(text).map(|_| text.to_owned())
}

/// Runs the program, and gives how it ended.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let not_started = |what: String| Error::Start(NOT_STARTED, what);
    arguments.output.as_deref().map_or(Ok(()), output::check).map_err(Error::before_the_start)?;
    if arguments.live && !is_terminal() {
        return Err(not_started("--live needs a terminal for stdin and stdout".to_owned()));
    }
    let folder = tempfile::Builder::new().prefix("memprof-").tempdir();
    let folder = folder.map_err(|error| not_started(format!("cannot make a temporary folder: {error}")))?;
    let mut command = command(arguments, folder.path());
    let done = if arguments.live {
        live::run(command, arguments.command[0].display().to_string(), folder.path())
    } else {
        child::run(&mut command)
    };
    let (pid, ended) = done.map_err(|error| cannot_run(arguments, &error))?;
    show(arguments, &Profiles::read(folder.path(), pid), ended);
    Ok(Outcome::Ended(ended))
}

fn command(arguments: &Arguments, folder: &Path) -> Command {
    let mut command = Command::new(&arguments.command[0]);
    command.args(&arguments.command[1..]).env("MEMPROF", "1").env("MEMPROF_OUTPUT", folder.join("%p.json"));
    command.env(begun::VARIABLE, folder);
    if let Some(interval) = &arguments.interval {
        command.env("MEMPROF_INTERVAL", interval);
    }
    if arguments.cuda {
        command.env("MEMPROF_CUDA", "intercept");
    }
    command
}

/// As `env` has them: 127 where there is no such program, 126 where it is none.
fn cannot_run(arguments: &Arguments, error: &io::Error) -> Error {
    let status = match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    };
    Error::Start(status, format!("cannot run ‘{}’: {error}", arguments.command[0].display()))
}

/// Prints or writes the report. What goes wrong is a line: the status is the program's.
fn show(arguments: &Arguments, profiles: &Profiles, ended: Ended) {
    for problem in &profiles.unreadable {
        say(problem);
    }
    let program = arguments.command[0].display();
    let Some((shown, others)) = profiles.shown() else {
        let silent = profiles.silent();
        if profiles.has_begun() {
            say(&format_args!("‘{program}’ left no report: {}", begun::why_none(ended)));
        } else if silent.is_none() {
            say(&format_args!("‘{program}’ left no report: {}", has_none(ended)));
        }
        if let Some(silent) = silent {
            say(&silent);
        }
        return;
    };
    if !shown.is_own {
        let process = &shown.snapshot.process();
        // Where memprof measured in it, why there is none stands below the report.
        let why = if profiles.has_begun() { "" } else { &format!(". If ‘{program}’ has no memprof in it, {ADD}") };
        say(&format_args!(
            "‘{program}’ itself left no report; this is the one of {} (pid {}), which it started{why}",
            process.program, process.pid
        ));
    }
    let done = match &arguments.output {
        Some(output) => write(arguments, &shown.snapshot, output),
        None => arguments.choices.report(&shown.snapshot).write(&mut io::stderr().lock()),
    };
    if let Err(error) = done {
        say(&error);
        return;
    }
    for other in others {
        let beside = arguments.output.as_ref().map(|output| beside(output, other.pid));
        match beside.map(|path| (arguments.choices.report(&other.snapshot).write_to(&path), path)) {
            Some((Ok(()), path)) => say(&format_args!("{} in ‘{}’", other.said(), path.display())),
            Some((Err(error), _)) => say(&error),
            None => say(&format_args!("{}; -o FILE keeps the report of each", other.said())),
        }
    }
    profiles.ends(&format!("‘{program}’"), ended).iter().for_each(|line| say(line));
}

fn write(arguments: &Arguments, snapshot: &Snapshot, output: &Path) -> io::Result<()> {
    arguments.choices.report(snapshot).write_to(output)?;
    say(&format_args!("the report is in ‘{}’", output.display()));
    if arguments.open {
        opener::open(output.as_os_str());
    }
    Ok(())
}

/// `report.html` of another process: `report.42.html`.
pub(crate) fn beside(output: &Path, pid: u32) -> PathBuf {
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    let ending = Format::of(output).map_or(0, |format| format.ending().len());
    let (name, ending) = name.split_at(name.len() - ending);
    output.with_file_name(format!("{name}.{pid}{ending}"))
}

const ADD: &str = "add three lines to it:
  memprof = \"0.1\"                                                               # Cargo.toml, [dependencies]
  #[global_allocator] static ALLOC: memprof::Alloc = memprof::Alloc::system();  // main.rs
  #[memprof::track]                                                             // above a function";

/// Why a program left no report in which memprof did not begin.
fn has_none(ended: Ended) -> String {
    match ended.killed_by() {
        Some(signal) => {
            format!("it was killed by {signal} before memprof began in it, or has none. To have one, {ADD}")
        }
        None => {
            format!("it has no memprof in it, or lost its settings on the way (sudo, `env -i`). To have one, {ADD}")
        }
    }
}
