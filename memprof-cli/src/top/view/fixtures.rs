//! Pictures of a program, for the tests of what is shown of it.

use memprof_report::Snapshot;
use serde_json::{Value, json};

/// A row: function, line (0: a run-time name), live bytes, peak and calls.
pub(crate) type Site = (&'static str, u32, i64, u64, u64);

fn record((function, line, live, peak, calls): &Site) -> Value {
    let (name, file) = match line {
        0 => ((*function).to_owned(), ""),
        line => (format!("src/main.rs:{line}({function})"), "src/main.rs"),
    };
    json!({
        "name": name, "file": file, "line": line, "function": function, "ncalls": calls, "memory_peak": peak, "memory_total": peak * 2,
        "blocks_total": 0, "self_total": 0, "self_blocks": 0, "reallocs": 0, "failed": 0, "live": live, "live_blocks": 3, "at_peak": 0,
        "at_peak_blocks": 0, "temporary": 0, "largest": 0
    })
}

/// A space with these rows and bytes outside any scope, whose level is their sum.
pub(crate) fn space(name: &str, outside: i64, sites: &[Site]) -> Value {
    let live = sites.iter().map(|site| site.2).sum::<i64>() + outside;
    json!({
        "name": name, "has_events": true, "tree": [],
        "totals": {
            "live": live, "live_blocks": 1, "peak": 2_000_000, "peak_blocks": 1, "at_peak_level": 0, "total": 0, "blocks_total": 0,
            "failed": 0, "unknown_frees": 0, "missed_frees": 0, "no_scope_live": outside, "no_scope_total": 700, "no_scope_at_peak": 0
        },
        "records": sites.iter().map(record).collect::<Vec<_>>()
    })
}

/// What process `pid` says after so many seconds.
pub(crate) fn picture(pid: u32, seconds: f64, spaces: &[Value]) -> Snapshot {
    let value = json!({
        "schema_version": 2, "state": {"enabled": true, "host": "measured", "scopes_entered": true}, "notes": [],
        "process": {"program": "server", "pid": pid, "started": "2026-01-01T00:00:00.000Z", "seconds": seconds},
        "resident": {"now": 5_000_000, "peak": 6_000_000, "limit": 536_870_912, "limit_now": null},
        "spaces": spaces
    });
    serde_json::from_value(value).expect("a profile")
}
