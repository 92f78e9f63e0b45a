//! What is said over the wire: requests, who may ask, answers, and where the endpoint listens. What is answered is
//! left to [`serve`](super::serve).
//!
//! From outside inwards, each of which refuses what it can:
//!
//! | module | what it sees | what it refuses |
//! |---|---|---|
//! | [`listener`] | a socket | a path where something else is |
//! | [`connection`] | bytes, in steps | what is too slow or too long |
//! | [`request`] | the head of a request | what is no HTTP/1.1 |
//! | [`access`], [`authorized`] | Host, Origin, token | who may not ask |
//! | [`answer`] | status, headers, body | |
//!
//! There is no HTTP library under it: one that serves brings an executor or threads of its own, which would have to be kept
//! out of the program's numbers and out of forks; five paths without bodies need none of that.

pub(crate) mod request;
pub(crate) mod authorized;
pub(crate) mod access;
pub(crate) mod answer;
pub(crate) mod open_files;
pub(crate) mod published;
pub(crate) mod listener;
pub(crate) mod connection;
