//! What users and macros see.
//!
//! The only layer that looks for the calling thread's slot: everything below is handed one. What a function here
//! promises is in its own documentation; what the numbers mean is in `docs/semantics.md`.
//!
//! What a user does is looked up here and handed down: which thread this is, whether memprof measures, whether
//! there is memory for it. What it then changes stands in the layers below, which are given a slot and ask nothing.
//! Three promises hold for every public function of this layer:
//!
//! * it may be called from anywhere: before `main`, in a destructor of a thread-local, in a signal handler, from
//!   inside of the allocator that the program wraps, after the thread's records are gone. Where it cannot record,
//!   it records less, and the report says how much less;
//! * it never panics, but for a limit that is exceeded and that nobody listens to ([`exceeded`]);
//! * while memprof is off, entering and recording cost a load and a branch, and the guards that are given do
//!   nothing.

pub(crate) mod scope;
pub(crate) mod host;
pub(crate) mod alloc;
pub(crate) mod target;
pub(crate) mod released;
pub(crate) mod record;
pub(crate) mod context;
pub(crate) mod ambient;
pub(crate) mod future;
pub(crate) mod exceeded;
pub(crate) mod limit;
pub(crate) mod limited_future;
pub(crate) mod control;
