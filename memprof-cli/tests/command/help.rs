use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::{PROFILE, folder, memprof_in, printed};
#[cfg(unix)]
use crate::terminal::Terminal;

/// Those whose examples end by themselves.
const VERBS: &[&str] = &["run", "report", "convert", "diff", "check", "init", "merge", "completions", "man"];

/// Those that somebody has to end.
const LASTING: &[&str] = &["top", "serve"];

fn all_verbs() -> impl Iterator<Item = &'static &'static str> {
    VERBS.iter().chain(LASTING)
}

/// What a reader of help and docs has: a few profiles, what `init` and `--accept` write, and programs.
fn prepared(name: &str, verb: &str) -> PathBuf {
    let folder = folder(name);
    for name in ["profile.json", "before.json", "base.json", "new.json", "other.json"] {
        fs::copy(PROFILE, folder.join(name)).expect("the profile");
    }
    for number in ["0", "1"] {
        fs::copy(PROFILE, folder.join(format!("rank-{number}.json"))).expect("the profile");
    }
    for number in ["1", "2", "3"] {
        fs::copy(PROFILE, folder.join(format!("run{number}.json"))).expect("the profile");
    }
    fs::write(folder.join("files.txt"), "rank-0.json\nrank-1.json\n").expect("a file");
    fs::create_dir(folder.join("ci")).expect("a folder");
    if verb != "init" {
        let toml = "[[budget]]\ntotal = \"1 GB\"\n\n[baseline]\nfile = \"memprof-baseline.json\"\n";
        fs::write(folder.join("memprof.toml"), toml).expect("a file");
        let accepted = memprof_in(&folder, &["check", "profile.json", "--accept"]);
        assert_eq!(accepted.code, Some(0), "{}", accepted.err);
    }
    let merged = memprof_in(&folder, &["merge", "rank-0.json", "rank-1.json", "-o", "fleet.json"]);
    assert_eq!(merged.code, Some(0), "{}", merged.err);
    fs::create_dir(folder.join("bin")).expect("a folder");
    fs::create_dir_all(folder.join("target/release")).expect("a folder");
    for program in ["server", "solver", "bin/cargo", "bin/xdg-open", "target/release/01_dataframe"] {
        let path = folder.join(program);
        fs::write(&path, "#!/bin/sh\n").expect("a file");
        assert!(Command::new("chmod").arg("+x").arg(path).status().expect("chmod starts").success());
    }
    folder
}

/// The calls in lines of a shell: up to what they are for, which two spaces or `#` stand before. The profile has one space, the
/// host.
fn calls(lines: &str) -> Vec<String> {
    let calls = lines.lines().filter_map(|line| line.trim().strip_prefix("memprof "));
    let call = |line: &str| line.split("  ").next().and_then(|call| call.split(" #").next()).map(str::to_owned);
    calls.filter_map(call).map(|call| call.replace("cuda:0", "host").replace('\'', "")).collect()
}

fn assert_runs(folder: &Path, call: &str) {
    let path = format!("{}:{}", folder.join("bin").display(), env::var("PATH").expect("a path"));
    #[cfg(unix)]
    if call.contains("--live") {
        let started = Terminal::start(|command| command.args(call.split(' ')).current_dir(folder).env("PATH", path));
        let (status, screen) = started.end();
        assert_eq!(status.code(), Some(0), "{call}: {screen}");
        return;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_memprof"));
    let output = command.args(call.split(' ')).current_dir(folder).env("PATH", path).output();
    let Output { status, stderr, .. } = output.expect("the command starts");
    assert_eq!(status.code(), Some(0), "{call}: {}", String::from_utf8_lossy(&stderr));
}

/// The examples of each help run as they stand.
#[test]
fn each_example_of_the_help_runs() {
    for verb in VERBS {
        let help = printed(&[verb, "--help"]);
        let (_, examples) = help.split_once("\nExamples:\n").expect("a help teaches by example");
        let calls = calls(examples);
        assert!(calls.len() >= 2, "{help}");
        for (number, call) in calls.iter().enumerate() {
            assert_runs(&prepared(&format!("help_{verb}_{number}"), verb), call);
        }
    }
}

/// Of those that last, the examples that need nobody else.
#[cfg(unix)]
#[test]
fn examples_that_last_show_something_until_they_are_ended() {
    let help = printed(&["top", "--help"]);
    let call = calls(&help).into_iter().find(|call| call.ends_with("profile.json")).expect("an example");
    let folder = prepared("help_top", "top");
    let terminal = Terminal::start(|command| command.args(call.split(' ')).current_dir(&folder));
    terminal.wait_for_text("(outside any scope)");
    terminal.press("q");
    assert_eq!(terminal.end().0.code(), Some(0));
}

#[test]
fn the_short_help_fits_a_screen_and_names_every_verb() {
    let all = printed(&["-h"]);
    for verb in all_verbs() {
        let help = printed(&[verb, "-h"]);
        assert!(help.lines().count() <= 24 && !help.contains("Examples"), "{help}");
        assert!(all.contains(&format!("\n  {verb} ")), "{all}");
    }
    assert!(all.lines().count() <= 24, "{all}");
}

/// Makes the profiles that a page had before this call.
fn with_profiles_of(folder: &Path, call: &str) {
    let words: Vec<&str> = call.split(' ').collect();
    for pair in words.windows(2).filter(|pair| pair[0] != "-o") {
        let path = folder.join(pair[1]);
        if path.extension().is_some_and(|ending| ending == "json") && !path.exists() {
            fs::copy(PROFILE, path).expect("the profile");
        }
    }
}

/// README.md and the pages of docs/, with their names.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let docs = fs::read_dir(root.join("docs")).expect("the docs").map(|entry| entry.expect("an entry").path());
    let pages = docs.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let read = |path: PathBuf| (path.display().to_string(), fs::read_to_string(&path).expect("a page"));
    pages.chain([root.join("README.md")]).map(read).collect()
}

/// The calls of the command in a page, in lines of a shell and within its sentences, with whether they are the former.
fn calls_of_page(page: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut language = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), language) {
            (Some(_), Some(_)) => language = None,
            (Some(name), None) => language = Some(name),
            (None, Some("sh")) => found.extend(calls(line).into_iter().map(|call| (call, true))),
            (None, Some(_)) => {}
            (None, None) => {
                let spans = line.split('`').skip(1).step_by(2);
                found.extend(spans.flat_map(calls).map(|call| (call, false)));
            }
        }
    }
    found
}

/// What README.md and docs/ say of the command is in its help, and what they show in lines of a shell runs.
#[test]
fn what_readme_and_docs_say_of_the_command_is_so() {
    let (all, mut run) = (printed(&["-h"]), 0);
    for (page, text) in pages() {
        for (number, (call, is_shown)) in calls_of_page(&text).into_iter().enumerate() {
            let mut words = call.split(' ');
            let verb = words.next().unwrap_or_default();
            // `memprof = ".."` is of Cargo.toml, `memprof is off` of a report; in `memprof VERB --help` any verb is meant.
            if ["=", "is", "VERB", "help"].contains(&verb) {
                continue;
            }
            assert!(all.contains(&format!("\n  {verb} ")), "{page}: memprof {call}\n{all}");
            let help = printed(&[verb, "--help"]);
            for option in words.take_while(|word| *word != "--").filter(|word| word.starts_with("--")) {
                assert!(help.contains(option), "{page}: memprof {call}: no {option}\n{help}");
            }
            if is_shown && VERBS.contains(&verb) {
                let name = Path::new(&page).file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let folder = prepared(&format!("page_{name}_{number}"), verb);
                with_profiles_of(&folder, &call);
                assert_runs(&folder, &call);
                run += 1;
            }
        }
    }
    assert!(run >= 7, "{run} calls");
}

#[test]
fn completions_and_manual_are_there_for_every_verb() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = printed(&["completions", shell]);
        for verb in all_verbs() {
            assert!(text.contains(verb), "{shell}: {verb}");
        }
    }
    let folder = folder("man");
    assert_eq!(memprof_in(&folder, &["man", "man1"]).code, Some(0));
    for verb in all_verbs() {
        let page = fs::read_to_string(folder.join(format!("man1/memprof-{verb}.1"))).expect("a page");
        assert!(page.contains(".SH OPTIONS"), "{verb}");
    }
    for verb in ["run", "build", "test", "bench", "report", "plan"] {
        let page = fs::read_to_string(folder.join(format!("man1/cargo-memprof-{verb}.1"))).expect("a page");
        assert!(page.contains(".SH OPTIONS") && (page.contains("policy") || page.contains("output")), "{verb}");
    }
    for (call, own) in
        [(&["completions", "bash"][..], "memprof"), (&["completions", "bash", "--cargo-memprof"], "cargo-memprof")]
    {
        let bash = printed(call);
        assert!(bash.contains(&format!(" {own}\n")), "{own} is what is completed");
        fs::write(folder.join("memprof.bash"), bash).expect("a file");
        let checked = Command::new("bash").args(["-n", "memprof.bash"]).current_dir(&folder).status();
        assert!(checked.expect("bash starts").success());
    }
    fs::write(folder.join("file"), "").expect("a file");
    let wrong = memprof_in(&folder, &["man", "file"]);
    assert_eq!(
        (wrong.code, &*wrong.err),
        (Some(2), "memprof: cannot write the manual into ‘file’: File exists (os error 17)\n")
    );
}
