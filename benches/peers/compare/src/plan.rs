//! What is run.
//!
//! How much of each workload is run, and of which tools, stands here, so that the tables can be read beside it; what a
//! workload does is left to the crate `workloads`, which knows it by `command`.

/// A table of the result: one workload, all tools.
#[derive(Clone, Copy)]
pub struct Workload {
    pub title: &'static str,
    /// What one operation is.
    pub operation: &'static str,
    pub command: &'static str,
    /// How much of it is timed.
    pub turns: usize,
    /// What follows the turns.
    pub argument: Option<usize>,
    /// How much of it is counted under callgrind, less and more: the difference is that of operations alone. None where threads
    /// make it another count each time.
    pub counted: Option<(u32, u32)>,
}

pub const PLAIN: Workload = Workload { title: "", operation: "", command: "", turns: 0, argument: None, counted: None };

pub const WORKLOADS: &[Workload] = &[
    Workload {
        title: "(a) A tiny function, marked",
        operation: "call",
        command: "call",
        turns: 10_000_000,
        counted: Some((50_000, 100_000)),
        ..PLAIN
    },
    Workload {
        title: "(b) Blocks of mixed sizes, in a scope",
        operation: "pair",
        command: "pairs",
        turns: 4_000_000,
        argument: Some(1),
        counted: Some((50_000, 100_000)),
    },
    Workload {
        title: "(b) The same on two threads",
        operation: "pair",
        command: "pairs",
        turns: 4_000_000,
        argument: Some(2),
        ..PLAIN
    },
    Workload {
        title: "(c) 50 MB of JSON into a tree, and back",
        operation: "byte",
        command: "json",
        turns: 50_000_000,
        counted: Some((200_000, 400_000)),
        ..PLAIN
    },
    Workload {
        title: "(d) An ordered map of strings, with removals",
        operation: "insertion",
        command: "strings",
        turns: 400_000,
        counted: Some((5_000, 10_000)),
        ..PLAIN
    },
    Workload {
        title: "(e) Small futures on a server's two workers",
        operation: "request",
        command: "server",
        turns: 200_000,
        ..PLAIN
    },
    Workload {
        title: "(f) One thread allocates, another frees",
        operation: "block",
        command: "handover",
        turns: 4_000_000,
        ..PLAIN
    },
    Workload {
        title: "(g) As (b), read every 10 ms meanwhile",
        operation: "pair",
        command: "snapshots",
        turns: 8_000_000,
        ..PLAIN
    },
];

/// (b) over each other allocator: its name, and the feature of `workloads` that brings it.
pub const UPSTREAMS: &[(&str, &str)] = &[("mimalloc", "mimalloc"), ("jemalloc", "jemalloc")];

/// (i) Pairs in the innermost of so many scopes, and on so many threads.
pub const DEPTHS: &[usize] = &[1, 8, 32, 256, 2048];
pub const THREADS: &[usize] = &[1, 2, 4, 8, 16, 32, 64];
pub const GROWTH_TURNS: usize = 2_000_000;
/// Tools that measure memory by scope, in the tables of (i).
pub const GROWING: &[&str] =
    &["memprof, on", "hotpath, alloc", "alloc_tracker", "allocation-counter", "stats_alloc", "tracking-allocator"];

/// (i) Scopes of so many sites in turn, memprof alone.
pub const SITES: &[usize] = &[1, 10, 100, 1_000, 10_000];
pub const SITE_TURNS: usize = 2_000_000;

/// (h) Device blocks that are live meanwhile, memprof alone.
pub const LIVE_BLOCKS: &[usize] = &[1, 1_000, 1_000_000];
pub const DEVICE_TURNS: usize = 200_000;

/// (k) Requests of all ten slices together, where the tables are written, and of how many rounds.
pub const SERVICE_REQUESTS: usize = 1_000_000;
pub const SERVICE_ROUNDS: usize = 3;
/// Tools that can mark what a server does, and dhat.
pub const SERVING: &[&str] = &[
    "memprof, off",
    "memprof, on",
    "hotpath, alloc",
    "alloc_tracker",
    "allocation-counter",
    "stats_alloc",
    "tracking-allocator",
    "dhat",
];
