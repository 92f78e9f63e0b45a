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
//!
//! Three ways lead from a thread to a scope of another one, and all end in the captured scope's
//! [`Shared`](crate::lanes::captured::Shared):
//!
//! | way | who begins it | while it lasts | at its end |
//! |---|---|---|---|
//! | a context | a thread that enters it | publishes its level in steps | gives its part whole, and forgets it |
//! | an ambient scope | the thread itself, at its next event | likewise | likewise, or whoever ends the scope reads the part |
//! | a hand-over | whoever frees a block of the lane | is forwarded, if the lane's scopes were captured | is charged by the owner |

pub(crate) mod sharing;
pub(crate) mod publish;
pub(crate) mod settle;
pub(crate) mod forward;
pub(crate) mod context;
pub(crate) mod open_frames;
pub(crate) mod ambient;
