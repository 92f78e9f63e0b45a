//! `memprof init`: writes a commented `memprof.toml`.
//!
//! It never writes over a file. Of a profile it makes budgets that `check` finds met by that profile: names are
//! escaped, numbers rounded up. The keys and units that its comments explain are those that `check/budgets` reads.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use glob::Pattern;
use memprof_report::{Snapshot, thousands};

use crate::{error::Error, outcome::Outcome, profile::read};

/// Writes a commented memprof.toml, the budgets that memprof check judges by; never over a file.
///
/// Given a profile, it has budgets that this profile meets: one for each space, and one for each of the three functions that
/// need most.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof init                                   a file to fill in
  memprof init profile.json                      budgets that this profile meets
  memprof init profile.json -o ci/memprof.toml   elsewhere")]
pub(crate) struct Arguments {
    /// A saved profile, `.json`
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The file to write
    #[arg(short, long, value_name = "TOML", default_value = "memprof.toml")]
    output: PathBuf,
}

const HEAD: &str = "\
# What this program may need of memory, at most. `memprof check profile.json` judges a saved profile by it and ends with 1
# where more was needed. Equal is fine. Units: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB; a bare number is bytes.
#
# A [[budget]] is about
#   scope = \"DataFrame::*\"   functions, as the report names them: a glob, in which * stands for anything
#   file  = \"src/load/**\"    files, as the report names them: * does not cross a slash, ** does
#   space = \"host\"           where the memory lives: host (default), pinned, managed, cuda:0, or a glob
# and without scope and file about the whole process. Each row that matches is judged by
#   peak   = \"24 MiB\"        the greatest growth in any call, with what it calls (of the process: its high-water mark)
#   total  = \"1 GB\"          all that it ever allocated, with what it calls
#   live   = 0               what it allocated itself and nobody has freed
#   kept   = \"1 KiB\"         what a call leaves behind, on average
#   ncalls = 1000            how often it was called
#   sum    = true            judge the rows together, by total, live and ncalls
";

const BASELINE: &str = "
# Earlier numbers, which a later profile is compared with: `memprof check profile.json --accept` writes the file, which belongs
# under version control. Each key says what may come on top: \"+0 %\", \"+2 %\", \"+64 KiB\".
";

/// Writes the file.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let snapshot = arguments.file.as_deref().map(read).transpose()?;
    let text = snapshot.as_ref().map_or_else(for_nothing, for_profile);
    create(&arguments.output, &text).map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::AlreadyExists => "it is there already, and is not written over".to_owned(),
            _ => error.to_string(),
        };
        Error::File(format!("cannot write ‘{}’: {what}", arguments.output.display()))
    })?;
    Ok(Outcome::Done)
}

fn create(path: &Path, text: &str) -> io::Result<()> {
    File::create_new(path)?.write_all(text.as_bytes())
}

fn for_nothing() -> String {
    format!(
        "{HEAD}
#[[budget]]
#peak = \"100 MiB\"

#[[budget]]
#scope = \"DataFrame::*\"
#peak = \"24 MiB\"
{BASELINE}
#[baseline]
#file = \"memprof-baseline.json\"
#peak = \"+0 %\"
"
    )
}

/// Budgets that this profile meets, each a little above what it needed.
fn for_profile(snapshot: &Snapshot) -> String {
    const MOST_ROWS: usize = 3;
    let mut text = HEAD.to_owned();
    let mut budget = |space: &str, scope: Option<&str>, peak: u64| {
        // A `String` takes whatever is written to it.
        let _ = write!(text, "\n# {} bytes in the profile that this file was made for\n[[budget]]\n", thousands(peak));
        if let Some(scope) = scope {
            let _ = writeln!(text, "scope = {}", quoted(&Pattern::escape(scope)));
        }
        if space != "host" {
            let _ = writeln!(text, "space = {}", quoted(&Pattern::escape(space)));
        }
        let _ = writeln!(text, "peak = \"{}\"", readable(peak));
    };
    for space in snapshot.spaces() {
        budget(space, None, snapshot.totals(space).peak);
        // A scope that matches several rows is judged by the greatest, which stands first.
        let mut scopes: Vec<&str> = Vec::new();
        for record in snapshot.records(space) {
            if scopes.len() < MOST_ROWS && record.memory_peak > 0 && !scopes.contains(&&*record.function) {
                scopes.push(&record.function);
                budget(space, Some(&record.function), record.memory_peak);
            }
        }
    }
    text.push_str(BASELINE);
    text.push_str("\n#[baseline]\n#file = \"memprof-baseline.json\"\n#peak = \"+0 %\"\n");
    text
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The least number in a unit that has two digits of it or more: 1,363,718 is `1332 KiB`.
fn readable(bytes: u64) -> String {
    const UNITS: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.iter().find(|(_, unit)| bytes / unit >= 10);
    unit.map_or_else(|| format!("{bytes} B"), |(name, unit)| format!("{} {name}", bytes.div_ceil(*unit)))
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn a_readable_number_is_never_below() {
        let is = [
            (0, "0 B"),
            (10_239, "10239 B"),
            (10_241, "11 KiB"),
            (1_363_718, "1332 KiB"),
            (50 << 20, "50 MiB"),
            (u64::MAX, "17179869184 GiB"),
        ];
        for (bytes, text) in is {
            assert_eq!(readable(bytes), text);
        }
    }
}
