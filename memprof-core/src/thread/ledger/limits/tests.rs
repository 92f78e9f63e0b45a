//! Where there is more to do, and when growing goes on.

use super::{FAR, Limits, PATIENCE, Watch};

const NOBODY: Watch = Watch { high: i64::MAX, low: i64::MIN, blocks: i64::MAX };

fn limits(watch: Watch) -> Limits {
    let limits = Limits::BLANK;
    limits.watch(watch);
    limits
}

#[test]
fn an_allocation_above_the_peak_has_more_to_do_and_one_below_has_not() {
    let limits = limits(NOBODY);
    assert!(limits.alloc(100, || ()));
    limits.raise_peaks(limits.level_bytes(), limits.level_blocks());
    assert!(!limits.free(100, || ()));
    assert!(!limits.alloc(100, || ()), "as high as before is not above it");
    assert!(limits.alloc(0, || ()), "one block more");
    limits.raise_peaks(limits.level_bytes(), limits.level_blocks());
    assert_eq!((limits.level_bytes(), limits.level_blocks()), (100, 2));
    assert_eq!((limits.peak_bytes.signed(), limits.peak_blocks.signed()), (100, 2));
}

#[test]
fn what_is_watched_is_seen_below_the_peak_and_when_it_is_undercut() {
    let limits = limits(NOBODY);
    limits.set_peaks(1_000, 10);
    limits.watch(Watch { high: 100, low: -50, blocks: 10 });
    assert!(!limits.alloc(100, || ()));
    assert!(limits.alloc(1, || ()) && limits.is_watched());
    assert!(!limits.free(151, || ()) && !limits.is_watched());
    assert!(limits.free(1, || ()) && limits.is_watched());
    assert_eq!(limits.level_bytes(), -51);
}

#[test]
fn where_everything_is_watched_every_event_has_more_to_do() {
    let limits = limits(Watch { high: i64::MIN, low: i64::MAX, blocks: 10 });
    limits.set_peaks(1_000, 10);
    assert!(limits.alloc(1, || ()));
    assert!(limits.free(1, || ()));
    limits.realloc(10, 5);
    assert!(limits.is_crossed());
}

#[test]
fn growing_goes_on_with_what_rises_and_ends_once_whoever_ends_it() {
    let limits = limits(NOBODY);
    limits.grow(1_000);
    assert!(limits.grow_on(10, 1) && limits.grow_on(10, 2));
    for _ in 1..PATIENCE {
        assert!(limits.grow_on(10, 2));
    }
    assert!(!limits.grow_on(10, 2), "nothing rose so often");
    assert!(limits.is_growing(), "the caller ends it");
    limits.end_growing(10, 2);
    // As where a signal handler comes first.
    assert!(!limits.grow_on(20, 3) && !limits.grow_on(10, 2));
    assert!(!limits.is_growing());
}

/// The equations of the module's head.
#[test]
fn level_limit_and_room_stay_what_they_are_said_to_be() {
    for watch in [NOBODY, Watch { high: 64, low: -64, blocks: 3 }, Watch { high: i64::MIN, low: i64::MAX, blocks: 0 }] {
        let limits = limits(watch);
        for (bytes, peak) in [(10_u64, 30), (100, 500), (7, 7)] {
            limits.alloc(bytes, || ());
            limits.set_peaks(peak, 2);
            let level = limits.level_bytes();
            let limit = peak.min(watch.high.max(-FAR));
            assert_eq!(limits.limit_bytes.signed(), limit, "{watch:?}");
            assert_eq!(limits.room_bytes.signed(), limit - level, "{watch:?}");
            assert_eq!(limits.most_room_bytes.signed(), limit.wrapping_sub(watch.low.clamp(-FAR, FAR)), "{watch:?}");
            assert_eq!(limits.blocks.room(), 2_i64.min(watch.blocks) - limits.level_blocks());
        }
    }
}
