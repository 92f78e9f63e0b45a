//! Runs one process and reads what it measured.
//!
//! Each run is a process of its own, of a program that was built once, so none meets what another left. It is killed
//! after a time, and one that fails or has nothing for a workload is a [`Missing`] and ends no table. The scratch
//! folder goes with [`Programs`]. In which order processes run is left to `main`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::{env, fs, io};

use crate::peers::Peer;

/// Status of an adapter whose tool has nothing for the workload.
const NOTHING_FOR_IT: i32 = 3;

/// What a process printed.
#[derive(Clone, Copy)]
pub struct Run {
    /// Of one operation.
    pub nanoseconds: f64,
    /// The process's peak resident set.
    pub kibibytes: f64,
}

/// Why there is no number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The tool has nothing for it.
    Nothing,
    /// It ended otherwise than it should.
    Failed,
}

/// The adapters' programs, by package and upstream.
pub struct Programs {
    built: BTreeMap<(&'static str, &'static str), PathBuf>,
    scratch: PathBuf,
    /// No process runs longer, unless it hangs.
    limit_seconds: u32,
}

impl Programs {
    pub fn new(limit_seconds: u32) -> io::Result<Self> {
        let scratch = env::temp_dir().join(format!("memprof-peers-{}", std::process::id()));
        fs::create_dir_all(&scratch)?;
        Ok(Self { built: BTreeMap::new(), scratch, limit_seconds })
    }

    /// Builds an adapter over an upstream ("" for the system's), once, and keeps a copy: the next upstream's program has its name.
    pub fn build(&mut self, adapter: &'static str, upstream: &'static str) -> io::Result<()> {
        if self.built.contains_key(&(adapter, upstream)) {
            return Ok(());
        }
        let package = format!("peer-{adapter}");
        let mut build = cargo();
        build.args(["build", "--locked", "-p", &package]);
        build.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
        if !upstream.is_empty() {
            build.args(["--features", &format!("workloads/{upstream}")]);
        }
        self.keep(&package, build, (adapter, upstream))
    }

    /// Builds a program of benchmarks of a package in the workspace in `folder`, and keeps a copy.
    pub fn build_bench(
        &mut self,
        folder: &Path,
        package: &str,
        bench: &str,
        key: (&'static str, &'static str),
    ) -> io::Result<()> {
        let mut build = cargo();
        build.args(["build", "-p", package, "--bench", bench, "--manifest-path"]).arg(folder.join("Cargo.toml"));
        self.keep(package, build, key)
    }

    fn keep(&mut self, package: &str, mut build: Command, key: (&'static str, &'static str)) -> io::Result<()> {
        let upstream = key.1;
        eprintln!("building {package} {upstream}");
        build.args(["--quiet", "--release", "--message-format=json"]);
        let output = build.stderr(Stdio::inherit()).output()?;
        let messages = String::from_utf8_lossy(&output.stdout);
        let program =
            messages.lines().filter_map(|line| line.split_once(r#""executable":""#)?.1.split('"').next()).next_back();
        let program = program.filter(|_| output.status.success());
        let program = program.ok_or_else(|| io::Error::other(format!("{package} could not be built")))?;
        let copy = self.scratch.join(format!("{package}-{upstream}"));
        fs::copy(program, &copy)?;
        self.built.insert(key, copy);
        Ok(())
    }

    /// Runs `words` with a peer over an upstream.
    pub fn run(&self, peer: &Peer, upstream: &'static str, words: &[String]) -> Result<Run, Missing> {
        let wrapper: Vec<String> = peer.wrapper.iter().map(|word| self.filled(word)).collect();
        let output = self.output(peer, upstream, &wrapper, words)?;
        parse(&output.0).ok_or(Missing::Failed)
    }

    /// The slices of a workload that is measured in several.
    pub fn slices(&self, peer: &Peer, words: &[String]) -> Result<Vec<Run>, Missing> {
        let (output, _) = self.output(peer, "", &[], words)?;
        Ok(output.lines().filter_map(|line| parse(line.strip_prefix("slice ")?)).collect())
    }

    /// Instructions of one operation: of the greater number less those of the smaller, over the difference.
    pub fn instructions(
        &self,
        peer: &Peer,
        upstream: &'static str,
        words: impl Fn(u32) -> Vec<String>,
        (less, more): (u32, u32),
    ) -> Result<f64, Missing> {
        let count = |turns| {
            let callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"].map(str::to_owned);
            let (_, log) = self.output(peer, upstream, &callgrind, &words(turns))?;
            let collected = log.lines().filter_map(|line| line.split_once("Collected :")).next_back();
            collected.and_then(|(_, count)| count.trim().parse::<f64>().ok()).ok_or(Missing::Failed)
        };
        Ok((count(more)? - count(less)?) / f64::from(more - less))
    }

    fn output(
        &self,
        peer: &Peer,
        upstream: &'static str,
        wrapper: &[String],
        words: &[String],
    ) -> Result<(String, String), Missing> {
        let program = self.built[&(peer.adapter, upstream)].to_string_lossy().into_owned();
        let mut all = wrapper.iter().chain([&program]).chain(words);
        let mut command = Command::new("timeout");
        command.arg(self.limit_seconds.to_string()).args(&mut all);
        command.current_dir(&self.scratch).envs(peer.environment.iter().copied());
        let output = command.stdin(Stdio::null()).output().map_err(|_| Missing::Failed)?;
        checked(output.status)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((text(&output.stdout), text(&output.stderr)))
    }

    fn filled(&self, word: &str) -> String {
        word.replace("{scratch}", &self.scratch.to_string_lossy())
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.scratch));
    }
}

fn checked(status: ExitStatus) -> Result<(), Missing> {
    match status.code() {
        Some(0) => Ok(()),
        Some(NOTHING_FOR_IT) => Err(Missing::Nothing),
        _ => Err(Missing::Failed),
    }
}

/// The line of three numbers; some tools print others around it.
fn parse(output: &str) -> Option<Run> {
    output.lines().find_map(|line| {
        let mut numbers = line.split(' ').map(|word| word.parse::<f64>().ok());
        let [operations, nanoseconds, kibibytes] = [numbers.next()??, numbers.next()??, numbers.next()??];
        numbers.next().is_none().then_some(Run { nanoseconds: nanoseconds / operations, kibibytes })
    })
}

/// Cargo, as it runs this.
pub fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The lock file of this workspace.
pub fn lock_file() -> io::Result<String> {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"))
}
