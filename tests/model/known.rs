//! Programs that were found at random and went wrong once, as small as they could be made.

use crate::program::Step;

/// Each with what was wrong.
pub(crate) fn programs() -> [(&'static str, Vec<(u8, Step)>); 6] {
    use Step::{Alloc, Call, Capture, EndPoll, Enter, EnterContext, Free, Leave, NewFuture, OpenAmbient, Poll};
    let alloc = |space, bytes| Alloc { space, at: 0, bytes };
    [
        (
            "what was freed of a suspended future raised the peak that a snapshot shows of it",
            vec![
                (1, Call { at: 0, site: 1 }),
                (1, Capture { at: 0 }),
                (1, EndPoll { is_ready: false }),
                (1, EnterContext { at: 0 }),
                (1, alloc(0, 1)),
                (2, Free { space: 0, at: 0 }),
                (0, EnterContext { at: 0 }),
                (0, alloc(0, 1)),
            ],
        ),
        (
            "a scope under a suspended future was recursive, as the future had been polled in its site",
            vec![
                (1, Enter { site: 0 }),
                (1, Call { at: 0, site: 1 }),
                (1, Capture { at: 0 }),
                (1, EndPoll { is_ready: false }),
                (0, EnterContext { at: 0 }),
                (0, Enter { site: 0 }),
                (0, alloc(0, 0)),
            ],
        ),
        (
            "a scope under a future that is polled elsewhere meanwhile is recursive there",
            vec![
                (1, NewFuture { at: 0, site: 1 }),
                (1, Poll { at: 0 }),
                (1, Capture { at: 0 }),
                (1, EndPoll { is_ready: false }),
                (2, Enter { site: 0 }),
                (2, Poll { at: 0 }),
                (0, EnterContext { at: 0 }),
                (0, Enter { site: 0 }),
                (0, alloc(0, 10)),
                (0, Leave { outward: 0 }),
            ],
        ),
        (
            "under a context whose task has ended, the block of the lane that it left its blocks to is freed: a hand-over",
            vec![
                (0, Call { at: 4, site: 0 }),
                (0, Call { at: 5, site: 0 }),
                (0, Enter { site: 0 }),
                (0, Capture { at: 0 }),
                (0, EndPoll { is_ready: false }),
                (1, EnterContext { at: 0 }),
                (0, EndPoll { is_ready: true }),
                (0, alloc(0, 0)),
                (1, Free { space: 0, at: 0 }),
            ],
        ),
        (
            "under a context whose task has ended, a task left its block to that one: no hand-over to whom that went on to",
            vec![
                (0, Call { at: 4, site: 0 }),
                (0, Enter { site: 0 }),
                (0, Capture { at: 0 }),
                (0, EndPoll { is_ready: false }),
                (1, EnterContext { at: 0 }),
                (0, Poll { at: 4 }),
                (0, EndPoll { is_ready: true }),
                (1, Call { at: 0, site: 1 }),
                (1, alloc(0, 0)),
                (1, EndPoll { is_ready: true }),
                (1, Free { space: 0, at: 0 }),
            ],
        ),
        (
            "an ambient scope that is opened under a future's context, and another thread that works for both",
            vec![
                (2, Call { at: 0, site: 0 }),
                (2, Capture { at: 0 }),
                (0, EnterContext { at: 0 }),
                (0, OpenAmbient { site: 0 }),
                (1, alloc(0, 0)),
                (1, EnterContext { at: 0 }),
            ],
        ),
    ]
}
