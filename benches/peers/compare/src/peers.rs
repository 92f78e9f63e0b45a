//! The tools.
//!
//! A tool is a row here and an adapter beside (`adapters/`), used as its own documentation says; the letters say what
//! its numbers buy, by what it offers and not by how well.

/// A tool, or memprof, or nothing.
#[derive(Clone, Copy)]
pub struct Peer {
    pub name: &'static str,
    /// The adapter's package, without `peer-`.
    pub adapter: &'static str,
    pub environment: &'static [(&'static str, &'static str)],
    /// What the adapter runs under.
    pub wrapper: &'static [&'static str],
    /// What it can do, of [`CAN`].
    pub can: &'static str,
    /// Whether it takes another allocator than the system's.
    pub takes_upstream: bool,
    /// A slow tool does so many times less, and is compared with nothing that does as little.
    pub less: usize,
}

/// What stands beside each number, and the letters for it.
pub const CAN: &[(char, &str)] = &[
    ('S', "measures a function or block by itself"),
    ('M', "says how much memory it allocated"),
    ('P', "says the peak of that scope"),
    ('O', "says who owns the memory that is live"),
    ('T', "keeps threads apart: a scope does not count what other threads do"),
    ('F', "measures an `async fn` over its polls"),
    ('U', "takes any allocator underneath"),
    ('R', "needs no other program to read what it measured"),
];

const PLAIN: Peer =
    Peer { name: "", adapter: "", environment: &[], wrapper: &[], can: "", takes_upstream: false, less: 1 };

pub const ABSENT: Peer = Peer { name: "absent", adapter: "absent", takes_upstream: true, ..PLAIN };

pub const PEERS: &[Peer] = &[
    Peer { name: "memprof, off", adapter: "memprof", takes_upstream: true, ..PLAIN },
    Peer {
        name: "memprof, on",
        adapter: "memprof",
        environment: &[("MEMPROF", "1")],
        can: "SMPOTFUR",
        takes_upstream: true,
        ..PLAIN
    },
    Peer { name: "hotpath, time", adapter: "hotpath-time", can: "STFUR", takes_upstream: true, ..PLAIN },
    Peer { name: "hotpath, alloc", adapter: "hotpath-alloc", can: "SMTFUR", takes_upstream: true, ..PLAIN },
    Peer { name: "alloc_tracker", adapter: "alloc-tracker", can: "SMPTUR", takes_upstream: true, ..PLAIN },
    Peer { name: "allocation-counter", adapter: "allocation-counter", can: "SMPTR", ..PLAIN },
    Peer { name: "stats_alloc", adapter: "stats-alloc", can: "SMR", ..PLAIN },
    Peer { name: "tracking-allocator", adapter: "tracking-allocator", can: "SMOTFUR", takes_upstream: true, ..PLAIN },
    Peer { name: "alloc-track", adapter: "alloc-track", can: "TUR", takes_upstream: true, ..PLAIN },
    Peer { name: "divan", adapter: "divan", can: "UR", takes_upstream: true, ..PLAIN },
    Peer { name: "peak_alloc", adapter: "peak-alloc", can: "R", ..PLAIN },
    Peer { name: "cap", adapter: "cap", can: "UR", takes_upstream: true, ..PLAIN },
    Peer { name: "re_memory", adapter: "re-memory", can: "UR", takes_upstream: true, ..PLAIN },
    Peer { name: "tracy-client", adapter: "tracy", can: "STU", takes_upstream: true, less: 10, ..PLAIN },
    Peer { name: "tracing", adapter: "tracing", can: "STFU", takes_upstream: true, ..PLAIN },
    Peer { name: "fastrace", adapter: "fastrace", can: "STFU", takes_upstream: true, ..PLAIN },
    Peer { name: "puffin", adapter: "puffin", can: "STU", takes_upstream: true, ..PLAIN },
    Peer { name: "dhat", adapter: "dhat", can: "O", less: 20, ..PLAIN },
    Peer {
        name: "heaptrack",
        adapter: "absent",
        wrapper: &["heaptrack", "--raw", "--output", "{scratch}/heaptrack"],
        can: "O",
        less: 20,
        ..PLAIN
    },
    Peer {
        name: "valgrind, dhat",
        adapter: "absent",
        wrapper: &["valgrind", "--tool=dhat", "--dhat-out-file=/dev/null"],
        can: "O",
        less: 100,
        ..PLAIN
    },
];
