//! (j) Other people's crates with every function marked, under their own benchmarks.
//!
//! Their sources are fetched as published, in the versions of the lock file, and copied to the target folder once for each
//! tool, with the tool's attribute on the same functions: all that memprof's own can stand on, as `cargo memprof --policy all`
//! chooses them. Their benchmarks are compiled as they are, against `stand-in`. Nothing of it is part of this project.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use crate::measure::{Programs, cargo};
use crate::peers::{PEERS, Peer};
use crate::plan::{PLAIN, Workload};
use crate::{Size, all_rounds, count, tables};

/// A crate, and one of its programs of benchmarks.
struct Program {
    name: &'static str,
    version: &'static str,
    /// What it is.
    is: &'static str,
    edition: &'static str,
    bench: &'static str,
    /// Lines of its manifest, as far as the benchmarks need them.
    features: &'static str,
    dependencies: &'static str,
    dev_dependencies: &'static str,
    workload: Workload,
}

const WORKLOAD: Workload = Workload { operation: "turn", command: "benchmarks", ..PLAIN };

const PROGRAMS: &[Program] = &[
    Program {
        name: "tinytemplate",
        version: "1.2.1",
        is: "parses and fills in templates",
        edition: "2015",
        bench: "benchmarks",
        features: "",
        dependencies: "serde = \"1\"\nserde_json = \"1\"",
        dev_dependencies: "serde_derive = \"1\"",
        workload: Workload { title: "(j) tinytemplate", turns: 10, counted: Some((0, 1)), ..WORKLOAD },
    },
    Program {
        name: "weezl",
        version: "0.2.1",
        is: "unpacks LZW streams",
        edition: "2018",
        bench: "lowbit",
        features: "default = [\"std\"]\nstd = [\"alloc\"]\nalloc = []",
        dependencies: "",
        dev_dependencies: "",
        workload: Workload { title: "(j) weezl", turns: 500, counted: Some((0, 20)), ..WORKLOAD },
    },
    Program {
        name: "rpds",
        version: "1.2.1",
        is: "keeps persistent vectors",
        edition: "2024",
        bench: "rpds_vector",
        features: "default = [\"std\"]\nstd = []",
        dependencies: "archery = { version = \"1\", features = [\"triomphe\"] }\nsmallvec = { version = \"1\", features = [\"const_generics\"] }",
        dev_dependencies: "",
        workload: Workload { title: "(j) rpds", turns: 1, counted: Some((0, 1)), ..WORKLOAD },
    },
];

/// The attribute that the annotator writes.
const TRACK: &str = "#[::memprof::track]";

/// A copy of each crate.
struct Copy {
    adapter: &'static str,
    /// The crate that brings the attribute, and the feature of the stand-in that brings its allocator.
    tool: Option<&'static str>,
    dependency: &'static str,
    /// Instead of [`TRACK`].
    attribute: &'static str,
}

const COPIES: &[Copy] = &[
    Copy { adapter: "absent", tool: None, dependency: "", attribute: "" },
    Copy { adapter: "memprof", tool: Some("memprof"), dependency: "memprof = { path = \"{root}\" }", attribute: TRACK },
    Copy {
        adapter: "hotpath-alloc",
        tool: Some("hotpath"),
        dependency: "hotpath = { version = \"*\", features = [\"hotpath-alloc\"] }",
        attribute: "#[::hotpath::measure]",
    },
];

const ROWS: &[&str] = &["memprof, off", "memprof, on", "hotpath, alloc"];

/// The table of each crate, of which so many functions are marked.
pub fn measured(programs: &Programs, functions: &[usize], size: Size) -> String {
    let peers: Vec<Peer> = PEERS.iter().copied().filter(|peer| ROWS.contains(&peer.name)).collect();
    let of = |(program, functions): (&Program, &usize)| {
        let Program { name, version, is, bench, workload, .. } = program;
        let mut rows = all_rounds(programs, name, &peers, workload, size);
        count(programs, name, workload, &mut rows, size);
        let title =
            format!("(j) {name} {version}, which {is}: all {functions} functions marked, its own benchmarks `{bench}`");
        tables::workload(&title, workload, &rows)
    };
    PROGRAMS.iter().zip(functions).map(of).collect()
}

/// Builds all copies; how many functions of each crate are marked.
pub fn build(programs: &mut Programs) -> io::Result<Vec<usize>> {
    let folder = target().join("tracked");
    let peers = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let sources = sources(peers)?;
    let root = peers.join("../..").canonicalize()?;
    let mut functions = Vec::new();
    for program in PROGRAMS {
        let published = sources.join(format!("{}-{}", program.name, program.version));
        let marked = folder.join("marked").join(program.name);
        if marked.exists() {
            fs::remove_dir_all(&marked)?;
        }
        copy(&published.join("src"), &marked, &|_, text| text)?;
        functions.push(annotate(&root, &marked)?);
        for of in COPIES {
            let place = folder.join(of.adapter).join(program.name);
            let extern_crate = of.tool.map_or(String::new(), |tool| format!("\nextern crate {tool};\n"));
            copy(&marked, &place.join("src"), &|file, text| {
                // Edition 2015 has to be told of a crate.
                let end = if file == marked.join("lib.rs") { &extern_crate } else { "" };
                text.replace(TRACK, of.attribute) + end
            })?;
            copy(&published.join("benches"), &place.join("benches"), &|_, text| text)?;
            write(&place.join("Cargo.toml"), &manifest(program, of, &root))?;
        }
    }
    let members: Vec<String> = COPIES.iter().map(|of| format!("\"{}/*\"", of.adapter)).collect();
    let profile = "[profile.release]\ndebug = \"line-tables-only\"\n";
    write(
        &folder.join("Cargo.toml"),
        &format!("[workspace]\nmembers = [{}]\nresolver = \"3\"\n\n{profile}", members.join(", ")),
    )?;
    // The same versions as everywhere here; cargo adds the copies.
    let (lock, pinned) = (fs::read_to_string(peers.join("Cargo.lock"))?, folder.join("pinned.lock"));
    if !fs::read_to_string(&pinned).is_ok_and(|pinned| pinned == lock) {
        write(&pinned, &lock)?;
        write(&folder.join("Cargo.lock"), &lock)?;
    }
    for program in PROGRAMS {
        for of in COPIES {
            let package = format!("{}-{}", of.adapter, program.name);
            programs.build_bench(&folder, &package, program.bench, (of.adapter, program.name))?;
        }
    }
    Ok(functions)
}

/// Where cargo builds.
fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")), PathBuf::from)
}

/// Where cargo keeps the sources that it fetched.
fn sources(peers: &Path) -> io::Result<PathBuf> {
    let rustc = Command::new("rustc").arg("-vV").output()?;
    let rustc = String::from_utf8_lossy(&rustc.stdout).into_owned();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let output = cargo()
        .args([
            "metadata",
            "--locked",
            "--quiet",
            "--format-version",
            "1",
            "--filter-platform",
            host,
            "--manifest-path",
        ])
        .arg(peers.join("Cargo.toml"))
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first = format!("/{}-{}/Cargo.toml", PROGRAMS[0].name, PROGRAMS[0].version);
    let mut paths = text.split(r#""manifest_path":""#).skip(1).filter_map(|rest| rest.split('"').next());
    let found = paths.find_map(|path| path.strip_suffix(&first));
    found.map(PathBuf::from).ok_or_else(|| io::Error::other("cargo did not say where it keeps sources"))
}

/// Puts the attribute on all functions below a folder, in place.
fn annotate(root: &Path, folder: &Path) -> io::Result<usize> {
    let mut annotator = cargo();
    annotator.args(["run", "--locked", "--quiet", "--release", "--manifest-path"]);
    annotator.arg(root.join("tests/suites/Cargo.toml")).arg("--target-dir").arg(target().join("annotate"));
    annotator.arg("--").args(files(folder)?.iter().filter(|file| file.extension().is_some_and(|end| end == "rs")));
    let output = annotator.stderr(Stdio::inherit()).output()?;
    let functions = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
    functions.filter(|_| output.status.success()).ok_or_else(|| io::Error::other("functions could not be marked"))
}

fn manifest(program: &Program, of: &Copy, root: &Path) -> String {
    let Program { name, edition, bench, features, dependencies, dev_dependencies, .. } = program;
    let root = root.display();
    let tool = of.dependency.replace("{root}", &root.to_string());
    let allocator = of.tool.map_or(String::new(), |tool| format!("\"{tool}\""));
    let library = name.replace('-', "_");
    let adapter = of.adapter;
    format!(
        "[package]\nname = \"{adapter}-{name}\"\nversion = \"0.0.0\"\nedition = \"{edition}\"\npublish = false\nautobenches = false\n\n\
         [features]\n{features}\n\n[lib]\nname = \"{library}\"\n\n[[bench]]\nname = \"{bench}\"\nharness = false\n\n\
         [dependencies]\n{dependencies}\n{tool}\n\n\
         [dev-dependencies]\n{dev_dependencies}\ncriterion = {{ path = \"{root}/benches/peers/stand-in\", features = [{allocator}] }}\n\n\
         [lints.rust]\nwarnings = \"allow\"\n"
    )
}

/// Copies a folder, its Rust files changed.
fn copy(from: &Path, to: &Path, change: &dyn Fn(&Path, String) -> String) -> io::Result<()> {
    for file in files(from)? {
        let place = to.join(file.strip_prefix(from).expect("a file below it"));
        if file.extension().is_some_and(|end| end == "rs") {
            write(&place, &change(&file, fs::read_to_string(&file)?))?;
        } else if !place.exists() {
            fs::create_dir_all(place.parent().expect("below a folder"))?;
            fs::copy(&file, &place)?;
        }
    }
    Ok(())
}

/// All files below a folder.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

/// Writes a file, unless it is so already: cargo builds again what is newer.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().expect("below a folder"))?;
    fs::write(path, text)
}
