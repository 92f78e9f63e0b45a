//! What each verb does.
//!
//! `run`, `test` and `bench` end as cargo did, so their own errors before the start are 125, as `memprof run`'s; what goes wrong with
//! showing or keeping a profile is a line.
//! Profiles are kept (`last/`) before they are shown, for `report`. `plan` compiles nothing. Reports of a run go to
//! stderr, as the program itself would print them; those of `report`, and plans, to stdout. What is built and how is
//! left to [`Build`], running it to `crate::run`.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use memprof_report::{Field, Format, Snapshot};

use super::{
    arguments::{Building, Cargo, Planning, Reporting, Running, Verb},
    build::{Build, counted, failed},
    calibration::Calibration,
    place::Place,
    plan::Package,
    runtime::Carried,
    source::function::Reason,
    state::{Known, State},
    told,
};
use crate::{
    choices::Choices,
    ended::Ended,
    error::{Error, say},
    opener,
    outcome::{NOT_STARTED, Outcome},
    output, profile,
    run::{begun, beside, child, live, profiles::Profiles},
    top::is_terminal,
};

/// Where the profiles of the last run are kept.
const LAST: &str = "last";

/// Does what is asked.
pub(crate) fn run(verb: &Verb, carried: Carried, out: &mut dyn Write) -> Result<Outcome, Error> {
    match verb {
        Verb::Run(arguments) => measured("run", arguments, carried).map_err(Error::before_the_start),
        Verb::Test(arguments) => measured("test", arguments, carried).map_err(Error::before_the_start),
        Verb::Bench(arguments) => measured("bench", arguments, carried).map_err(Error::before_the_start),
        Verb::Build(arguments) => build(arguments, carried),
        Verb::Report(arguments) => report(arguments, out),
        Verb::Plan(arguments) => plan(arguments, carried, out),
    }
}

fn build(arguments: &Building, carried: Carried) -> Result<Outcome, Error> {
    let build = Build::of(&arguments.tracking, &arguments.cargo, carried)?;
    built("build", &build, &arguments.cargo)
}

/// Builds alone, and says where the programs are.
fn built(verb: &str, build: &Build, cargo: &Cargo) -> Result<Outcome, Error> {
    let (_, ended) = started(build.command(verb, &cargo.program)?)?;
    if ended == Ended::Code(0) {
        tell(build);
        // The programs are there: that is a line, and the status cargo's.
        told(build).1.unwrap_or_else(|error| say(&error));
        let programs = build.programs();
        say(&format_args!(
            "the programs are below ‘{}’, and measure where they run with MEMPROF=1",
            programs.display()
        ));
    }
    Ok(Outcome::Ended(ended))
}

/// What reports of the build's programs are told, and whether it could be kept for those that are made later.
fn told(build: &Build) -> (memprof_report::Plan, Result<(), Error>) {
    let plan = told::plan(build);
    let kept = told::keep(&build.plan.folder, &plan).map_err(|error| failed("cannot keep what was built", &error));
    (plan, kept)
}

/// Runs cargo to its end.
fn started(mut command: Command) -> Result<(u32, Ended), Error> {
    child::run(&mut command).map_err(|error| {
        Error::Start(NOT_STARTED, format!("cannot run ‘{}’: {error}", command.get_program().display()))
    })
}

fn measured(verb: &str, arguments: &Running, carried: Carried) -> Result<Outcome, Error> {
    arguments.output.as_deref().map_or(Ok(()), output::check)?;
    if arguments.live && (verb != "run" || !is_terminal()) {
        let needs = if verb == "run" { "needs a terminal for stdin and stdout" } else { "goes with run alone" };
        return Err(Error::Start(NOT_STARTED, format!("--live {needs}")));
    }
    let build = Build::of(&arguments.tracking, &arguments.cargo, carried)?;
    if arguments.cuda && build.plan.runtime.is_some() {
        let needs = "--cuda needs a program that depends on memprof, with its feature `cuda`: this one does not";
        return Err(Error::Start(NOT_STARTED, needs.to_owned()));
    }
    if arguments.cargo.has("--no-run") {
        return built(verb, &build, &arguments.cargo);
    }
    let folder = tempfile::Builder::new().prefix("memprof-").tempdir();
    let folder = folder.map_err(|error| failed("cannot make a temporary folder", &error))?;
    let mut command = build.command(verb, &arguments.cargo.program)?;
    command.env("MEMPROF", "1").env("MEMPROF_OUTPUT", folder.path().join("%p.json"));
    command.env(begun::VARIABLE, folder.path());
    if let Some(interval) = &arguments.interval {
        command.env("MEMPROF_INTERVAL", interval);
    }
    if arguments.cuda {
        command.env("MEMPROF_CUDA", "intercept");
    }
    let (pid, ended) = if arguments.live {
        // What the compiler says is read before the view takes the terminal.
        let (_, built) = started(build.command("build", &[])?)?;
        if built != Ended::Code(0) {
            return Ok(Outcome::Ended(built));
        }
        let shown = live::run(command, "the program".to_owned(), folder.path());
        shown.map_err(|error| Error::Start(NOT_STARTED, format!("cannot run cargo: {error}")))?
    } else {
        started(command)?
    };
    // What goes wrong from here on is a line: the status is the program's.
    let tried = |done: Result<(), Error>| done.unwrap_or_else(|error| say(&error));
    let mut profiles = Profiles::read(folder.path(), pid);
    if profiles.shown().is_some() {
        let (plan, kept) = told(&build);
        profiles.add_plan(&plan);
        tried(kept);
    }
    profiles.unreadable.iter().for_each(|problem| say(problem));
    if profiles.shown().is_none() {
        if let Some(why) = why_none(verb, ended, &profiles) {
            say(&format_args!("nothing was measured: {why}"));
        }
        return Ok(Outcome::Ended(ended));
    }
    // Before anything else can fail: `cargo memprof report` has it again.
    let kept = keep(&build.plan.folder, &profiles).map_err(|error| failed("cannot keep the run’s profile", &error));
    let (output, mut stderr) = (arguments.output.as_deref(), io::stderr().lock());
    tried(show(&profiles, &arguments.choices, output, arguments.open, &mut stderr));
    profiles.ends("the program", ended).iter().for_each(|line| say(line));
    tell(&build);
    if profiles.shown().is_some_and(|(shown, _)| shown.snapshot.spaces().next().is_none()) {
        tell_unmeasured(&build);
    }
    tried(kept);
    if !arguments.tracking.no_calibrate {
        tried(learn(&build, &profiles).map_err(|error| failed("cannot keep what the run showed", &error)));
    }
    Ok(Outcome::Ended(ended))
}

/// Why there is no report, as far as that is not said: where cargo failed, it has told of it. `cargo run` becomes the program.
fn why_none(verb: &str, ended: Ended, profiles: &Profiles) -> Option<String> {
    if profiles.has_begun() {
        return Some(format!("the program left no report: {}", begun::why_none(ended)));
    }
    let silent = profiles.silent();
    if silent.is_some() {
        return silent;
    }
    match ended.killed_by() {
        // Others are told to programs and to cargo alike.
        Some(signal @ "SIGKILL") => {
            Some(format!("cargo was killed by {signal}, or the program before memprof began in it"))
        }
        None if ended == Ended::Code(0) && verb == "test" => {
            Some("no test program left a report (tests in documentation leave none)".to_owned())
        }
        None if ended == Ended::Code(0) => Some(
            "memprof did not begin in the program: no crate of it was tracked, or what runs it took the settings away"
                .to_owned(),
        ),
        _ => None,
    }
}

/// What a report shows where nothing else is asked for: who owned the memory at the peak, and who allocated. Call chains share one
/// peak, so that by peak the whole chain would stand in front.
const COLUMNS: &[Field] = &[Field::AtPeak, Field::SelfTotal, Field::Live, Field::Ncalls, Field::Name];

fn show(
    profiles: &Profiles,
    choices: &Choices,
    output: Option<&Path>,
    open: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let Some((shown, others)) = profiles.shown() else { return Ok(()) };
    let report = |snapshot| choices.report_or(snapshot, Field::AtPeak, COLUMNS);
    // It names the file.
    let cannot = |error: io::Error| Error::File(error.to_string());
    match output {
        None => {
            report(&shown.snapshot).write(out).map_err(Error::Output)?;
        }
        Some(output) => {
            report(&shown.snapshot).write_to(output).map_err(cannot)?;
            say(&format_args!("the report is in ‘{}’", output.display()));
            if open {
                opener::open(output.as_os_str());
            }
        }
    }
    for other in others {
        match output.map(|output| beside(output, other.pid)) {
            Some(path) => {
                report(&other.snapshot).write_to(&path).map_err(cannot)?;
                say(&format_args!("{} in ‘{}’", other.said(), path.display()));
            }
            None => say(&format_args!("{}; -o FILE keeps the report of each", other.said())),
        }
    }
    Ok(())
}

/// How many functions were tracked, and why others were not.
fn tell(build: &Build) {
    let (mut tracked, mut left_out, mut packages) = (0, std::collections::BTreeMap::<Reason, usize>::new(), 0);
    for (package, state) in build.built() {
        let (here, out) = counted(&state, state.compiled_functions());
        tracked += here;
        packages += 1;
        for (reason, count) in out {
            *left_out.entry(reason).or_default() += count;
        }
        for name in state.as_is() {
            say(&format_args!(
                "{name} of {} was compiled as it is, untracked: it does not compile otherwise",
                package.title()
            ));
        }
        if let Some(names) = failing(package, &state) {
            say(&format_args!("left out, as {} does not compile with them tracked: {names}", package.title()));
        }
    }
    if packages > 0 {
        let reasons = said(&left_out);
        let rest = if reasons.is_empty() { String::new() } else { format!("; left out: {reasons}") };
        say(&format_args!("{} of {} tracked{rest}", numbered(tracked, "function"), numbered(packages, "package")));
    }
}

/// So many functions of a package are named before the plan is.
const NAMED: usize = 5;

/// The functions that were left out as the compiler's errors name them. Those of a crate that was compiled as it is are not among them.
fn failing(package: &Package, state: &State) -> Option<String> {
    let functions = state.compiled_functions().filter(|(_, function)| function.reason == Some(Reason::DoesNotCompile));
    let mut names: Vec<String> = functions.map(|(path, function)| place(package, path, function)).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let names = names.join(", ");
    match more {
        _ if names.is_empty() => None,
        0 => Some(names),
        more => Some(format!("{names} and {more} more, which `cargo memprof plan --functions` names")),
    }
}

/// Where a function of a package is: `src/load.rs:6(load)`.
fn place(package: &Package, path: &Path, function: &Known) -> String {
    let path = path.strip_prefix(&package.root).unwrap_or(path).display();
    format!("{path}:{}({})", function.line, function.name)
}

/// Why a run counted no bytes, where it was seen when the program was compiled.
fn tell_unmeasured(build: &Build) {
    const WHAT: &str = "has its calls counted, and no bytes: its global allocator is one that the sources do not show, as where a macro writes it, or its root is left as it is, as where it is read as text";
    for (package, state) in build.built() {
        state.unmeasured().iter().for_each(|name| say(&format_args!("{name} of {} {WHAT}", package.title())));
    }
}

fn numbered(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `230 cannot allocate, 3 const fn`.
fn said(left_out: &std::collections::BTreeMap<Reason, usize>) -> String {
    let reasons = Reason::ALL.iter().filter_map(|reason| Some((reason, left_out.get(reason)?)));
    reasons.map(|(reason, count)| format!("{count} {}", reason.said())).collect::<Vec<_>>().join(", ")
}

/// Keeps the profiles for `cargo memprof report`, in place of those of the run before.
fn keep(folder: &Path, profiles: &Profiles) -> io::Result<()> {
    let place = Place::at(folder)?;
    place.remove(Path::new(LAST))?;
    let Some((shown, others)) = profiles.shown() else { return Ok(()) };
    for (number, profile) in std::iter::once(shown).chain(others).enumerate() {
        let mut text = Vec::new();
        profile.snapshot.report().format(Format::Json).write(&mut text)?;
        place.write(&PathBuf::from(LAST).join(format!("{number}.json")), &text)?;
    }
    Ok(())
}

/// Learns from the run what the next build leaves out.
fn learn(build: &Build, profiles: &Profiles) -> io::Result<()> {
    let mut calibration = Calibration::read(&build.plan.folder);
    let packages = build.built();
    let snapshots = profiles.shown().into_iter().flat_map(|(shown, others)| std::iter::once(shown).chain(others));
    let learned: usize =
        snapshots.map(|profile| calibration.learn(&profile.snapshot, &packages, &build.plan.workspace)).sum();
    if learned > 0 {
        calibration.write(&build.plan.folder)?;
        say(&format_args!(
            "{} with many calls for few bytes will be left out from the next build on; --no-calibrate keeps them",
            numbered(learned, "function")
        ));
    }
    Ok(())
}

/// The profiles of the last run again, or one that a program of the last build wrote elsewhere.
fn report(arguments: &Reporting, out: &mut dyn Write) -> Result<Outcome, Error> {
    arguments.output.as_deref().map_or(Ok(()), output::check)?;
    let here = env::current_dir().map_err(|error| failed("cannot say which folder this is", &error))?;
    let folder = super::build::target_folder(&arguments.cargo, &here)?;
    let snapshots = match &arguments.profile {
        Some(file) => {
            let snapshot = profile::read(file)?;
            let plan = snapshot.plan().cloned().or_else(|| told::kept(&folder));
            vec![snapshot.with_plan(plan)]
        }
        None => kept(&folder.join(LAST))?,
    };
    show(&Profiles::of(snapshots), &arguments.choices, arguments.output.as_deref(), false, out)?;
    Ok(Outcome::Done)
}

/// The profiles of the last run.
fn kept(folder: &Path) -> Result<Vec<Snapshot>, Error> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    if files.is_empty() {
        return Err(Error::File(format!("no run is kept in ‘{}’: `cargo memprof run` leaves one", folder.display())));
    }
    files.iter().map(|file| profile::read(file)).collect()
}

/// What is tracked, and why the rest is not.
fn plan(arguments: &Planning, carried: Carried, out: &mut dyn Write) -> Result<Outcome, Error> {
    let build = Build::to_look_at(&arguments.tracking, &arguments.cargo, carried)?;
    let mut print = |line: String| writeln!(out, "{line}").map_err(Error::Output);
    for (package, state) in build.states()? {
        let (tracked, left_out) = counted(&state, state.functions());
        let left: usize = left_out.values().sum();
        print(format!("{}: {} tracked, {left} left out", package.title(), numbered(tracked, "function")))?;
        if !arguments.functions {
            for (reason, count) in Reason::ALL.iter().filter_map(|reason| Some((reason, left_out.get(reason)?))) {
                print(format!("  {count:>5} {}", reason.said()))?;
            }
            continue;
        }
        for (path, function) in state.functions() {
            let reason = state.reason(path, function);
            let said = reason.map_or("tracked".to_owned(), |reason| format!("left out: {}", reason.said()));
            print(format!("  {}: {said}", place(package, path, function)))?;
        }
    }
    Ok(Outcome::Done)
}
