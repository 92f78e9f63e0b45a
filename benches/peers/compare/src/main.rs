//! Runs the workloads with each tool in turn, and writes the tables of `docs/performance.md`.
//!
//! ```text
//! compare page PAGE [ROUNDS]     the tables, into the page
//! compare check                  builds all, runs each program for a moment, and prints the tables of that
//! compare service TOOL..         (k) alone, ten minutes long with each that is named
//! ```
//!
//! A round runs every tool once, one after another, so that what else the machine does meets all of them; a number is
//! the median of the rounds' ratios to the same program without a tool. Instructions are counted once: they repeat.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::{env, fs, io};

use measure::{Missing, Programs, Run};
use peers::{ABSENT, PEERS, Peer};
use plan::{
    DEPTHS, DEVICE_TURNS, GROWING, GROWTH_TURNS, LIVE_BLOCKS, SITE_TURNS, SITES, THREADS, UPSTREAMS, WORKLOADS,
    Workload,
};

mod machine;
mod measure;
mod peers;
mod plan;
mod programs;
mod service;
mod tables;

const ROUNDS: usize = 7;
const LIMIT_SECONDS: u32 = 300;
const LIMIT_SECONDS_OF_LONG: u32 = 7200;
/// The tables stand between these lines of the page.
const BEGIN: &str = "<!-- tables: written by scripts/peers -->";
const END: &str = "<!-- end of the tables -->";

/// The rounds of one tool at one workload.
pub struct Row {
    peer: Peer,
    /// Each with the run without a tool of the same round.
    rounds: Vec<(Run, Run)>,
    /// Of one operation, with the tool and without.
    instructions: Option<(f64, f64)>,
    missing: Option<Missing>,
}

/// How much is done.
#[derive(Clone, Copy)]
pub struct Size {
    rounds: usize,
    /// So many times less of each workload than planned, and no instructions are counted unless it is 1.
    less: usize,
}

/// Each program runs once, for a moment.
const CHECK: Size = Size { rounds: 1, less: 100 };

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match &words[..] {
        ["check"] => tables(CHECK).map(|text| print!("{text}")),
        ["service", names @ ..] if !names.is_empty() => service::long_table(names).map(|text| print!("{text}")),
        ["page", page] => write(page, ROUNDS),
        ["page", page, rounds] if rounds.parse::<usize>().is_ok_and(|rounds| rounds > 0) => {
            write(page, rounds.parse().unwrap_or(ROUNDS))
        }
        _ => {
            eprintln!("compare: expected: page PAGE [ROUNDS], check, or service TOOL..");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(page: &str, rounds: usize) -> io::Result<()> {
    let text = fs::read_to_string(page).map_err(|error| io::Error::other(format!("{page}: {error}")))?;
    let around = text.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    let (head, tail) = around.ok_or_else(|| io::Error::other(format!("{page}: no lines {BEGIN} and {END}")))?;
    let tables = tables(Size { rounds, less: 1 })?;
    fs::write(page, format!("{head}{BEGIN}\n\n{tables}\n{END}{tail}"))
}

fn tables(size: Size) -> io::Result<String> {
    let mut programs = Programs::new(LIMIT_SECONDS)?;
    let functions = programs::build(&mut programs)?;
    for peer in [ABSENT].iter().chain(PEERS) {
        programs.build(peer.adapter, "")?;
        for (_, feature) in UPSTREAMS.iter().filter(|_| peer.takes_upstream) {
            programs.build(peer.adapter, feature)?;
        }
    }
    programs.build("device", "")?;

    let mut text = tables::heading(size.rounds, &machine::description()?);
    for workload in WORKLOADS {
        let mut rows = all_rounds(&programs, "", PEERS, workload, size);
        count(&programs, "", workload, &mut rows, size);
        text += &tables::workload(workload.title, workload, &rows);
    }
    for (name, feature) in UPSTREAMS {
        let peers: Vec<Peer> = PEERS.iter().copied().filter(|peer| peer.takes_upstream).collect();
        for pairs in WORKLOADS.iter().filter(|workload| workload.command == "pairs") {
            let rows = all_rounds(&programs, feature, &peers, pairs, size);
            let threads = if pairs.argument == Some(1) { "one thread" } else { "two threads" };
            text += &tables::workload(&format!("(b) The same over {name}, {threads}"), pairs, &rows);
        }
    }
    text += &devices(&programs, size);
    text += &growth(&programs, size);
    text += &sites(&programs, size);
    text += &programs::measured(&programs, &functions, size);
    text += &service::table(&programs, size);
    Ok(text)
}

fn all_rounds(
    programs: &Programs,
    upstream: &'static str,
    peers: &[Peer],
    workload: &Workload,
    size: Size,
) -> Vec<Row> {
    let row = |&peer| Row { peer, rounds: Vec::new(), instructions: None, missing: None };
    let mut rows: Vec<Row> = peers.iter().map(row).collect();
    let Size { rounds, less } = size;
    for round in 1..=rounds {
        eprintln!("{} {upstream}, round {round} of {rounds}", workload.title);
        let mut without = BTreeMap::new();
        for row in rows.iter_mut().filter(|row| row.missing.is_none()) {
            let words = words(workload, (workload.turns / row.peer.less / less).max(1));
            // A tool that runs a program from outside slows down the program that it is compared with no less.
            let base = without.entry(row.peer.less).or_insert_with(|| programs.run(&ABSENT, upstream, &words));
            match (programs.run(&row.peer, upstream, &words), *base) {
                (Ok(run), Ok(base)) => row.rounds.push((run, base)),
                (Err(missing), _) | (_, Err(missing)) => row.missing = Some(missing),
            }
        }
    }
    rows
}

fn words(workload: &Workload, turns: usize) -> Vec<String> {
    let argument = workload.argument.map(|argument| argument.to_string());
    [workload.command.to_owned(), turns.to_string()].into_iter().chain(argument).collect()
}

fn count(programs: &Programs, upstream: &'static str, workload: &Workload, rows: &mut [Row], size: Size) {
    let Some(turns) = workload.counted.filter(|_| size.less == 1) else { return };
    eprintln!("{}, instructions", workload.title);
    let of = |peer| programs.instructions(peer, upstream, |turns| words(workload, turns as usize), turns);
    let Ok(without) = of(&ABSENT) else { return };
    for row in rows.iter_mut().filter(|row| row.peer.wrapper.is_empty() && row.missing.is_none()) {
        row.instructions = of(&row.peer).ok().map(|with| (with, without));
    }
}

/// (h) Nanoseconds of a tracked pair and of a plain one, by live blocks.
fn devices(programs: &Programs, size: Size) -> String {
    let device = Peer { adapter: "device", ..ABSENT };
    let rows = LIVE_BLOCKS.iter().map(|&live| {
        let of = |command: &str| {
            let words = [command.to_owned(), (DEVICE_TURNS / size.less).to_string(), live.to_string()];
            programs.run(&device, "", &words).map(|run| run.nanoseconds)
        };
        let pairs: Vec<_> =
            (0..size.rounds).filter_map(|_| Some((of("device-plain").ok()?, of("device-tracked").ok()?))).collect();
        (live, pairs)
    });
    tables::devices(&rows.collect::<Vec<_>>())
}

/// (i) By depth and by threads, the tools that measure memory by scope.
fn growth(programs: &Programs, size: Size) -> String {
    let peers: Vec<Peer> = PEERS.iter().copied().filter(|peer| GROWING.contains(&peer.name)).collect();
    let by = |title, what, command, arguments: &'static [usize]| {
        let columns: Vec<_> = arguments
            .iter()
            .map(|&argument| {
                let workload = Workload {
                    title,
                    operation: "pair",
                    command,
                    turns: GROWTH_TURNS,
                    argument: Some(argument),
                    counted: None,
                };
                all_rounds(programs, "", &peers, &workload, size)
            })
            .collect();
        tables::growth(title, what, arguments, &columns)
    };
    by("(i) By depth: a pair in the innermost of so many scopes", "scopes", "depth", DEPTHS)
        + &by("(i) By threads: a pair, on so many threads at once", "threads", "pairs", THREADS)
}

/// (i) By number of sites, memprof alone.
fn sites(programs: &Programs, size: Size) -> String {
    let on = PEERS.iter().find(|peer| peer.name == "memprof, on").expect("memprof is a peer");
    let columns = SITES.iter().map(|&sites| {
        let words = ["sites".to_owned(), (SITE_TURNS / size.less).to_string(), sites.to_string()];
        let runs = (0..size.rounds).filter_map(|_| Some(programs.run(on, "", &words).ok()?.nanoseconds));
        (sites, runs.collect())
    });
    tables::sites(&columns.collect::<Vec<_>>())
}
