//! Where blocks live, and how high each space went.
//!
//! Spaces other than `host` are exact: one short lock each, as their events are rare. The host is what every
//! `malloc` goes to, so its level is added up from what threads publish in steps, and is short by less than a step
//! for each of them.
//!
//! | | of `host` | of any other space |
//! |---|---|---|
//! | counted by | the thread, in its ledger | the thread, and the space's [`mark`] under its lock |
//! | how much is live | sum of what the threads published ([`level`]) | the mark's own number |
//! | the peak | exact to a step a thread | exact |
//! | who owned what at the peak | a picture of all threads' rows, taken above a level ([`picture`](crate::thread::picture)) | each owner's number, kept at the mark |
//! | cost of an event | 1 to 2 ns | some 200 ns, most of it the table of blocks and the lock |

pub(crate) mod spaces;
pub(crate) mod mark;
pub(crate) mod level;
