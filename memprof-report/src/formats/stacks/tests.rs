use super::{Amounts, Frames, MOST_FRAMES, Stacks};
use crate::{
    Measure,
    record::PathRecord,
    snapshot::{
        SpaceData,
        fixtures::{forest, named, site, space_of_tree},
    },
};

#[test]
fn the_parts_of_a_space_sum_to_its_totals_in_bytes_and_blocks() {
    for space in &forest().parts().spaces {
        let mut sums = Amounts::default();
        Stacks::of(space, &mut Frames::default()).parts().for_each(|(_, amounts)| sums.add(amounts));
        let totals = &space.totals;
        let expected = [
            [totals.at_peak_level.cast_signed(), totals.peak_blocks.cast_signed()],
            [totals.live, totals.live_blocks],
            [totals.total.cast_signed(), totals.blocks_total.cast_signed()],
        ];
        assert_eq!([sums.at_peak, sums.live, sums.allocated].map(|amount| [amount.bytes, amount.blocks]), expected);
    }
}

/// The texts of a stack.
fn texts(stacks: &Stacks, frames: &Frames<'_>, index: usize) -> Vec<String> {
    stacks.frames(index).into_iter().map(|frame| frames.all()[frame].to_string()).collect()
}

#[test]
fn frames_stand_outermost_first_and_the_part_outside_any_scope_last() {
    let snapshot = forest();
    let space = &snapshot.parts().spaces[0];
    let mut frames = Frames::default();
    let stacks = Stacks::of(space, &mut frames);
    let (index, _) = stacks.parts().nth(2).expect("a part");
    let expected = ["load (src/load.rs:10)", "Parser::parse (src/load.rs:40)", "load (src/load.rs:10)"];
    assert_eq!(texts(&stacks, &frames, index), expected);
    let (index, amounts) = stacks.parts().last().expect("a part");
    assert_eq!(texts(&stacks, &frames, index), ["(outside any scope)"]);
    assert_eq!(amounts.bytes(Measure::SelfTotal), 99_999);
}

/// Viewers tell frames by their text: DHAT's refuses a file in which a stack stands twice.
#[test]
fn paths_whose_frames_read_alike_are_one_stack() {
    let named = |name: &str, parent| PathRecord { self_total: 8, ..PathRecord::new(named(name, [1, 0, 0]), parent) };
    let sited = |parent| PathRecord { self_total: 1, ..PathRecord::new(site("a.rs", 1, "f", [1, 0, 0]), parent) };
    let tree = vec![named("f (a.rs:1)", None), sited(None), named("g", Some(0)), named("g", Some(1)), sited(Some(3))];
    let space = space_of_tree("host", tree, [[0, 0]; 3]);
    let mut frames = Frames::default();
    let stacks = Stacks::of(&space, &mut frames);
    let parts: Vec<_> =
        stacks.parts().map(|(index, amounts)| (texts(&stacks, &frames, index), amounts.allocated.bytes)).collect();
    let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let expected =
        [(text(&["f (a.rs:1)"]), 9), (text(&["f (a.rs:1)", "g"]), 16), (text(&["f (a.rs:1)", "g", "f (a.rs:1)"]), 1)];
    assert_eq!(parts, expected);
}

/// A file that nobody measured may have a path of any depth: what is written of it stays in proportion.
#[test]
fn what_is_further_in_than_five_hundred_frames_is_one_frame() {
    let chain = (0..1_000_usize).map(|depth| {
        let record = named(&format!("f{depth}"), [1, 0, 0]);
        PathRecord { self_total: 1, ..PathRecord::new(record, depth.checked_sub(1)) }
    });
    let space: SpaceData = space_of_tree("host", chain.collect(), [[0, 0]; 3]);
    let mut frames = Frames::default();
    let stacks = Stacks::of(&space, &mut frames);
    let (index, amounts) = stacks.parts().last().expect("a part");
    let texts = texts(&stacks, &frames, index);
    assert_eq!(
        (texts.len(), texts[MOST_FRAMES - 1].as_str(), texts[MOST_FRAMES].as_str()),
        (MOST_FRAMES + 1, "f511", "(frames further in)")
    );
    assert_eq!(amounts.bytes(Measure::SelfTotal), 488);
}
