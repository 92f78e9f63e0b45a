//! What the simulated driver knows and does, without a pointer or an exported function: what things are, then the
//! [`state`] that has them all, then what is done to them, which is methods of the state.

pub(crate) mod arena;
pub(crate) mod books;

pub(crate) mod block;
pub(crate) mod capture;
pub(crate) mod context;
pub(crate) mod current;
pub(crate) mod device;
pub(crate) mod external;
pub(crate) mod graph;
pub(crate) mod kernel;
pub(crate) mod mapping;
pub(crate) mod pool;
pub(crate) mod stream;

pub(crate) mod state;

pub(crate) mod contexts;
pub(crate) mod copies;
pub(crate) mod mappings;
pub(crate) mod memory;
pub(crate) mod modules;
pub(crate) mod pools;
pub(crate) mod shared;
pub(crate) mod streams;

pub(crate) mod captures;

pub(crate) mod graphs;
