//! What one thread writes, and how another one reads it.
//!
//! | module | what |
//! |---|---|
//! | [`row`] | the sums of one path |
//! | [`changes`], [`frame`] | changes are counted, which gives activations their names; one open scope, and what is counted of calls |
//! | [`top`] | which frame is on top, and whether that is being changed |
//! | [`ledger`] | what is counted for one space |
//! | [`way`], [`known`] | how the thread came from one path to another |
//! | [`net`] | what the thread holds of the host, whoever owns it |
//! | [`slot`] | all of a thread's record, and the table of slots |
//! | [`foreign`] | what the thread knows of other lanes, for short paths |
//! | [`change`] | how a change other than an event says that it is under way |
//! | [`current`] | which slot this thread writes to |
//! | [`read`] | copying what another thread writes, at one moment |
//! | [`picture`], [`watch`] | who owned what at the host's mark; when a thread has to look |
//! | [`segment`], [`path_entry`], [`stack`] | which lane frames stand on; where entering a site leads; how frames come and go |
//! | [`lease`] | how a slot is taken from the pool and given back |
//! | [`aside`] | where a signal handler is recorded that interrupts a change of its thread's slot |
//!
//! One rule holds throughout: a slot is written by its own thread alone, with plain loads and stores, between
//! `begin_write` and `end_write` of its sequence where several numbers belong together. The exceptions are the `notice` word, the
//! ambient scope's number, and the record that ended threads share.

pub(crate) mod row;
pub(crate) mod way;
pub(crate) mod changes;
pub(crate) mod frame;
pub(crate) mod top;
pub(crate) mod ledger;
pub(crate) mod net;
mod known;
pub(crate) mod slot;
pub(crate) mod change;
mod foreign;
pub(crate) mod current;
pub(crate) mod read;
pub(crate) mod picture;
pub(crate) mod watch;
pub(crate) mod segment;
pub(crate) mod path_entry;
pub(crate) mod stack;
pub(crate) mod lease;
pub(crate) mod aside;

#[cfg(test)]
mod layout;
