//! The files of a process that ends: its report, and the one by which whoever started it learns whether memprof was asked at the end.

use super::{file, program, run, start};

#[test]
fn the_file_that_is_asked_for_is_whole() {
    let file = file("ended").with_extension("json");
    let mut server = start(program("serve", &[("MEMPROF", "1"), ("MEMPROF_OUTPUT", file.to_str().expect("text"))]));
    server.send(libc::SIGTERM);
    server.end().by(libc::SIGTERM).reports(0);
    let text = std::fs::read_to_string(&file).expect("a file");
    assert!(text.contains("\"live\":1000,") && text.trim_end().ends_with('}'), "{text}");
    std::fs::remove_file(file).expect("removed");
}

/// Whoever started the process learns by it whether memprof measured, and whether it was asked at the end.
#[test]
fn a_file_is_there_from_when_memprof_begins_until_the_end_is_met() {
    let folder = file("begun");
    std::fs::create_dir(&folder).expect("a folder");
    let output = folder.join("%p.json");
    let [begun, output] = [&folder, &output].map(|path| path.to_str().expect("text"));
    let on = [("MEMPROF", "1"), ("MEMPROF_OUTPUT", output), ("__MEMPROF_BEGUN", begun)];
    let files = || {
        let names = std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("a file").file_name());
        let mut found: Vec<String> = names.map(|name| name.into_string().expect("text")).collect();
        for name in &found {
            std::fs::remove_file(folder.join(name)).expect("removed");
        }
        found.sort_unstable();
        found
    };
    let [term, kill] = [libc::SIGTERM, libc::SIGKILL];
    for (signal, left) in [(None, "json"), (Some(term), "json"), (Some(kill), "begun")] {
        let mut server = start(program("serve", &on));
        let process = server.process;
        let text = std::fs::read_to_string(folder.join(format!("{process}.begun")));
        assert_eq!(text.expect("a file"), "memprof-ends");
        if let Some(signal) = signal {
            server.send(signal);
        }
        server.end();
        assert_eq!(files(), [format!("{process}.{left}")], "{signal:?}");
    }
    // What they are, whoever wrote them.
    let endings = || {
        let mut found: Vec<String> =
            files().iter().filter_map(|name| Some(name.split_once('.')?.1.to_owned())).collect();
        found.sort_unstable();
        found
    };
    // Where no scope was entered, no thread of memprof's writes the report.
    run("secure", &on).well();
    assert_eq!(endings(), ["json"]);
    // The child's report, and the parent's file, which the child left alone.
    run("fork, and end at once", &on).well();
    assert_eq!(endings(), ["begun", "json"]);
    // Where it is off nothing begins.
    run("fork, and end at once", &on[1..]).well();
    assert!(files().is_empty());
    std::fs::remove_dir(folder).expect("removed");
}
