use super::{Amounts, Frame, MOST_FRAMES, parts};
use crate::{
    Measure,
    record::PathRecord,
    snapshot::{
        SpaceData,
        fixtures::{forest, named, space_of_tree},
    },
};

#[test]
fn the_parts_of_a_space_sum_to_its_totals_in_bytes_and_blocks() {
    for space in &forest().parts().spaces {
        let mut sums = Amounts::default();
        parts(space).for_each(|part| sums.add(&part.amounts));
        let totals = &space.totals;
        let expected = [
            [totals.at_peak_level.cast_signed(), totals.peak_blocks.cast_signed()],
            [totals.live, totals.live_blocks],
            [totals.total.cast_signed(), totals.blocks_total.cast_signed()],
        ];
        assert_eq!([sums.at_peak, sums.live, sums.allocated].map(|amount| [amount.bytes, amount.blocks]), expected);
    }
}

#[test]
fn frames_stand_outermost_first_and_the_part_outside_any_scope_last() {
    let snapshot = forest();
    let space = &snapshot.parts().spaces[0];
    let frames: Vec<String> =
        parts(space).nth(2).into_iter().flat_map(|part| part.frames).map(|f| f.to_string()).collect();
    assert_eq!(frames, ["load (src/load.rs:10)", "Parser::parse (src/load.rs:40)", "load (src/load.rs:10)"]);
    let last = parts(space).last().expect("a part");
    assert_eq!(last.frames, [Frame::of_words("(outside any scope)".to_owned())]);
    assert_eq!(last.amounts.bytes(Measure::SelfTotal), 99_999);
}

/// A file that nobody measured may have a path of any depth: what is written of it stays in proportion.
#[test]
fn a_path_of_a_thousand_frames_keeps_the_innermost_and_says_how_many_are_further_out() {
    let chain = (0..1_000_usize).map(|depth| {
        let record = named(&format!("f{depth}"), [1, 0, 0]);
        PathRecord { self_total: 1, ..PathRecord::new(record, depth.checked_sub(1)) }
    });
    let space: SpaceData = space_of_tree("host", chain.collect(), [[0, 0]; 3]);
    let last = parts(&space).last().expect("a part");
    assert_eq!(last.frames.len(), MOST_FRAMES + 1);
    assert_eq!(last.frames[0].to_string(), "(488 frames further out)");
    assert_eq!(last.frames[1].to_string(), "f488");
    assert_eq!(last.frames[MOST_FRAMES].to_string(), "f999");
}
