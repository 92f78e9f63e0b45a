//! How scopes and polls come and go.
//!
//! Entering and leaving have three speeds each: inlined, where nothing but the frame changes; a short function, where the scope saw events on
//! the host and nothing else; and what does everything, frame by frame. All three leave the same numbers behind: that is what the
//! model in `tests/model` compares.
//!
//! | module | what |
//! |---|---|
//! | [`plain`] | scopes that a guard leaves |
//! | [`poll`] | polls of tracked futures, as frames |
//! | [`future`] | the beginning and the end of a future's activation |
//! | [`leave`] | leaving whatever is on top, by its kind |

pub(crate) mod plain;
pub(crate) mod poll;
pub(crate) mod future;
pub(crate) mod leave;
