//! One workspace with what is awkward in it, built once.

use std::{os::unix::fs::symlink, process::Command};

use crate::support::{Project, ended, has_row, same};

/// A package of the workspace.
fn manifest(name: &str, edition: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"{edition}\"\n{rest}")
}

const MAIN: &str = r#"#![forbid(unsafe_code)]
#![deny(warnings)]

include!("included.rs");

mod generated {
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}
#[path = "../../../shared/outside.rs"]
mod outside;
mod linked;
mod folder;

const SOURCE: &str = include_str!("quoted.rs");
const README: &str = include_str!("../../../README.md");

fn main() {
    let mut all = vec![
        included(), generated::generated(), outside::outside(), linked::linked(), folder::inner::inner(),
        old::old(), older::nested::old(), bare::bare().iter().map(|byte| char::from(*byte)).collect(), dashed_name::prelude(), beside::beside(),
    ];
    all.push(made::made!("made"));
    all.push(SOURCE.to_owned());
    all.push(README.to_owned());
    all.push(cfg!(probed).to_string());
    all.push(format!("{} {} {}", file!(), line!(), module_path!()));
    all.push(beside::place());
    for text in &all {
        println!("{text}");
    }
    assert_eq!(all.len(), std::env::args().count(), "the message says where");
}
"#;

const BUILD: &str = r#"
use std::{env, fs, path::Path, process::Command};
fn main() {
    println!("cargo::rustc-check-cfg=cfg(probed)");
    let out = env::var("OUT_DIR").unwrap();
    fs::write(Path::new(&out).join("generated.rs"), "pub fn generated() -> String { \"generated\".to_owned() }").unwrap();
    // As build scripts do that ask the compiler what it can: through the wrapper that cargo names.
    let probe = Path::new(&out).join("probe.rs");
    fs::write(&probe, "pub fn f() {}").unwrap();
    let rustc = env::var_os("RUSTC").unwrap();
    let mut command = match env::var_os("RUSTC_WRAPPER").filter(|wrapper| !wrapper.is_empty()) {
        Some(wrapper) => { let mut command = Command::new(wrapper); command.arg(rustc); command }
        None => Command::new(rustc),
    };
    command.args(["--crate-name", "probe", "--crate-type=lib", "--emit=metadata", "--out-dir"]).arg(&out);
    command.arg("--target").arg(env::var("TARGET").unwrap()).arg(&probe);
    if command.status().unwrap().success() { println!("cargo::rustc-cfg=probed"); }
}
"#;

fn awkward() -> Project {
    let app = manifest(
        "app",
        "2024",
        "[dependencies]\nbeside = { path = \"../../../awkward_beside\" }\nbare = { path = \"../bare\" }\nold = { path = \"../old\" }\nolder = { path = \"../older\" }\nmade = { path = \"../made\" }\ndashed-name = { path = \"../prelude\" }\n",
    );
    let project = Project::new(
        "awkward",
        &[
            ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n"),
            ("README.md", "read me\n"),
            ("shared/outside.rs", "pub fn outside() -> String { \"outside\".to_owned() }\n"),
            ("elsewhere/linked.rs", "pub fn linked() -> String { \"linked\".to_owned() }\n"),
            ("elsewhere/folder/mod.rs", "pub mod inner;\n"),
            ("elsewhere/folder/inner.rs", "pub fn inner() -> String { \"inner\".to_owned() }\n"),
            ("crates/app/Cargo.toml", &app),
            ("crates/app/build.rs", BUILD),
            ("crates/app/src/main.rs", MAIN),
            ("crates/app/src/included.rs", "fn included() -> String { \"included\".to_owned() }\n"),
            ("crates/app/src/quoted.rs", "fn quoted() -> String { String::new() }"),
            // Edition 2015, in which paths begin at the crate's root.
            ("crates/old/Cargo.toml", "[package]\nname = \"old\"\nversion = \"0.1.0\"\n"),
            (
                "crates/old/src/lib.rs",
                "pub mod nested { use ::text; pub fn old() -> String { text() } }\npub fn text() -> String { let n: Box<::std::fmt::Display> = Box::new(1); format!(\"2015 {}\", n) }\npub fn old() -> String { nested::old() }\n",
            ),
            ("crates/older/Cargo.toml", &manifest("older", "2018", "")),
            (
                "crates/older/src/lib.rs",
                "pub mod nested { pub fn old() -> String { format!(\"2018 {}\", crate::text()) } }\nfn text() -> String { String::from(\"text\") }\n",
            ),
            ("crates/bare/Cargo.toml", &manifest("bare", "2021", "")),
            (
                "crates/bare/src/lib.rs",
                "#![no_std]\nextern crate alloc;\nuse alloc::vec::Vec;\npub fn bare() -> Vec<u8> { Vec::from(*b\"bare\") }\n",
            ),
            ("crates/prelude/Cargo.toml", &manifest("dashed-name", "2021", "")),
            (
                "crates/prelude/src/lib.rs",
                "#![no_implicit_prelude]\n#![forbid(unsafe_code, missing_docs)]\n//! Without a prelude.\n/// It says so.\npub fn prelude() -> ::std::string::String { ::std::borrow::ToOwned::to_owned(\"no prelude\") }\n",
            ),
            ("crates/made/Cargo.toml", &manifest("made", "2024", "[lib]\nproc-macro = true\n")),
            (
                "crates/made/src/lib.rs",
                "use proc_macro::TokenStream;\n#[proc_macro]\npub fn made(text: TokenStream) -> TokenStream { format!(\"{text}.to_owned()\").parse().unwrap() }\n",
            ),
            ("crates/library/Cargo.toml", &manifest("library", "2024", "[lib]\ncrate-type = [\"cdylib\"]\n")),
            (
                "crates/library/src/lib.rs",
                "#[unsafe(no_mangle)]\npub extern \"C\" fn answer() -> usize { text().len() }\nfn text() -> String { \"answer\".repeat(7) }\n",
            ),
        ],
    );
    symlink("../../../elsewhere/linked.rs", project.root.join("crates/app/src/linked.rs")).expect("a link");
    // Nobody writes it: who reads it waits.
    let pipe = project.root.join("crates/app/src/pipe.rs");
    assert!(Command::new("mkfifo").arg(pipe).status().is_ok_and(|status| status.success()));
    symlink("../../../elsewhere/folder", project.root.join("crates/app/src/folder")).expect("a link");
    project
}

#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn an_awkward_workspace_does_as_without_it() {
    let beside = Project::new(
        "awkward_beside",
        &[
            ("Cargo.toml", &manifest("beside", "2021", "[workspace]\n")),
            (
                "src/lib.rs",
                "pub fn beside() -> String { \"beside\".to_owned() }\npub fn place() -> String { file!().to_owned() }\n",
            ),
        ],
    );
    let project = awkward();
    let before = (project.contents(), beside.contents());
    let arguments = ["run", "--quiet", "--bin", "app"];
    let plain = project.cargo("crates/app", &arguments);
    let tracked = project.memprof("crates/app", &[&arguments[..], &["--chains", "whole"]].concat());
    same(&plain, &tracked);
    assert_eq!(plain.code, Some(101), "{}", plain.err);
    // The panic names the same place.
    let panic = |err: &str| {
        err.lines()
            .skip_while(|line| !line.contains("panicked at"))
            .take(4)
            .map(|line| line.replace(|c: char| c.is_ascii_digit(), ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(panic(&tracked.err), panic(&plain.err));
    for row in [
        "crates/app/src/main.rs:17(main)",
        "crates/app/src/included.rs:1(included)",
        "crates/app/src/../../../shared/outside.rs:1(outside)",
        "crates/app/src/linked.rs:1(linked)",
        "crates/app/src/folder/inner.rs:1(inner)",
        "crates/old/src/lib.rs:1(old)",
        "crates/old/src/lib.rs:2(text)",
        "crates/older/src/lib.rs:1(old)",
        "crates/bare/src/lib.rs:4(bare)",
        "crates/prelude/src/lib.rs:5(prelude)",
        &format!("{}/src/lib.rs:2(place)", beside.root.display()),
    ] {
        assert!(has_row(&tracked.err, row), "{row}\n{}", tracked.err);
    }
    assert!(!tracked.err.contains("(made)") && !tracked.err.contains("(generated)"), "{}", tracked.err);
    let all = project.memprof("", &["build", "--quiet", "--workspace"]);
    assert_eq!(all.code, Some(0), "{}", all.err);
    assert_eq!((project.contents(), beside.contents()), before);
}

const STRICT: &str = "use proc_macro::TokenStream;\n#[proc_macro_attribute]\npub fn strict(_: TokenStream, item: TokenStream) -> TokenStream {\n    if item.to_string().contains(\"memprof\") { return \"compile_error!{\\\"no attribute here\\\"}\".parse().unwrap(); }\n    item\n}\n#[proc_macro]\npub fn silent(item: TokenStream) -> TokenStream { item }\n";

/// A function that does not compile tracked is left out, and the others are not; nor is a crate lost of which none does.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn what_does_not_compile_tracked_is_left_out() {
    let app = manifest(
        "app",
        "2021",
        "[workspace]\nmembers = [\"strict\", \"stubborn\"]\n[dependencies]\nstrict = { path = \"strict\" }\nstubborn = { path = \"stubborn\" }\n",
    );
    let main = "fn main() {\n    println!(\"{} {} {}\", refusing(), plain(), stubborn::text());\n}\n\n#[strict::strict]\nfn refusing() -> String {\n    \"refusing\".to_owned()\n}\n\nfn plain() -> String {\n    \"plain\".to_owned()\n}\n";
    // What it names memprof has no attribute.
    let stubborn = "extern crate self as memprof;\npub fn text() -> String {\n    \"stubborn\".to_owned()\n}\n";
    let project = Project::new(
        "failing",
        &[
            ("Cargo.toml", &app),
            ("src/main.rs", main),
            ("strict/Cargo.toml", &manifest("strict", "2021", "[lib]\nproc-macro = true\n")),
            ("strict/src/lib.rs", STRICT),
            ("stubborn/Cargo.toml", &manifest("stubborn", "2021", "")),
            ("stubborn/src/lib.rs", stubborn),
        ],
    );
    let run = project.memprof("", &["run", "--quiet"]);
    assert_eq!((run.code, &*run.out), (Some(0), "refusing plain stubborn\n"), "{}", run.err);
    assert!(has_row(&run.err, "1 src/main.rs:10(plain)"), "{}", run.err);
    assert_eq!(run.err.matches("(refusing)").count(), 1, "none is a row: {}", run.err);
    let said = "\nmemprof: left out, as app 0.1.0 does not compile with them tracked: src/main.rs:6(refusing)\nmemprof: left out, as stubborn 0.1.0 does not compile with them tracked: src/lib.rs:2(text)\n";
    assert!(run.err.contains(said) && run.err.contains("; left out: 2 not compiling tracked\n"), "{}", run.err);
    let plan = project.memprof("", &["plan", "--functions"]);
    assert!(plan.out.contains("  src/main.rs:6(refusing): left out: not compiling tracked\n"), "{}", plan.out);
}

/// A crate of which none compiles tracked is compiled as it is, and is said to be, also where another one of the package is tried again; its functions
/// count as left out. Once it compiles tracked, it is no longer said.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_crate_that_is_compiled_as_it_is_stays_said_until_it_is_compiled_again() {
    let app = manifest(
        "app",
        "2021",
        "[workspace]\nmembers = [\"strict\"]\n[dependencies]\nstrict = { path = \"strict\" }\n",
    );
    // The error points to the attribute, within no function.
    let lib = "pub struct Kind;\n\n#[strict::strict]\nimpl Kind {\n    pub fn text() -> String {\n        \"kind\".to_owned()\n    }\n}\n";
    let main = "fn main() {\n    println!(\"{} {}\", refusing(), app::Kind::text());\n}\n\n#[strict::strict]\nfn refusing() -> String {\n    \"refusing\".to_owned()\n}\n";
    let project = Project::new(
        "as_it_is",
        &[
            ("Cargo.toml", &app),
            ("src/lib.rs", lib),
            ("src/main.rs", main),
            ("strict/Cargo.toml", &manifest("strict", "2021", "[lib]\nproc-macro = true\n")),
            ("strict/src/lib.rs", STRICT),
        ],
    );
    let run = project.memprof("", &["run", "--quiet"]);
    assert_eq!((run.code, &*run.out), (Some(0), "refusing kind\n"), "{}", run.err);
    let said = "\nmemprof: app of app 0.1.0 was compiled as it is, untracked: it does not compile otherwise\nmemprof: left out, as app 0.1.0 does not compile with them tracked: src/main.rs:6(refusing)\nmemprof: 1 function of 1 package tracked; left out: 2 not compiling tracked\n";
    assert!(run.err.ends_with(said), "{}", run.err);
    // A change that is none of the crate's leaves it as it is.
    project.write("src/main.rs", &main.replace("{} {}", "{}, {}"));
    let run = project.memprof("", &["run", "--quiet"]);
    assert_eq!((run.code, &*run.out), (Some(0), "refusing, kind\n"), "{}", run.err);
    assert!(run.err.ends_with(said), "{}", run.err);
    project.write("src/lib.rs", &lib.replace("#[strict::strict]\n", ""));
    let run = project.memprof("", &["run", "--quiet"]);
    assert!(!run.err.contains("as it is"), "{}", run.err);
    assert!(
        run.err.ends_with("\nmemprof: 2 functions of 1 package tracked; left out: 1 not compiling tracked\n"),
        "{}",
        run.err
    );
}

/// A program of each edition, of which nothing is in scope but what it names.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn programs_of_each_edition_are_measured() {
    const MAIN: &str = "#![no_implicit_prelude]\nfn main() { ::std::println!(\"{}\", text().len()); }\nfn text() -> ::std::string::String { let mut text = ::std::string::String::with_capacity(500); text.push_str(\"text\"); text }\n";
    for edition in ["2015", "2018", "2021", "2024"] {
        let manifest = manifest("own", edition, "[workspace]\n");
        let program = Project::new(&format!("edition_{edition}"), &[("Cargo.toml", &manifest), ("src/main.rs", MAIN)]);
        let plain = program.cargo("", &["run", "--quiet"]);
        let tracked = program.memprof("", &["run", "--quiet"]);
        same(&plain, &tracked);
        assert_eq!(plain.out, "4\n", "{edition}: {}", plain.err);
        let mut rows = tracked.err.lines().filter(|line| line.ends_with(" src/main.rs:3(text)"));
        assert!(rows.any(|row| row.trim_start().starts_with("500 ")), "{edition}: {}", tracked.err);
    }
}

/// A library for programs in any language: its functions count calls, and no bytes, as it has no allocator of memprof's.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_library_counts_calls_in_a_program_that_is_not_measured() {
    let library = manifest("library", "2024", "[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n");
    let program = Project::new(
        "loaded",
        &[
            ("Cargo.toml", &library),
            (
                "src/lib.rs",
                "#[unsafe(no_mangle)]\npub extern \"C\" fn answer() -> usize { text().len() }\nfn text() -> String { \"answer\".repeat(7) }\n",
            ),
            (
                "main.rs",
                "unsafe extern \"C\" { safe fn answer() -> usize; }\nfn main() { println!(\"{} {}\", answer(), answer()); }\n",
            ),
        ],
    );
    let built = program.memprof("", &["build", "--quiet"]);
    assert_eq!(built.code, Some(0), "{}", built.err);
    let found = std::fs::read_dir(program.root.join("target/memprof")).expect("a folder");
    let mut folders = found.map(|entry| entry.expect("an entry").path().join("debug"));
    let folder = folders.find(|folder| folder.join("liblibrary.so").exists()).expect("it was built");
    let mut rustc = Command::new("rustc");
    rustc.current_dir(&program.root).args(["--edition=2024", "main.rs", "-ldylib=library", "-L"]).arg(&folder);
    let compiled = ended(&mut rustc);
    assert_eq!(compiled.code, Some(0), "{}", compiled.err);
    let mut main = Command::new(program.root.join("main"));
    let ran = ended(main.env("LD_LIBRARY_PATH", &folder).env("MEMPROF", "1").env_remove("MEMPROF_OUTPUT"));
    assert_eq!((ran.code, &*ran.out), (Some(0), "42 42\n"), "{}", ran.err);
    let mut rows = ran.err.lines().filter(|line| line.ends_with(" src/lib.rs:3(text)"));
    let row = rows.next().map(|row| row.split_whitespace().take(3).collect::<Vec<_>>());
    assert_eq!(row, Some(vec!["2", "0", "0"]), "{}", ran.err);
}

/// It has no standard library, so none of memprof's either, and stays as it is.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_program_without_the_standard_library_is_compiled_as_it_is() {
    const MAIN: &str = "#![no_std]\n#![no_main]\n#[panic_handler]\nfn stopped(_: &core::panic::PanicInfo) -> ! { loop {} }\n#[link(name = \"c\")]\nunsafe extern \"C\" { safe fn puts(text: *const u8) -> i32; }\n#[unsafe(no_mangle)]\nextern \"C\" fn main() -> i32 { say(); 4 }\nfn say() { puts(b\"alone\\0\".as_ptr()); }\n";
    let abort = "[workspace]\n[profile.dev]\npanic = \"abort\"\n";
    let project = Project::new("alone", &[("Cargo.toml", &manifest("alone", "2024", abort)), ("src/main.rs", MAIN)]);
    let (plain, tracked) = (project.cargo("", &["run", "--quiet"]), project.memprof("", &["run", "--quiet"]));
    assert_eq!((plain.code, &*plain.out), (Some(4), "alone\n"), "{}", plain.err);
    same(&plain, &tracked);
    let built = project.memprof("", &["build", "--quiet"]);
    let said = "memprof: alone of alone 0.1.0 was compiled as it is, untracked: it does not compile otherwise\n";
    assert!(built.err.contains(said), "{}", built.err);
}
