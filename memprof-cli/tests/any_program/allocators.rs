//! Programs with a global allocator of their own.

use crate::support::{Project, same};

const MANIFEST: &str = "[package]\nname = \"own\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";

/// An allocator that counts, and a program that says whether it was asked.
const COUNTING: &str = "use std::alloc::{GlobalAlloc, Layout, System};\nuse std::sync::atomic::{AtomicUsize, Ordering};\npub static COUNT: AtomicUsize = AtomicUsize::new(0);\npub struct Counting;\nunsafe impl GlobalAlloc for Counting {\n    unsafe fn alloc(&self, layout: Layout) -> *mut u8 { COUNT.fetch_add(1, Ordering::Relaxed); System.alloc(layout) }\n    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) { System.dealloc(at, layout) }\n}\n";

fn main_with(head: &str) -> String {
    format!(
        "{head}\nfn main() {{ let text = text(); println!(\"{{}} {{}}\", text.len(), counting::COUNT.load(std::sync::atomic::Ordering::Relaxed) > 0); }}\nfn text() -> String {{ \"x\".repeat(5_000) }}\n"
    )
}

fn measured(name: &str, files: &[(&str, &str)]) {
    let project = Project::new(name, files);
    let plain = project.cargo("", &["run", "--quiet"]);
    let tracked = project.memprof("", &["run", "--quiet"]);
    same(&plain, &tracked);
    assert_eq!(plain.out, "5000 true\n");
    assert!(tracked.err.contains("\n  5,000      5,000    0      1 src/main.rs:"), "{}", tracked.err);
}

#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn an_allocator_of_its_own_goes_on_below_memprofs() {
    let root = main_with("mod counting;\n#[global_allocator]\nstatic A: counting::Counting = counting::Counting;");
    measured("allocator_root", &[("Cargo.toml", MANIFEST), ("src/main.rs", &root), ("src/counting.rs", COUNTING)]);
    // What it can do besides is asked of the static.
    let method = root.replace("counting::COUNT.load(std::sync::atomic::Ordering::Relaxed)", "A.count()");
    let counting = format!(
        "{COUNTING}impl Counting {{ pub fn count(&self) -> usize {{ COUNT.load(std::sync::atomic::Ordering::Relaxed) }} }}\n"
    );
    measured("allocator_method", &[("Cargo.toml", MANIFEST), ("src/main.rs", &method), ("src/counting.rs", &counting)]);
    let module = format!("{COUNTING}#[global_allocator]\nstatic A: Counting = Counting;\n");
    measured(
        "allocator_module",
        &[("Cargo.toml", MANIFEST), ("src/main.rs", &main_with("mod counting;")), ("src/counting.rs", &module)],
    );
    // One that a macro writes is not seen, which is said, also of what was built before.
    let by_macro = main_with(
        "mod counting;\nmacro_rules! allocator { ($name:ident) => { #[global_allocator] static $name: counting::Counting = counting::Counting; } }\nallocator!(A);",
    );
    let unseen = Project::new(
        "allocator_of_macro",
        &[("Cargo.toml", MANIFEST), ("src/main.rs", &by_macro), ("src/counting.rs", COUNTING)],
    );
    for _ in 0..2 {
        let tracked = unseen.memprof("", &["run", "--quiet"]);
        assert_eq!((tracked.code, &*tracked.out), (Some(0), "5000 true\n"), "{}", tracked.err);
        let said = "memprof: own of own 0.1.0 has its calls counted, and no bytes: its global allocator is one that the sources do not show, as where a macro writes it, or its root is left as it is, as where it is read as text\n";
        assert!(tracked.err.contains(said), "{}", tracked.err);
    }
    // Under a condition that does not hold, it is none.
    let not = main_with(
        "mod counting;\n#[cfg(windows)]\n#[global_allocator]\nstatic A: counting::Counting = counting::Counting;\n#[cfg(not(windows))]\nconst _: () = { assert!(true) };",
    );
    let none = Project::new(
        "allocator_none",
        &[("Cargo.toml", MANIFEST), ("src/main.rs", &not), ("src/counting.rs", COUNTING)],
    );
    let tracked = none.memprof("", &["run", "--quiet"]);
    assert_eq!(tracked.out, "5000 false\n");
    assert!(tracked.err.contains("\n  5,000      5,000    0      1 src/main.rs:"), "{}", tracked.err);
}

#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn an_allocator_in_a_dependency_is_tracked_with_it_or_said() {
    let library = format!("{COUNTING}#[global_allocator]\nstatic A: Counting = Counting;\n");
    let manifest = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
    };
    // Its library is not called as the package.
    let counting = manifest("count-all", "[lib]\nname = \"counting\"\n");
    let files = [
        (
            "Cargo.toml",
            manifest(
                "own",
                "[workspace]\nmembers = [\"counting\"]\n[dependencies]\ncount-all = { path = \"counting\" }\n",
            ),
        ),
        ("src/main.rs", main_with("")),
        ("counting/Cargo.toml", counting.clone()),
        ("counting/src/lib.rs", library.clone()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    // A dependency in a folder is tracked.
    measured("allocator_dependency", &files);
    // One that is vendored is not, unless it is named.
    let vendored = Project::new("allocator_vendored", &files[1..2]);
    vendored.write("Cargo.toml", &manifest("own", "[workspace]\n[dependencies]\ncount-all = \"0.1\"\n"));
    vendored.vendor(&counting, &library);
    let refused = vendored.memprof("", &["run", "--quiet"]);
    assert_eq!(refused.code, Some(101), "{}", refused.err);
    assert!(
        refused.err.contains("error: memprof: the global allocator stands in the dependency ‘count-all’, which is not tracked, so memprof cannot measure it: add --deps count-all\n"),
        "{}",
        refused.err
    );
    let tracked = vendored.memprof("", &["run", "--quiet", "--deps", "count-all"]);
    assert_eq!(tracked.out, "5000 true\n", "{}", tracked.err);
    assert!(tracked.err.contains("\n  5,000      5,000    0      1 src/main.rs:"), "{}", tracked.err);
}
