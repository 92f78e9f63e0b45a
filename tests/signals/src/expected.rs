//! What the numbers have to be.

use memprof::Counters;

/// A change of what is held.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Alloc(i64),
    Free(i64),
    Realloc(i64, i64),
}

impl Event {
    /// Bytes and blocks that are held more, and that were allocated.
    fn effect(self) -> ([i64; 2], [i64; 2]) {
        match self {
            Self::Alloc(bytes) => ([bytes, 1], [bytes, 1]),
            Self::Free(bytes) => ([-bytes, -1], [0, 0]),
            Self::Realloc(from, to) => ([to - from, 0], [(to - from).max(0), 0]),
        }
    }
}

/// The counters of a scope in which these events happened.
pub(crate) fn counters(events: impl Iterator<Item = Event>) -> Counters {
    let mut sum = Counters::default();
    for event in events {
        let (held, allocated) = event.effect();
        sum.current_bytes += held[0];
        sum.current_blocks += held[1];
        sum.total_bytes += allocated[0];
        sum.total_blocks += allocated[1];
        sum.peak_bytes = sum.peak_bytes.max(sum.current_bytes);
        sum.peak_blocks = sum.peak_blocks.max(sum.current_blocks);
    }
    sum
}

/// How many of these are reallocations.
pub(crate) fn reallocs<'a>(events: impl IntoIterator<Item = &'a Event>) -> i64 {
    let reallocs = events.into_iter().filter(|event| matches!(event, Event::Realloc(..)));
    i64::try_from(reallocs.count()).expect("few")
}

/// The counters for each place in `events`, behind `before`, at which all of `others` can have happened.
pub(crate) fn each(before: &[Event], events: &[Event], others: &[Event]) -> Vec<Counters> {
    let at = |place: usize| {
        let (first, second) = events.split_at(place);
        counters([before, first, others, second].into_iter().flatten().copied())
    };
    (0..=events.len()).map(at).collect()
}
