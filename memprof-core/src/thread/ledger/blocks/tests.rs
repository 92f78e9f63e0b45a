//! All orders in which a thread's stores and a reader's loads can follow each other. What a machine may do beyond
//! that, show stores in another order, is kept from it by the fences that [`Blocks`] argues with.

use super::{Blank as _, Blocks, Version};
use crate::base::counter::Counter;

#[derive(Clone, Copy, Debug)]
enum Event {
    Alloc,
    Free,
}

/// What a reader could find at one moment.
#[derive(Clone, Copy, Debug)]
struct Moment {
    version: Version,
    /// Two numbers that each event adds to, as it does to those of a row.
    row: [u64; 2],
}

/// The moments that three events go through: one after each store, in the order that `begin_*` and `end_*` document.
fn moments(events: [Event; 3]) -> Vec<Moment> {
    let blocks = Blocks::BLANK;
    blocks.set_limit(LIMIT);
    let row = [Counter::new(0), Counter::new(0)];
    let mut moments = Vec::new();
    let now = |row: &[Counter; 2]| Moment {
        version: Version {
            room: blocks.room().cast_unsigned(),
            allocations: blocks.allocations(),
            level: blocks.level().cast_unsigned(),
        },
        row: row.each_ref().map(Counter::get),
    };
    moments.push(now(&row));
    for event in events {
        let before = now(&row).version;
        match event {
            Event::Alloc => blocks.begin_alloc(),
            Event::Free => blocks.begin_free(),
        }
        let begun = now(&row);
        if before.allocations != begun.version.allocations {
            // The room is taken before the allocation is counted.
            let version = Version { allocations: before.allocations, ..begun.version };
            moments.push(Moment { version, ..begun });
        }
        moments.push(begun);
        for number in &row {
            number.add(1);
            moments.push(now(&row));
        }
        match event {
            Event::Alloc => blocks.end_alloc(),
            Event::Free => blocks.end_free(),
        }
        moments.push(now(&row));
    }
    moments
}

const LIMIT: i64 = 10;

/// Calls `reader` with each choice of `READS` moments, none before the one in front of it.
fn each_order<const READS: usize>(moments: &[Moment], mut reader: impl FnMut([&Moment; READS])) {
    let mut at = [0; READS];
    loop {
        reader(at.map(|moment| &moments[moment]));
        // The last read that can still come later; those behind it come no earlier.
        let Some(read) = at.iter().rposition(|moment| moment + 1 < moments.len()) else { return };
        let next = at[read] + 1;
        at[read..].fill(next);
    }
}

fn each_program(mut run: impl FnMut(&[Moment])) {
    for program in 0..8 {
        run(&moments([0, 1, 2].map(|event| if program >> event & 1 == 0 { Event::Alloc } else { Event::Free })));
    }
}

#[test]
fn between_two_equal_versions_nothing_is_torn() {
    let mut whole = 0;
    each_program(|moments| {
        each_order(moments, |[a1, r1, l1, first, second, r2, l2, a2]| {
            let version = |a: &Moment, r: &Moment, l: &Moment| Version {
                room: r.version.room,
                allocations: a.version.allocations,
                level: l.version.level,
            };
            let before = version(a1, r1, l1);
            if before.is_quiet(LIMIT.cast_unsigned()) && before == version(a2, r2, l2) {
                assert_eq!(first.row[0], second.row[1]);
                whole += 1;
            }
        });
    });
    assert!(whole > 0, "something can be read");
}

#[test]
fn two_equal_copies_around_a_quiet_moment_are_not_torn() {
    let mut whole = 0;
    each_program(|moments| {
        each_order(moments, |[first, second, room, level, first_again, second_again]| {
            let quiet = Version { room: room.version.room, ..level.version }.is_quiet(LIMIT.cast_unsigned());
            let copies = [[first.row[0], second.row[1]], [first_again.row[0], second_again.row[1]]];
            if quiet && copies[0] == copies[1] {
                assert_eq!(copies[0][0], copies[0][1]);
                whole += 1;
            }
        });
    });
    assert!(whole > 0, "something can be read");
}

#[test]
fn an_event_under_way_and_one_that_came_and_went_are_seen() {
    let blocks = Blocks::BLANK;
    let quiet = || blocks.read_begin().expect("no event is under way");
    let version = quiet();
    blocks.begin_alloc();
    assert_eq!(blocks.read_begin(), None);
    blocks.end_alloc();
    assert!(!blocks.read_validate(version));
    let version = quiet();
    blocks.begin_free();
    assert_eq!(blocks.read_begin(), None);
    blocks.end_free();
    assert!(!blocks.read_validate(version));
    blocks.begin_alloc();
    blocks.end_alloc();
    assert!(!blocks.read_validate(version), "the level is what it was, but not the allocations");
    assert!(blocks.read_validate(quiet()));
}
