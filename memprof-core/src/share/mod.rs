//! Working for a scope of another thread.
//!
//! | module | what |
//! |---|---|
//! | [`sharing`] | which frames of a thread share |
//! | [`publish`] | what it publishes of them, and what it takes in |
//! | [`settle`] | charging what other threads handed over |
//! | [`forward`] | to whom a hand-over is forwarded at once |
//! | [`context`] | capturing a scope, entering and leaving a context |
//! | [`open_frames`] | what is open, as if it ended now |
//! | [`ambient`] | scopes that threads without one of their own work for |

pub(crate) mod sharing;
pub(crate) mod publish;
pub(crate) mod settle;
pub(crate) mod forward;
pub(crate) mod context;
pub(crate) mod open_frames;
pub(crate) mod ambient;
