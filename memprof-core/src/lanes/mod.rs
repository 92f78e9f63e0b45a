//! What outlives a thread's stack or is met by several threads.
//!
//! | module | what |
//! |---|---|
//! | [`kind`] | what a frame stands for, and the flags that readers of other threads copy |
//! | [`pending`], [`waiting`] | hand-overs on their way: one word, and what does not fit into it |
//! | [`lane`] | what scopes nest in and blocks are at home on: a thread or a task; when it may be reused |
//! | [`tag`] | path and home of a block in one word |
//! | [`level`], [`published`], [`added`], [`captured`] | what a captured scope holds together with those who work for it |
//! | [`account`], [`activation`] | what a tracked future recorded between its polls |
//!
//! Nothing here knows which thread it is on: slots and frames stand above, in `thread`.
//!
//! A block that thread A allocates and thread B frees:
//!
//! ```text
//! A: allocates     tag = path, A's lane ───────────────► in front of the block
//! B: frees         reads the tag: not B's lane ────────► A's lane: pending += bytes, 1 block
//! A: enters, leaves, raises a peak, is read ───────────► takes pending, charges its innermost scope
//! ```

pub(crate) mod kind;
pub(crate) mod pending;
pub(crate) mod waiting;
pub(crate) mod lane;
pub(crate) mod tag;
pub(crate) mod level;
pub(crate) mod published;
pub(crate) mod added;
pub(crate) mod captured;
pub(crate) mod account;
pub(crate) mod activation;
