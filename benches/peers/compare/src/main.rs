//! Runs the workloads with each tool in turn, and writes the tables of `docs/performance.md`.
//!
//! ```text
//! compare PAGE [ROUNDS]
//! ```
//!
//! A round runs every tool once, one after another, so that what else the machine does meets all of them; a number is
//! the median of the rounds' ratios to the same program without a tool. Instructions are counted once: they repeat.

use std::collections::BTreeMap;
use std::path::PathBuf;
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
mod tables;

const ROUNDS: usize = 7;
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

fn main() -> ExitCode {
    let mut words = env::args_os().skip(1);
    let page = words.next().map(PathBuf::from);
    let rounds = words.next().map_or(Some(ROUNDS), |word| word.to_str()?.parse().ok());
    let (Some(page), Some(rounds), None) = (page, rounds, words.next()) else {
        eprintln!("compare: expected the page to write to, and perhaps the number of rounds");
        return ExitCode::from(2);
    };
    match write(&page, rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {}: {error}", page.display());
            ExitCode::FAILURE
        }
    }
}

fn write(page: &PathBuf, rounds: usize) -> io::Result<()> {
    let text = fs::read_to_string(page)?;
    let around = text.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    let (head, tail) = around.ok_or_else(|| io::Error::other(format!("no lines {BEGIN} and {END}")))?;
    let tables = tables(rounds)?;
    fs::write(page, format!("{head}{BEGIN}\n\n{tables}\n{END}{tail}"))
}

fn tables(rounds: usize) -> io::Result<String> {
    let mut programs = Programs::new()?;
    for peer in [ABSENT].iter().chain(PEERS) {
        programs.build(peer.adapter, "")?;
        for (_, feature) in UPSTREAMS.iter().filter(|_| peer.takes_upstream) {
            programs.build(peer.adapter, feature)?;
        }
    }
    programs.build("device", "")?;

    let mut text = tables::heading(rounds, &machine::description()?);
    for workload in WORKLOADS {
        let mut rows = all_rounds(&programs, "", PEERS, workload, rounds);
        if let Some(turns) = workload.counted {
            count(&programs, workload, turns, &mut rows);
        }
        text += &tables::workload(workload.title, workload, &rows);
    }
    for (name, feature) in UPSTREAMS {
        let peers: Vec<Peer> = PEERS.iter().copied().filter(|peer| peer.takes_upstream).collect();
        for pairs in WORKLOADS.iter().filter(|workload| workload.command == "pairs") {
            let rows = all_rounds(&programs, feature, &peers, pairs, rounds);
            let threads = if pairs.argument == Some(1) { "one thread" } else { "two threads" };
            text += &tables::workload(&format!("(b) The same over {name}, {threads}"), pairs, &rows);
        }
    }
    text += &devices(&programs, rounds);
    text += &growth(&programs, rounds);
    text += &sites(&programs, rounds);
    Ok(text)
}

fn all_rounds(
    programs: &Programs,
    upstream: &'static str,
    peers: &[Peer],
    workload: &Workload,
    rounds: usize,
) -> Vec<Row> {
    let row = |&peer| Row { peer, rounds: Vec::new(), instructions: None, missing: None };
    let mut rows: Vec<Row> = peers.iter().map(row).collect();
    for round in 1..=rounds {
        eprintln!("{} {upstream}, round {round} of {rounds}", workload.title);
        let mut without = BTreeMap::new();
        for row in rows.iter_mut().filter(|row| row.missing.is_none()) {
            let words = words(workload, workload.turns / row.peer.less);
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

fn count(programs: &Programs, workload: &Workload, turns: u32, rows: &mut [Row]) {
    eprintln!("{}, instructions", workload.title);
    let of = |peer| programs.instructions(peer, |turns| words(workload, turns as usize), turns);
    let Ok(without) = of(&ABSENT) else { return };
    for row in rows.iter_mut().filter(|row| row.peer.wrapper.is_empty() && row.missing.is_none()) {
        row.instructions = of(&row.peer).ok().map(|with| (with, without));
    }
}

/// (h) Nanoseconds of a tracked pair and of a plain one, by live blocks.
fn devices(programs: &Programs, rounds: usize) -> String {
    let device = Peer { adapter: "device", ..ABSENT };
    let rows = LIVE_BLOCKS.iter().map(|&live| {
        let of = |command: &str| {
            let words = [command.to_owned(), DEVICE_TURNS.to_string(), live.to_string()];
            programs.run(&device, "", &words).map(|run| run.nanoseconds)
        };
        let pairs: Vec<_> =
            (0..rounds).filter_map(|_| Some((of("device-plain").ok()?, of("device-tracked").ok()?))).collect();
        (live, pairs)
    });
    tables::devices(&rows.collect::<Vec<_>>())
}

/// (i) By depth and by threads, the tools that measure memory by scope.
fn growth(programs: &Programs, rounds: usize) -> String {
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
                all_rounds(programs, "", &peers, &workload, rounds)
            })
            .collect();
        tables::growth(title, what, arguments, &columns)
    };
    by("(i) By depth: a pair in the innermost of so many scopes", "scopes", "depth", DEPTHS)
        + &by("(i) By threads: a pair, on so many threads at once", "threads", "pairs", THREADS)
}

/// (i) By number of sites, memprof alone.
fn sites(programs: &Programs, rounds: usize) -> String {
    let on = PEERS.iter().find(|peer| peer.name == "memprof, on").expect("memprof is a peer");
    let columns = SITES.iter().map(|&sites| {
        let words = ["sites".to_owned(), SITE_TURNS.to_string(), sites.to_string()];
        let runs = (0..rounds).filter_map(|_| Some(programs.run(on, "", &words).ok()?.nanoseconds));
        (sites, runs.collect())
    });
    tables::sites(&columns.collect::<Vec<_>>())
}
