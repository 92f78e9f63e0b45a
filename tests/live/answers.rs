//! What is answered, and to whom.

use memprof::Snapshot;

use super::program::Program;

const TOKEN: (&str, &str) = ("MEMPROF_HTTP_TOKEN", "s3cret");
const RIGHT: &str = "Authorization: Bearer s3cret\r\n";

fn snapshot(program: &Program, headers: &str) -> Snapshot {
    let answer = program.ask("GET /snapshot.json", headers);
    assert_eq!(answer.status, 200, "{}", answer.head);
    serde_json::from_slice(&answer.body).expect("a profile")
}

#[test]
fn every_page_is_there_and_well_formed() {
    let program = Program::start(&[]);
    let snapshot = snapshot(&program, "");
    let holds = snapshot.records("host").iter().find(|record| record.function.ends_with("holds")).expect("a row");
    assert_eq!((holds.ncalls, holds.live), (1, 10_000 + 240));
    assert_eq!(snapshot.process().pid, program.pid());
    for (path, content, begin, end) in [
        ("/", "text/html; charset=utf-8", &b"<!doctype html>"[..], &b"</html>\n"[..]),
        ("/snapshot.json", "application/json", b"{", b"}\n"),
        ("/metrics", "application/openmetrics-text; version=1.0.0; charset=utf-8", b"# ", b"\n# EOF\n"),
        ("/debug/pprof/heap", "application/octet-stream", &[0x1f, 0x8b], b""),
        ("/debug/pprof/allocs?seconds=1", "application/octet-stream", &[0x1f, 0x8b], b""),
    ] {
        let answer = program.ask(&format!("GET {path}"), "");
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.head.contains(&format!("\r\nContent-Type: {content}\r\n")), "{}", answer.head);
        assert!(
            answer.body.starts_with(begin) && answer.body.trim_ascii_end().ends_with(end.trim_ascii_end()),
            "{path}"
        );
        assert!(!answer.head.contains("Access-Control"), "{}", answer.head);
        let head = program.ask(&format!("HEAD {path}"), "");
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    for (first, status) in [
        ("GET /nothing", 404),
        ("GET /reset", 405),
        ("GET //", 404),
        ("GET /snapshot.json/", 404),
        ("POST /metrics", 403),
        ("DELETE /", 403),
    ] {
        assert_eq!(program.ask(first, "").status, status, "{first}");
    }
    let (status, said) = program.end();
    assert!(status.success(), "{said}");
}

#[test]
fn without_a_token_nothing_is_switched() {
    let program = Program::start(&[]);
    for path in ["/reset", "/enable", "/disable"] {
        let answer = program.ask(&format!("POST {path}"), "");
        assert_eq!(answer.status, 403);
        assert_eq!(answer.body, b"this needs a token: start the program with MEMPROF_HTTP_TOKEN\n");
    }
}

#[test]
fn with_a_token_whoever_has_it_reads_and_switches() {
    let program = Program::start(&[TOKEN]);
    for wrong in [
        "",
        "Authorization: Bearer s3cre\r\n",
        "Authorization: Bearer s3cret2\r\n",
        "Authorization: Basic czNjcmV0\r\n",
    ] {
        for first in ["GET /", "POST /disable", "GET /nothing"] {
            let answer = program.ask(first, wrong);
            assert_eq!(answer.status, 401, "{first} {wrong}");
            assert!(answer.head.contains("\r\nWWW-Authenticate: Basic realm=\"memprof\""), "{}", answer.head);
        }
    }
    // `user:s3cret`
    assert!(snapshot(&program, "Authorization: Basic dXNlcjpzM2NyZXQ=\r\n").report().to_string().contains("holds"));
    let first = |what: &str| program.ask(&format!("POST {what}"), RIGHT).status;
    assert_eq!(first("/disable"), 200);
    assert!(snapshot(&program, RIGHT).to_string().contains("memprof is off") || !is_enabled(&program));
    assert_eq!(first("/enable"), 200);
    assert!(is_enabled(&program));
    assert_eq!(first("/reset"), 200);
    let after = snapshot(&program, RIGHT);
    let holds =
        after.records("host").iter().find(|record| record.function.ends_with("holds")).expect("what is live stays");
    assert_eq!((holds.ncalls, holds.live), (0, 10_240));
    for elsewhere in ["Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        assert_eq!(program.ask("POST /reset", &format!("{RIGHT}{elsewhere}")).status, 403);
    }
}

fn is_enabled(program: &Program) -> bool {
    let answer = program.ask("GET /snapshot.json", RIGHT);
    String::from_utf8(answer.body).expect("text").contains("\"enabled\":true")
}

/// Total, blocks, live and peak of the host.
fn numbers(snapshot: &Snapshot) -> [u64; 4] {
    let totals = snapshot.totals("host");
    [totals.total, totals.blocks_total, totals.live.unsigned_abs(), totals.peak]
}

#[test]
fn what_it_allocates_is_in_no_number() {
    let program = Program::start(&[]);
    let mut last = snapshot(&program, "");
    // The harness around the program may still be at the last things that it does before it waits; what is asked for is counted never.
    for attempt in 0.. {
        let later = loop {
            for path in ["/", "/metrics", "/debug/pprof/heap", "/nothing"] {
                program.ask(&format!("GET {path}"), "");
            }
            let later = snapshot(&program, "");
            if later.process().taken != last.process().taken {
                break later;
            }
        };
        if numbers(&later) == numbers(&last) {
            break;
        }
        assert!(attempt < 10, "{:?}, then {:?}", numbers(&last), numbers(&later));
        last = later;
    }
}

/// Nothing in an answer says how wrong a token was.
#[test]
fn every_wrong_token_gets_the_same_answer() {
    let program = Program::start(&[TOKEN]);
    let said = |headers: &str| {
        let answer = program.ask("GET /metrics", headers);
        (answer.status, answer.head, answer.body)
    };
    let absent = said("");
    assert_eq!(absent.0, 401);
    for wrong in
        ["Bearer", "Bearer x", "Bearer s3cres", "Bearer s3cret1", "Bearer S3cret", "Basic czNjcmV0", "Digest s3cret"]
    {
        assert_eq!(said(&format!("Authorization: {wrong}\r\n")), absent, "{wrong}");
    }
    let long = "s".repeat(4000);
    assert_eq!(said(&format!("Authorization: Bearer {long}\r\n")), absent);
}
