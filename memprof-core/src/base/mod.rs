//! Memory that never moves, numbers that one thread writes, locks, and what the system offers.
//!
//! Nothing here knows what is measured. What stands above may rely on this: memory that was handed out stays where
//! it is for as long as the process lives; no function here allocates through the global allocator but where it
//! says so; where the system has no memory, the answer is `None`, and the caller records less.
//!
//! | module | what |
//! |---|---|
//! | [`pages`] | memory straight from the system |
//! | [`tables`] | vectors and hash tables in it |
//! | [`single`] | how a number is changed and read that one thread writes, its signal handlers included |
//! | [`memory`] | values and arrays in it that never move, handed out as `&'static` |
//! | [`pool`] | entries of such an array, lent out and given back |
//! | [`counter`] | such a number, which any thread may read |
//! | [`tally`] | the counters of one activation, and the contract's formulas |
//! | [`platform`], `poll`, [`semaphore`] | calls of the C library |
//! | [`gate`], [`blind`], [`lock`], [`map`] | who may be at the recorder's own work, and how it is kept out of every number |
//! | [`missed`] | what could not be recorded |
//! | [`state`], [`tags`], [`identity`] | words of the process: on or off, with or without tags, when it began |
//! | [`resident`] | what the system says of the process's memory |

pub(crate) mod pages;
#[cfg_attr(not(feature = "runtime"), path = "no_tables.rs")]
pub(crate) mod tables;
pub(crate) mod single;
pub(crate) mod memory;
pub(crate) mod pool;
pub(crate) mod counter;
pub(crate) mod tally;
#[cfg_attr(not(feature = "runtime"), path = "no_platform.rs")]
pub(crate) mod platform;
#[cfg(all(unix, feature = "runtime"))]
pub(crate) mod poll;
pub(crate) mod semaphore;
pub(crate) mod gate;
pub(crate) mod blind;
pub(crate) mod lock;
pub(crate) mod map;
pub(crate) mod missed;
pub(crate) mod state;
pub(crate) mod tags;
pub(crate) mod identity;
pub(crate) mod resident;
#[cfg(test)]
pub(crate) mod random;
