//! What is said over the wire: requests, who may ask, answers, and where the endpoint listens. What is answered is
//! left to [`serve`](super::serve).

pub(crate) mod request;
pub(crate) mod authorized;
pub(crate) mod access;
pub(crate) mod answer;
pub(crate) mod open_files;
pub(crate) mod published;
pub(crate) mod listener;
pub(crate) mod connection;
