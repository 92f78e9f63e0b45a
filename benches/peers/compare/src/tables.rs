//! The tables, in Markdown.
//!
//! Pure functions of runs that are over. What compares two programs is a median over the rounds, each time of two runs
//! of one round; what could not be had is said in its cell or below the table.

use std::fmt::Write as _;

use crate::Row;
use crate::measure::Missing;
use crate::peers::CAN;
use crate::plan::Workload;

const ABSENT: &str = "–";

pub fn heading(rounds: usize, machine: &str) -> String {
    let mut text =
        format!("{machine}\nMedians of {rounds} rounds. What a tool can do stands beside each of its numbers:\n\n");
    for (letter, meaning) in CAN {
        writeln!(text, "* **{letter}** {meaning}").expect("a string takes all");
    }
    text
}

pub fn workload(title: &str, workload: &Workload, rows: &[Row]) -> String {
    let operation = workload.operation;
    let mut text = format!(
        "\n### {title}\n\n| tool | time, × | ns more a {operation} | instructions, × | more a {operation} | peak RSS, × | can |\n\
         |:--|--:|--:|--:|--:|--:|:--|\n"
    );
    let mut notes = Vec::new();
    for row in rows {
        if row.missing == Some(Missing::Nothing) {
            notes.push(row.peer.name);
            continue;
        }
        let [time, more, memory] = if row.missing.is_none() {
            [
                format!(
                    "{:.2}",
                    median(row.rounds.iter().map(|(with, without)| with.nanoseconds / without.nanoseconds))
                ),
                format!(
                    "{:.1}",
                    median(row.rounds.iter().map(|(with, without)| with.nanoseconds - without.nanoseconds))
                ),
                format!("{:.2}", median(row.rounds.iter().map(|(with, without)| with.kibibytes / without.kibibytes))),
            ]
        } else {
            ["failed".to_owned(), ABSENT.to_owned(), ABSENT.to_owned()]
        };
        let [instructions, more_instructions] =
            row.instructions.map_or([ABSENT, ABSENT].map(str::to_owned), |(with, without)| {
                [format!("{:.2}", with / without), format!("{:.0}", with - without)]
            });
        let name = row.peer.name;
        let can = row.peer.can;
        writeln!(text, "| {name} | {time} | {more} | {instructions} | {more_instructions} | {memory} | {can} |")
            .expect("a string takes all");
    }
    if !notes.is_empty() {
        writeln!(text, "\nNothing for it: {}.", notes.join("; ")).expect("a string takes all");
    }
    text
}

pub fn devices(rows: &[(usize, Vec<(f64, f64)>)]) -> String {
    let mut text = "\n### (h) Device memory on the simulated driver: alloc and free of 256 bytes\n\n\
                    | live blocks | cudarc alone, ns | tracked, ns | ours, ns |\n|--:|--:|--:|--:|\n"
        .to_owned();
    for (live, pairs) in rows {
        let [plain, tracked, ours] = [
            median(pairs.iter().map(|(plain, _)| *plain)),
            median(pairs.iter().map(|(_, tracked)| *tracked)),
            median(pairs.iter().map(|(plain, tracked)| tracked - plain)),
        ];
        writeln!(text, "| {} | {plain:.0} | {tracked:.0} | {ours:.0} |", grouped(*live)).expect("a string takes all");
    }
    text + "\nNo other tool here sees device memory.\n"
}

/// One column for each argument: nanoseconds more a pair than without a tool.
pub fn growth(title: &str, what: &str, arguments: &[usize], columns: &[Vec<Row>]) -> String {
    let heads: Vec<String> = arguments.iter().map(|&argument| grouped(argument)).collect();
    let mut text = format!("\n### {title}\n\nNanoseconds more a pair than without a tool, by {what}.\n\n");
    writeln!(text, "| tool | {} |\n|:--{}|", heads.join(" | "), "|--:".repeat(heads.len()))
        .expect("a string takes all");
    for (at, row) in columns[0].iter().enumerate() {
        let cells = columns.iter().map(|column| match column[at].missing {
            None => {
                format!(
                    "{:.1}",
                    median(column[at].rounds.iter().map(|(with, without)| with.nanoseconds - without.nanoseconds))
                )
            }
            Some(Missing::Nothing) => ABSENT.to_owned(),
            Some(Missing::Failed) => "failed".to_owned(),
        });
        writeln!(text, "| {} | {} |", row.peer.name, cells.collect::<Vec<_>>().join(" | "))
            .expect("a string takes all");
    }
    text
}

pub fn sites(columns: &[(usize, Vec<f64>)]) -> String {
    let heads: Vec<String> = columns.iter().map(|(sites, _)| grouped(*sites)).collect();
    let cells: Vec<String> = columns.iter().map(|(_, runs)| format!("{:.1}", median(runs.iter().copied()))).collect();
    format!(
        "\n### (i) By sites: scopes of so many sites in turn, a pair in each\n\nNanoseconds a scope with its pair, memprof on.\n\n\
         | sites | {} |\n|:--{}|\n| ns | {} |\n",
        heads.join(" | "),
        "|--:".repeat(heads.len()),
        cells.join(" | ")
    )
}

pub fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// 1,000,000.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}
