//! (k) A long-lived server: what grows in ten slices of as many requests each.
//!
//! All slices do the same, so what is more in the tenth than in the second is the tool's growth; the first has what a
//! program warms up. What a slice does is left to `workloads::service`.

use std::fmt::Write as _;
use std::io;

use crate::measure::{Missing, Programs, Run};
use crate::peers::{ABSENT, PEERS, Peer};
use crate::plan::{SERVICE_REQUESTS, SERVICE_ROUNDS, SERVING};
use crate::tables::median;
use crate::{LIMIT_SECONDS_OF_LONG, Size};

/// The program without a tool, which has a row here.
const WITHOUT: Peer = Peer { name: "no tool", ..ABSENT };
/// So many requests tell how many are answered in a minute.
const TRIED: usize = 400_000;

/// The table of some rounds of [`SERVICE_REQUESTS`].
pub fn table(programs: &Programs, size: Size) -> String {
    let requests = SERVICE_REQUESTS / size.less;
    let mut text = heading(&format!("ten slices of {} requests", requests / 10));
    let peers = PEERS.iter().copied().filter(|peer| SERVING.contains(&peer.name));
    for peer in [WITHOUT].into_iter().chain(peers) {
        let rounds = (1..=size.rounds.min(SERVICE_ROUNDS)).map(|round| {
            eprintln!("(k) {}, round {round}", peer.name);
            programs.slices(&peer, &words(requests / peer.less))
        });
        text += &row(&peer, &rounds.collect::<Vec<_>>());
    }
    text
}

/// The table of one run of each tool named, of about ten minutes: a slice is as many requests as it answers in a minute.
pub fn long_table(names: &[&str]) -> io::Result<String> {
    let mut programs = Programs::new(LIMIT_SECONDS_OF_LONG)?;
    let mut text = heading("ten slices of a minute, which is so many requests");
    for name in names {
        let peers = PEERS.iter().copied().filter(|peer| SERVING.contains(&peer.name));
        let peer = [WITHOUT].into_iter().chain(peers).find(|peer| peer.name == *name);
        let peer = peer.ok_or_else(|| {
            io::Error::other(format!("{name} is not {}, and none of {}", WITHOUT.name, SERVING.join("; ")))
        })?;
        programs.build(peer.adapter, "")?;
        let failed = |_| io::Error::other(format!("{name} does not run the server"));
        let tried = programs.slices(&peer, &words(TRIED / peer.less)).map_err(failed)?;
        let nanoseconds = median(tried.iter().map(|slice| slice.nanoseconds));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some tens of millions")]
        let requests = (60e6 / nanoseconds) as usize * 1000;
        eprintln!("(k) {name}, {requests} requests a slice");
        let title = format!("{name}: {requests}");
        text += &row(&Peer { name: title.leak(), ..peer }, &[programs.slices(&peer, &words(10 * requests))]);
    }
    Ok(text)
}

fn words(requests: usize) -> [String; 2] {
    ["service".to_owned(), requests.to_string()]
}

fn heading(what: &str) -> String {
    format!(
        "\n### (k) A server of 200 routes that runs for long: {what}\n\n\
         | tool | ns a request, 1st slice | 2nd | 10th | RSS after the 1st, KiB | 2nd | 10th | can |\n|:--|--:|--:|--:|--:|--:|--:|:--|\n"
    )
}

fn row(peer: &Peer, rounds: &[Result<Vec<Run>, Missing>]) -> String {
    let rounds: Vec<&Vec<Run>> = rounds.iter().filter_map(|slices| slices.as_ref().ok()).collect();
    let of = |slice: usize, value: fn(&Run) -> f64| {
        let values = rounds.iter().filter_map(|slices| Some(value(slices.get(slice)?)));
        let median = median(values);
        if median.is_nan() { "failed".to_owned() } else { format!("{median:.0}") }
    };
    let mut text = format!("| {} ", peer.name);
    for value in [|run: &Run| run.nanoseconds, |run: &Run| run.kibibytes] {
        for slice in [0, 1, 9] {
            write!(text, "| {} ", of(slice, value)).expect("a string takes all");
        }
    }
    text + &format!("| {} |\n", peer.can)
}
