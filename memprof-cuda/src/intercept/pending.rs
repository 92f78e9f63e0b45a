//! Frees that are recorded while the driver is still at them, and what takes them back.
//!
//! CUPTI keeps one number for each call, from before it to after it. That number is a ticket for what is kept here,
//! not a pointer: where a callback was missed, because interception began or ended during the call, the number may be
//! anything, and a ticket that nobody holds leads nowhere.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::LazyLock;

use dashmap::DashMap;
use memprof_core::__allocator::{blind, unknown_free};
use memprof_core::Space;

use super::blocks::{self, Freed, Key};
use super::contexts;
use super::physical::{self, Mapping, Shown};
use crate::captures::{self, Capture};
use crate::pools;
use crate::scatter::Scattered;

/// A free that was asked for.
#[derive(Debug)]
pub(super) enum Free {
    Known(Freed),
    /// Nobody knows the address. If the driver does, it is counted.
    Unknown(Space),
}

impl Free {
    fn settle(self, done: bool) {
        match self {
            Self::Known(freed) if !done => freed.restore(),
            Self::Unknown(space) if done => unknown_free(space),
            _ => {}
        }
    }
}

/// What a context that is about to end takes along.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) freed: Vec<Freed>,
    pub(super) captures: Vec<Capture>,
}

impl Ended {
    /// It did not end.
    fn restore(self) {
        restore(self.freed);
        captures::go_on(self.captures);
    }
}

/// How a call that was recorded before it began is taken back, or completed.
#[derive(Debug)]
pub(super) enum Undo {
    Free(Free),
    /// Of parts of sparse arrays that show other memory, or none; and of the array itself, if that goes.
    Arrays {
        shown: Vec<Shown>,
        freed: Vec<Freed>,
        array: Option<Free>,
    },
    Physical {
        handle: u64,
        free: Option<Free>,
    },
    Unmap {
        mappings: Vec<Mapping>,
        freed: Vec<Freed>,
    },
    Reset {
        ended: Ended,
    },
    Context {
        context: u64,
        ended: Ended,
    },
    /// Of a capture.
    Captured(Capture),
    /// `space`: where the pool was seen to come.
    Pool {
        pool: u64,
        space: Option<Space>,
    },
}

impl Undo {
    /// The call is over, and the driver did it or refused.
    pub(super) fn settle(self, done: bool) {
        match self {
            Self::Free(free) => free.settle(done),
            Self::Arrays { shown, freed, array } => {
                if !done {
                    restore(freed);
                    let ended = physical::not_shown(&shown);
                    drop(blocks::free_all(ended.into_iter().map(Key::physical)));
                }
                if let Some(array) = array {
                    array.settle(done);
                }
            }
            Self::Physical { handle, free } => {
                if !done {
                    physical::not_released(handle);
                }
                if let Some(free) = free {
                    free.settle(done);
                }
            }
            Self::Context { context, .. } if done => {
                contexts::forget(context);
                contexts::forget_streams_of(context);
            }
            Self::Pool { pool, .. } if done => contexts::forget_pool(pool),
            _ if done => {}
            Self::Unmap { mappings, freed } => {
                physical::not_unmapped(&mappings);
                restore(freed);
            }
            Self::Reset { ended } | Self::Context { ended, .. } => ended.restore(),
            Self::Captured(capture) => captures::go_on([capture]),
            Self::Pool { pool, space } => space.into_iter().for_each(|space| pools::made(pool, space)),
        }
    }
}

/// Takes back in the reverse order.
fn restore(freed: Vec<Freed>) {
    freed.into_iter().rev().for_each(Freed::restore);
}

static KEPT: LazyLock<DashMap<u64, Undo, Scattered>> = LazyLock::new(DashMap::default);
/// Tickets count from a number that is no pointer and no small number.
static NEXT: AtomicU64 = AtomicU64::new(0x6d65_6d70_726f_0000);

/// Makes the table, which is none of the program's memory. Calls that were under way when an earlier interception
/// ended are done.
pub(super) fn prepare() {
    let _blind = blind();
    KEPT.clear();
}

/// Keeps it until the call is over; gives its ticket.
pub(super) fn keep(undo: Undo) -> u64 {
    let ticket = NEXT.fetch_add(1, Ordering::Relaxed);
    let _blind = blind();
    KEPT.insert(ticket, undo);
    ticket
}

/// What was kept under this ticket.
pub(super) fn take(ticket: u64) -> Option<Undo> {
    KEPT.remove(&ticket).map(|(_, undo)| undo)
}
