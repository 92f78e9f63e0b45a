//! [`Source`]: what a view looks at again and again.
//!
//! A program that has ended, or a file that is being written, is a line for the view and ends nothing; what is done with it is left to who looks.

use std::{
    env,
    path::{Path, PathBuf},
};

use memprof_report::Snapshot;

use super::{endpoint::Endpoint, running};
use crate::{error::Error, profile::read};

/// A running program, or a file that it writes.
#[derive(Debug)]
pub(crate) enum Source {
    Endpoint(Endpoint),
    File(PathBuf),
}

const ACCEPTED: &str = "accepted: the id of a process, an address (http://HOST:PORT, unix:PATH), or a saved profile";
const START: &str = "start one with MEMPROF=1 MEMPROF_HTTP=127.0.0.1:0";

impl Source {
    /// What is meant by the argument of a call; without one, the only program that answers.
    pub(crate) fn find(asked: Option<&str>) -> Result<Self, Error> {
        let token = env::var("MEMPROF_HTTP_TOKEN").ok().filter(|token| !token.is_empty());
        let found = match asked {
            None => only_one().and_then(|address| at(&address, token)),
            Some(asked) => match asked.parse::<u32>() {
                Ok(id) => process(id).and_then(|address| at(&address, token)),
                Err(_) => at(asked, token),
            },
        };
        found.map_err(Error::File)
    }

    /// What it is called.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Endpoint(endpoint) => endpoint.name().to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// What it says now, or why it says nothing.
    pub(crate) fn look(&self) -> Result<Snapshot, String> {
        match self {
            Self::Endpoint(endpoint) => endpoint.ask(),
            Self::File(path) => read(path).map_err(|error| error.to_string()),
        }
    }
}

fn at(asked: &str, token: Option<String>) -> Result<Source, String> {
    match Endpoint::parse(asked, token) {
        Some(endpoint) => endpoint.map(Source::Endpoint),
        None if Path::new(asked).exists() => Ok(Source::File(PathBuf::from(asked))),
        None => Err(format!("there is no ‘{asked}’; {ACCEPTED}")),
    }
}

/// Where this process answers.
fn process(id: u32) -> Result<String, String> {
    let processes = running::processes(&running::directory()?);
    let found = processes.iter().find(|(known, _)| *known == id).map(|(_, address)| address.clone());
    found.ok_or_else(|| format!("process {id} does not answer; {}", those(&processes)))
}

/// Where the one process answers that does.
fn only_one() -> Result<String, String> {
    let processes = running::processes(&running::directory().map_err(|why| format!("{why}; {ACCEPTED}"))?);
    match &processes[..] {
        [(_, address)] => Ok(address.clone()),
        [] => Err(those(&processes)),
        _ => Err(format!("which one is meant? {}", those(&processes))),
    }
}

fn those(processes: &[(u32, String)]) -> String {
    if processes.is_empty() {
        return format!("no program answers here; {START}");
    }
    let those: Vec<String> = processes.iter().map(|(id, address)| format!("{id} ({address})")).collect();
    format!("these do: {}", those.join(", "))
}
