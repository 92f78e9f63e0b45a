use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Project, ended, has_row, same};

fn one(name: &str) -> Project {
    let manifest = "[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    let main = "mod load;\nfn main() {\n    let kept = load::load(1000);\n    let n = count(&kept);\n    println!(\"{} {n} {}\", kept.len(), file!());\n    std::process::exit(3);\n}\n\nfn count(v: &[u8]) -> usize { v.iter().filter(|x| **x > 3).count() }\n";
    let load = "pub fn load(n: usize) -> Vec<u8> {\n    let text = spell(n);\n    text.into_bytes()\n}\n\nfn spell(n: usize) -> String {\n    \"x\".repeat(n)\n}\n";
    // Which is built where somebody asks for it.
    let example = "fn main() { drop(fill()) }\nfn fill() -> String { \"x\".repeat(9) }\n";
    let files =
        [("Cargo.toml", manifest), ("src/main.rs", main), ("src/load.rs", load), ("examples/other.rs", example)];
    Project::new(name, &files)
}

/// The report has the functions on their own lines, with their bytes; output and status are the program's.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_program_is_measured_as_it_stands() {
    let one = one("simple");
    let before = one.contents();
    let plain = one.cargo("", &["run", "--quiet"]);
    let tracked = one.memprof("", &["run", "--quiet"]);
    same(&plain, &tracked);
    assert_eq!((plain.code, &*plain.out), (Some(3), "1000 1000 src/main.rs\n"));
    let report = &tracked.err;
    let row = "  1,000      1,000 1,000      1 src/load.rs:6(load › spell (2 scopes))";
    assert!(report.contains(&format!("\n{row}\n")), "{report}");
    assert!(has_row(report, "1 src/main.rs:2(main)") && !report.contains("(count)"), "{report}");
    assert!(report.ends_with("\nmemprof: 3 functions of 1 package tracked; left out: 1 cannot allocate\n"), "{report}");
    assert_eq!(one.contents(), before);
    let whole = one.memprof("", &["report", "--chains", "whole"]);
    for row in ["1 src/load.rs:6(spell)", "1 src/load.rs:1(load)"] {
        assert!(has_row(&whole.out, row), "{}{}", whole.out, whole.err);
    }
    // To one who has read enough.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let unread = one.command("", &["report"]).stdout(writer).output().expect("it starts");
    assert_eq!((unread.status.code(), String::from_utf8_lossy(&unread.stderr)), (Some(0), "".into()));
    // The same again, from what was kept.
    let again = one.memprof("", &["report", "--order", "live", "--columns", "live,name", "--rows", "1"]);
    assert!(again.out.contains("\n1,000 src/load.rs:6(load › spell (2 scopes))\n"), "{}{}", again.out, again.err);
    let plan = one.memprof("", &["plan"]);
    assert_eq!(plan.out, "one 0.1.0: 5 functions tracked, 1 left out\n      1 cannot allocate\n");
    // Another order keeps the columns, and has its own in front.
    let by_live = one.memprof("", &["report", "--order", "live"]);
    assert!(has_row(&by_live.out, "live ncalls filename:lineno(function)"), "{}", by_live.out);
    let by_peak = one.memprof("", &["report", "--order", "memory_peak"]);
    assert!(by_peak.out.contains("\nmemory_peak at_peak self_total "), "{}", by_peak.out);
    let plan = one.memprof("", &["plan", "--functions", "--policy", "all", "--skip", "spell"]);
    assert_eq!(
        plan.out,
        "one 0.1.0: 5 functions tracked, 1 left out\n  examples/other.rs:1(main): tracked\n  examples/other.rs:2(fill): tracked\n  src/load.rs:1(load): tracked\n  src/load.rs:6(spell): left out: not asked for (--only, --skip)\n  src/main.rs:2(main): tracked\n  src/main.rs:9(count): tracked\n"
    );
}

/// Here the program puts a file where the folder of its build was.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_run_of_which_nothing_can_be_kept_is_shown_all_the_same() {
    let main = "fn main() {\n    let text = \"x\".repeat(1000);\n    std::fs::rename(\"target/memprof\", \"target/aside\").unwrap();\n    std::fs::write(\"target/memprof\", text).unwrap();\n    std::process::exit(3);\n}\n";
    let manifest = "[package]\nname = \"lost\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    let lost = Project::new("lost", &[("Cargo.toml", manifest), ("src/main.rs", main)]);
    let run = lost.memprof("", &["run", "--quiet"]);
    assert_eq!(run.code, Some(3), "{}", run.err);
    assert!(run.err.starts_with("memprof: cannot keep what was built: "), "{}", run.err);
    assert!(has_row(&run.err, "1 src/main.rs:1(main)"), "{}", run.err);
    assert!(run.err.contains("\nmemprof: cannot keep the run’s profile: "), "{}", run.err);
}

/// Whatever is planted where the mirror is to be.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn nothing_is_written_to_the_sources_through_links_in_the_mirror() {
    let one = one("planted");
    let before = one.contents();
    let mirror = one.root.join("target/memprof/mirror");
    let here = one.root.strip_prefix("/").expect("absolute");
    // The whole place, the folder of the package, its sources, one file by a link and by its other name.
    let plants: [&dyn Fn(); 5] = [
        &|| symlink("/", &mirror).expect("a link"),
        &|| {
            let place = mirror.join(here);
            fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
            symlink(&one.root, place).expect("a link");
        },
        &|| {
            fs::create_dir_all(mirror.join(here)).expect("a folder");
            symlink(one.root.join("src"), mirror.join(here).join("src")).expect("a link");
        },
        &|| {
            fs::create_dir_all(mirror.join(here).join("src")).expect("a folder");
            symlink(one.root.join("src/main.rs"), mirror.join(here).join("src/main.rs")).expect("a link");
        },
        &|| {
            fs::create_dir_all(mirror.join(here).join("src")).expect("a folder");
            fs::hard_link(one.root.join("src/load.rs"), mirror.join(here).join("src/load.rs")).expect("a link");
        },
    ];
    for plant in plants {
        fs::remove_dir_all(one.root.join("target")).ok();
        fs::create_dir_all(one.root.join("target/memprof")).expect("a folder");
        plant();
        let run = one.memprof("", &["run", "--quiet"]);
        assert!(run.code == Some(3) && run.err.contains("spell"), "{}", run.err);
        assert_eq!(one.contents(), before);
    }
}

/// Wherever a build and a run leave something behind: a link to a source in its place, and the source by another name.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn nothing_is_written_to_the_sources_wherever_links_lead_to_them() {
    let one = one("planted_everywhere");
    let (target, source) = (one.root.join("target"), one.root.join("src/main.rs"));
    assert_eq!(one.memprof("", &["run", "--quiet"]).code, Some(3));
    let mut left = Vec::new();
    left_behind(&target.join("memprof"), &mut left);
    for name in ["mirror", "main.rs", "plans", "plan.json", "state", "built.json", "last", "CACHEDIR.TAG"] {
        assert!(left.iter().any(|(path, _)| path.ends_with(name)), "nothing is called {name}: {left:?}");
    }
    // There is nothing to leave out here.
    left.push((target.join("memprof/calibration.json"), false));
    let before = one.contents();
    for (path, is_folder) in left {
        let plants: &[&dyn Fn() -> std::io::Result<()>] = if is_folder {
            &[&|| symlink(one.root.join("src"), &path)]
        } else {
            &[&|| symlink(&source, &path), &|| fs::hard_link(&source, &path)]
        };
        for plant in plants {
            fs::remove_dir_all(&target).expect("a folder");
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            plant().expect("a link");
            let run = one.memprof("", &["run", "--quiet"]);
            assert_eq!(one.contents(), before, "{}: {}", path.display(), run.err);
        }
    }
}

/// What stands in a folder and is no work of cargo's, with whether it is a folder.
fn left_behind(folder: &Path, found: &mut Vec<(PathBuf, bool)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let is_folder = fs::symlink_metadata(&path).expect("it is there").is_dir();
        if path.ends_with("debug") || path.join("debug").exists() || path.ends_with(".rustc_info.json") {
            continue;
        }
        if is_folder {
            left_behind(&path, found);
        }
        found.push((path, is_folder));
    }
}

#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_wrong_call_is_one_line() {
    let one = one("wrong");
    let is = [
        (
            &["run", "--deps", "serde"][..],
            125,
            "--deps serde: the program has no such dependency; accepted: none, there are no dependencies",
        ),
        (
            &["run", "--policy", "some"],
            125,
            "invalid value 'some' for '--policy <POLICY>' [possible values: all, lean]; see cargo memprof --help",
        ),
        (&["report"], 2, "no run is kept in "),
        (&["report", "p.json"], 2, "cannot read ‘p.json’: No such file or directory"),
        (&["report", "--row", "3"], 2, "unexpected argument '--row' found"),
        (
            &["run", "--cuda"],
            125,
            "--cuda needs a program that depends on memprof, with its feature `cuda`: this one does not",
        ),
        (&["run", "-o", "x.doc"], 125, "cannot write ‘x.doc’: its ending names no format; accepted: "),
        (&["run", "-o", "no/such/x.html"], 125, "cannot write ‘no/such/x.html’: there is no folder ‘no/such’"),
        (&["run", "-o", "src"], 125, "cannot write ‘src’: its ending names no format; accepted: "),
        (&["run", "-o", "/proc/x.json"], 125, "cannot write ‘/proc/x.json’: No such file or directory (os error 2)"),
        (&["report", "-o", "no/such/x.html"], 2, "cannot write ‘no/such/x.html’: there is no folder ‘no/such’"),
        (
            &["run", "--target-dir", "Cargo.toml/x"],
            125,
            "cannot write memprof’s build into ‘Cargo.toml/x’: Not a directory (os error 20)",
        ),
        (
            &["run", "--only", "load", "--only", "Nope::*"],
            125,
            "--only ‘Nope::*’: no function of one has such a name; `cargo memprof plan --functions` shows them",
        ),
        (&["plan", "--skip", "loda"], 2, "--skip ‘loda’: no function of one has such a name; "),
        (
            &["build", "--config", "build.target=['one', 'two']"],
            2,
            "build.target of cargo’s configuration names several targets, one, two: programs are measured for one at a time; accepted: one --target, as --target one",
        ),
        (&["build", "--target", "one", "--target=two"], 2, "--target names several targets, one, two: "),
        // The list is no other setting than the name alone.
        (
            &["build", "--config", "build.target=['one']"],
            2,
            "failed to run `rustc` to learn about target-specific information",
        ),
        (&["fly"], 2, "unrecognized subcommand 'fly'; see cargo memprof --help"),
    ];
    for (arguments, code, expected) in is {
        let ended = one.memprof("", arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?} {}", ended.err);
        assert!(ended.err.starts_with(&format!("memprof: {expected}")), "{arguments:?} {}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    }
}

/// What a run shows to be called often for nothing is left out of the next build, and kept where that is asked for.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn what_is_called_often_for_nothing_is_left_out_of_the_next_build() {
    let manifest = "[package]\nname = \"often\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    let main = "fn main() {\n    let twice = |n: u32| n * 2;\n    let sum: u32 = (0..1000).map(|n| often(n, &twice)).sum();\n    println!(\"{sum}\");\n}\n\nfn often(n: u32, by: &dyn Fn(u32) -> u32) -> u32 {\n    by(n)\n}\n";
    let often = Project::new("often", &[("Cargo.toml", manifest), ("src/main.rs", main)]);
    let first = often.memprof("", &["run", "--quiet", "--chains", "whole"]);
    assert_eq!(first.out, "999000\n", "{}", first.err);
    assert!(has_row(&first.err, "1,000 src/main.rs:7(often)"), "{}", first.err);
    let learned = "memprof: 1 function with many calls for few bytes will be left out from the next build on; --no-calibrate keeps them\n";
    assert!(first.err.ends_with(learned), "{}", first.err);
    let second = often.memprof("", &["run", "--quiet", "--chains", "whole"]);
    assert!(!second.err.contains("(often)"), "{}", second.err);
    let left_out = "\nmemprof: 1 function of 1 package tracked; left out: 1 many calls for few bytes (calibration)\n";
    assert!(second.err.ends_with(left_out), "{}", second.err);
    assert_eq!(often.memprof("", &["report", "-o", "second.json"]).code, Some(0));
    let plan = |more: &[&str]| often.memprof("", &[&["plan", "--functions"], more].concat()).out;
    let calibrated = "often 0.1.0: 1 function tracked, 1 left out\n  src/main.rs:1(main): tracked\n  src/main.rs:7(often): left out: many calls for few bytes (calibration)\n";
    assert_eq!(plan(&[]), calibrated);
    let all = "often 0.1.0: 2 functions tracked, 0 left out\n  src/main.rs:1(main): tracked\n  src/main.rs:7(often): tracked\n";
    assert_eq!(plan(&["--no-calibrate"]), all);
    let kept = often.memprof("", &["run", "--quiet", "--chains", "whole", "--no-calibrate"]);
    assert!(has_row(&kept.err, "1,000 src/main.rs:7(often)") && !kept.err.contains(learned), "{}", kept.err);
    // Two runs that did not track the same say so.
    assert_eq!(often.memprof("", &["report", "-o", "kept.json"]).code, Some(0));
    let mut diff = Command::new(env!("CARGO_BIN_EXE_memprof"));
    let diff = ended(diff.args(["diff", "second.json", "kept.json"]).current_dir(&often.root));
    let differ = "\nthe plans differ, so rows may: other functions of often were tracked: 1 function left out by calibration only before\n";
    assert!(diff.out.contains(differ), "{}{}", diff.out, diff.err);
    // It is all in that file.
    fs::remove_file(often.root.join("target/memprof/calibration.json")).expect("it was there");
    assert_eq!(plan(&[]), all);
}
