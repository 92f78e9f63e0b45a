use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{PROFILE, folder, memprof_in, printed};

/// What a reader of the help has: a few profiles, and what `init` and `--accept` write.
fn prepared(verb: &str, number: usize) -> PathBuf {
    let folder = folder(&format!("help_{verb}_{number}"));
    for name in ["profile.json", "base.json", "new.json", "rank-0.json", "rank-1.json"] {
        fs::copy(PROFILE, folder.join(name)).expect("the profile");
    }
    fs::write(folder.join("files.txt"), "rank-0.json\nrank-1.json\n").expect("a file");
    fs::create_dir(folder.join("ci")).expect("a folder");
    if verb != "init" {
        let toml = "[[budget]]\ntotal = \"1 GB\"\n\n[baseline]\nfile = \"memprof-baseline.json\"\n";
        fs::write(folder.join("memprof.toml"), toml).expect("a file");
        let accepted = memprof_in(&folder, &["check", "profile.json", "--accept"]);
        assert_eq!(accepted.code, Some(0), "{}", accepted.err);
    }
    folder
}

/// The calls of the examples at the end of a help.
fn examples(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    let calls = lines.filter_map(|line| line.trim().strip_prefix("memprof "));
    // Two spaces and more stand before what it is for. The profile has one space, the host.
    calls.map(|line| line.split("  ").next().expect("a call").replace("cuda:0", "host")).collect()
}

fn assert_runs(folder: &Path, call: &str) {
    let ended = memprof_in(folder, &call.split(' ').collect::<Vec<_>>());
    assert_eq!(ended.code, Some(0), "{call}: {}", ended.err);
}

/// The examples of each help run as they stand.
#[test]
fn each_example_of_the_help_runs() {
    for verb in ["report", "convert", "diff", "check", "init", "merge"] {
        let help = printed(&[verb, "--help"]);
        let calls = examples(&help);
        assert!(calls.len() >= 3, "{help}");
        for (number, call) in calls.iter().enumerate() {
            assert_runs(&prepared(verb, number), call);
        }
    }
}
