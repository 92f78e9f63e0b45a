//! What `cargo memprof` can be asked. Options that are not its own are cargo's, and are handed on as they stand, wherever they stand before
//! the program's arguments: those begin behind `--`, or, as cargo has it, with the first word that is no option nor a value of one.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Command, CommandFactory as _, Parser, Subcommand};

use super::{
    options::{self, Given},
    plan::{Level, Policy},
    split::Split,
};
use crate::{choices::Choices, glob::Glob, run::interval};

/// Measures any cargo program, without a change to it: which function holds the memory, how much, and since when
#[derive(Debug, Parser)]
#[command(name = "cargo memprof", bin_name = "cargo memprof", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Builds and runs the program, and shows its report when it ends
    #[command(after_long_help = RUN_EXAMPLES)]
    Run(Running),
    /// Builds the program with memprof in it
    #[command(after_long_help = BUILD_EXAMPLES)]
    Build(Building),
    /// Runs the tests, each test program with a report of its own
    #[command(after_long_help = TEST_EXAMPLES)]
    Test(Running),
    /// Runs the benchmarks
    #[command(after_long_help = BENCH_EXAMPLES)]
    Bench(Running),
    /// Shows the report of the last run again
    #[command(after_long_help = REPORT_EXAMPLES)]
    Report(Reporting),
    /// Says which functions are tracked, and why others are not
    #[command(after_long_help = PLAN_EXAMPLES)]
    Plan(Planning),
}

const RUN_EXAMPLES: &str = "Examples:
  cargo memprof run --release -- input.txt                      the report on stderr when it ends
  cargo memprof run --release --deps hyper,serde_json --bin api  two dependencies tracked, too
  cargo memprof run --release -o report.html --open              as a page, opened
  cargo memprof run --only 'Parser::*' --tree                    these functions alone, by who called whom

Options that are not listed here are cargo's: --release, -p, --bin, --example, --features, ..
It ends as the program did, or as cargo did where that could not build it.";
const BUILD_EXAMPLES: &str = "Examples:
  cargo memprof build --release             into target/memprof; run it with MEMPROF=1
  cargo memprof build --deps all --policy all  everything that can be tracked is";
const TEST_EXAMPLES: &str = "Examples:
  cargo memprof test                          all tests; the report of the test program with the greatest peak
  cargo memprof test -o profile.json --lib    the library's unit tests, as a profile to go on with";
const BENCH_EXAMPLES: &str = "Examples:
  cargo memprof bench                        all benchmarks
  cargo memprof bench --bench parse -o p.json  one of them, as a profile to go on with";
const REPORT_EXAMPLES: &str = "Examples:
  cargo memprof report --order live --rows 10  what is left, the ten greatest
  cargo memprof report --tree                  by who called whom
  cargo memprof report profile.json            what a program wrote that `cargo memprof build` built";
const PLAN_EXAMPLES: &str = "Examples:
  cargo memprof plan               how many functions of each package are tracked, and why others are not
  cargo memprof plan --functions   each of them
  cargo memprof plan --deps hyper  with a dependency";

/// What is tracked.
#[derive(Debug, Args)]
pub(crate) struct Tracking {
    /// Track these dependencies too, with commas between them; all: every one
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) deps: Vec<String>,
    /// Track only functions whose name matches: `Type::method`, `package::*`, in which * stands for anything
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    only: Vec<String>,
    /// Leave out functions whose name matches
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    skip: Vec<String>,
    /// How much: lean leaves out what cannot allocate and what is inlined everywhere
    #[arg(long, value_name = "POLICY", value_enum, default_value_t)]
    policy: Level,
    /// Do not leave out what earlier runs showed to be called often for few bytes
    #[arg(long)]
    pub(crate) no_calibrate: bool,
}

impl Tracking {
    /// What that is for a package, before what earlier runs showed.
    pub(crate) fn policy(&self) -> Policy {
        Policy { level: self.policy, only: self.only.clone(), skip: self.skip.clone(), ..Policy::default() }
    }

    /// The patterns of functions, with the option of each.
    pub(crate) fn globs(&self) -> impl Iterator<Item = (&'static str, &String)> {
        self.only.iter().map(|glob| ("--only", glob)).chain(self.skip.iter().map(|glob| ("--skip", glob)))
    }
}

fn glob(text: &str) -> Result<String, String> {
    Glob::scope("scope", text.to_owned()).map(|_| text.to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Building {
    #[command(flatten)]
    pub(crate) tracking: Tracking,
    #[command(flatten)]
    pub(crate) cargo: Cargo,
}

#[derive(Debug, Args)]
pub(crate) struct Running {
    #[command(flatten)]
    pub(crate) tracking: Tracking,
    /// A file for the report instead of stderr; its ending picks the format
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Open the file with the program that is set up for it
    #[arg(long, requires = "output")]
    pub(crate) open: bool,
    #[command(flatten)]
    pub(crate) choices: Choices,
    /// Also write the profile every so often (500ms, 10s, 2m), so that a killed program leaves one
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub(crate) interval: Option<String>,
    /// Also measure what the CUDA driver allocates for anybody, where the program depends on memprof with its feature `cuda`
    #[arg(long)]
    pub(crate) cuda: bool,
    /// Show what it holds while it runs, as memprof top does; needs a terminal, and the program's stdin is empty
    #[arg(long)]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) cargo: Cargo,
}

#[derive(Debug, Args)]
pub(crate) struct Reporting {
    /// A profile that the program of the last build wrote where it ran (`MEMPROF=1 MEMPROF_OUTPUT=profile.json`), instead of the last run's
    #[arg(value_name = "PROFILE")]
    pub(crate) profile: Option<PathBuf>,
    /// A file for the report instead of stdout; its ending picks the format
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) choices: Choices,
    #[command(flatten)]
    pub(crate) cargo: Cargo,
}

#[derive(Debug, Args)]
pub(crate) struct Planning {
    #[command(flatten)]
    pub(crate) tracking: Tracking,
    /// Each function, with its place
    #[arg(long)]
    pub(crate) functions: bool,
    #[command(flatten)]
    pub(crate) cargo: Cargo,
}

/// What is cargo's, and the program's.
#[derive(Debug, Args)]
pub(crate) struct Cargo {
    /// Options of cargo; behind `--`, arguments of the program
    #[arg(last = true, value_name = "CARGO OPTIONS")]
    pub(crate) options: Vec<String>,
    #[arg(skip)]
    pub(crate) program: Vec<OsString>,
    /// Whether the verb is one that tests are built for, or has no say in it.
    #[arg(skip)]
    is_for_tests: bool,
}

/// cargo's options that ask for what has dev-dependencies.
const OF_TESTS: &[&str] = &["--all-targets", "--bench", "--benches", "--example", "--examples", "--test", "--tests"];

impl Cargo {
    /// Each of cargo's options, and what belongs to none.
    fn given(&self) -> impl Iterator<Item = Given<'_>> {
        options::read(&self.options)
    }

    /// Whether this option of cargo's is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.given().any(|given| given.name == name)
    }

    /// The value of an option of cargo's.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// The values of an option of cargo's that can be given several times.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.given().filter(move |given| given.name == name).filter_map(|given| given.value)
    }

    /// Whether what is built can need dev-dependencies.
    pub(crate) fn builds_tests(&self) -> bool {
        self.is_for_tests || self.given().any(|given| OF_TESTS.contains(&given.name))
    }

    /// The words of cargo's options whose name is such.
    pub(crate) fn words(&self, is_such: impl Fn(&str) -> bool) -> Vec<String> {
        self.given().filter(|given| is_such(given.name)).flat_map(|given| given.words).cloned().collect()
    }
}

impl Verb {
    fn cargo(&mut self) -> &mut Cargo {
        match self {
            Verb::Run(verb) | Verb::Test(verb) | Verb::Bench(verb) => &mut verb.cargo,
            Verb::Build(verb) => &mut verb.cargo,
            Verb::Report(verb) => &mut verb.cargo,
            Verb::Plan(verb) => &mut verb.cargo,
        }
    }
}

/// All of it, for what is made of it.
pub(crate) fn definitions() -> Command {
    Arguments::command()
}

/// Reads a call, without the name it was called by.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Verb, clap::Error> {
    let definitions = definitions();
    let verb = words.first().and_then(|verb| definitions.find_subcommand(verb));
    let Split { mut own, cargo, program } = match verb {
        Some(verb) => Split::of(verb, words),
        None => Split { own: words, ..Split::default() },
    };
    own.insert(0, "cargo memprof".into());
    if !cargo.is_empty() {
        own.push("--".into());
        own.extend(cargo);
    }
    let mut arguments = Arguments::try_parse_from(own)?;
    let is_for_tests = !matches!(arguments.verb, Verb::Run(_) | Verb::Build(_));
    let cargo = arguments.verb.cargo();
    (cargo.program, cargo.is_for_tests) = (program, is_for_tests);
    Ok(arguments.verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Verb {
        parse(line.split(' ').map(OsString::from).collect()).expect("it is accepted")
    }

    #[test]
    fn options_are_told_from_cargos_wherever_they_stand() {
        let verb = parsed("run --release --deps a,b -p app -oreport.html --bin x --features=f --rows 3 -- --deps c");
        let Verb::Run(run) = verb else { panic!("another verb") };
        assert_eq!(run.tracking.deps, ["a", "b"]);
        assert_eq!(run.output, Some("report.html".into()));
        assert_eq!(run.cargo.options, ["--release", "-p", "app", "--bin", "x", "--features=f"]);
        assert_eq!(run.cargo.program, ["--deps", "c"]);
        let Verb::Plan(plan) = parsed("plan --functions --policy all") else { panic!("another verb") };
        assert!(plan.functions && plan.cargo.options.is_empty());
    }

    /// As cargo has it, the program's arguments begin with the first word that belongs to no option.
    #[test]
    fn a_programs_arguments_need_no_dashes_before_them() {
        let verb = parsed("run -r --bin x --rows 3 in.txt --rows 4 -- --bin y");
        let Verb::Run(run) = verb else { panic!("another verb") };
        assert_eq!(run.cargo.options, ["-r", "--bin", "x"]);
        assert_eq!(run.cargo.program, ["in.txt", "--rows", "4", "--", "--bin", "y"]);
        let Verb::Test(test) = parsed("test name -o x.json --lib -- --nocapture") else { panic!("another verb") };
        assert_eq!(
            (test.cargo.options, test.output),
            (vec!["name".to_owned(), "--lib".to_owned()], Some("x.json".into()))
        );
        assert_eq!(test.cargo.program, ["--nocapture"]);
    }

    #[test]
    fn a_report_is_of_a_profile_and_no_option_of_it_is_passed_over() {
        let Verb::Report(report) = parsed("report p.json -p app --release --target=x") else { panic!("another verb") };
        assert_eq!((report.profile, report.cargo.options.len()), (Some("p.json".into()), 4));
        for wrong in ["report --row 3", "plan --function", "plan x", "report a.json b.json", "report -x"] {
            let words = wrong.split(' ').map(OsString::from).collect();
            let error = parse(words).expect_err(wrong).to_string();
            assert!(error.contains("unexpected argument"), "{wrong}: {error}");
        }
    }

    #[test]
    fn what_has_dev_dependencies_is_known_by_the_verb_or_an_option() {
        let builds_tests = |line: &str| parsed(line).cargo().builds_tests();
        for line in [
            "test",
            "bench --bin x",
            "plan",
            "run --example x",
            "build --tests",
            "build --bench=x",
            "build -rp a --test",
        ] {
            assert!(builds_tests(line), "{line}");
        }
        for line in ["run --bin x -- --test x", "build --release", "build -pr --bin=--test"] {
            assert!(!builds_tests(line), "{line}");
        }
    }

    #[test]
    fn an_option_of_cargos_is_found_with_its_value() {
        let Verb::Build(build) = parsed("build --target x --target-dir=y -q") else { panic!("another verb") };
        assert_eq!((build.cargo.value("--target"), build.cargo.value("--target-dir")), (Some("x"), Some("y")));
        assert_eq!(build.cargo.words(|name| name.starts_with("--")), ["--target", "x", "--target-dir=y"]);
        assert!(build.cargo.has("-q") && !build.cargo.has("x"));
        assert_eq!(build.cargo.value("--manifest-path"), None);
        let Verb::Run(run) = parsed("run -p a -pb -p=c --package d -qrpe -q") else { panic!("another verb") };
        assert_eq!(run.cargo.values("-p").collect::<Vec<_>>(), ["a", "b", "c", "e"]);
    }
}
