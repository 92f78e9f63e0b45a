use super::{Colour, MOST_FRAMES, fitting, layout::Layout, write};
use crate::{
    Measure, Options,
    record::PathRecord,
    snapshot::{
        Snapshot,
        fixtures::{forest, measuring, named, space_of_tree},
    },
};

fn options(measure: Measure, space: Option<&str>) -> Options {
    Options { measure: Some(measure), space: space.map(str::to_owned), ..Options::default() }
}

fn text(snapshot: &Snapshot, options: &Options) -> String {
    let mut out = Vec::new();
    write(snapshot, options, &mut out).expect("nothing can fail in memory");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn the_outermost_frames_sum_to_the_total_less_what_is_below_zero() {
    let snapshot = forest();
    for measure in Measure::ALL {
        for space in snapshot.spaces() {
            let layout = Layout::new(&snapshot, &options(*measure, Some(space)), *measure);
            assert_eq!(layout.whole + layout.below_zero, measure.whole(&snapshot.totals(space)), "{space} {measure:?}");
        }
    }
}

/// A frame lies within the one around it, and beside its neighbours.
#[test]
fn frames_do_not_overlap_and_lie_within_those_around_them() {
    let layout = Layout::new(&forest(), &options(Measure::SelfTotal, None), Measure::SelfTotal);
    for pair in layout.boxes.windows(2).filter(|pair| pair[0].depth == pair[1].depth) {
        assert!(pair[0].start + pair[0].bytes <= pair[1].start, "{pair:?}");
    }
    for inner in layout.boxes.iter().filter(|frame| frame.depth > 0) {
        let around = layout.boxes.iter().filter(|outer| outer.depth + 1 == inner.depth);
        let holds =
            |outer: &&super::Box| outer.start <= inner.start && inner.start + inner.bytes <= outer.start + outer.bytes;
        assert_eq!(around.filter(holds).count(), 1, "{inner:?}");
    }
    let spaces: Vec<&str> =
        layout.boxes.iter().filter(|frame| frame.depth == 0).map(|frame| frame.text.as_str()).collect();
    assert_eq!(spaces, ["[cuda:0]", "[host]"]);
}

#[test]
fn names_are_text_whatever_they_hold() {
    let text = text(&forest(), &options(Measure::AtPeak, Some("host")));
    assert!(text.contains("<title>&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; (src/&lt;odd&gt;.rs:1): 8,000 bytes (3.34 %)</title>"), "{text}");
    assert!(!text.contains("<script") && !text.contains('\u{202e}'));
    assert_eq!(text.matches("<g>").count(), text.matches("</g>").count());
    assert!(text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" ") && text.ends_with("</svg>\n"));
    assert!(text.contains("<text class=\"words\" x=\"10\" y=\"25\">host: 239,560 bytes held at the peak</text>"));
}

#[test]
fn what_is_not_drawn_is_said() {
    let live = text(&forest(), &options(Measure::Live, Some("host")));
    assert!(
        live.contains("not drawn: -300 bytes of paths of which more was freed than is known to have been allocated")
    );

    let mut paths = vec![PathRecord { self_total: 1 << 30, ..PathRecord::new(named("great", [1, 0, 0]), None) }];
    let small =
        |index| PathRecord { self_total: 1, ..PathRecord::new(named(&format!("small {index}"), [1, 0, 0]), None) };
    paths.extend((0..50).map(small));
    let snapshot = Snapshot::new(measuring(vec![space_of_tree("host", paths, [[0, 0]; 3])]));
    assert!(
        text(&snapshot, &options(Measure::SelfTotal, None)).contains(">50 frames are too small to be drawn</text>")
    );
}

#[test]
fn the_picture_of_many_equal_paths_has_a_bounded_number_of_frames() {
    let path = |index: usize| PathRecord {
        self_total: 1,
        ..PathRecord::new(named(&format!("f{index}"), [1, 0, 0]), Some(index / 4).filter(|parent| *parent < index))
    };
    let snapshot = Snapshot::new(measuring(vec![space_of_tree("host", (0..20_000).map(path).collect(), [[0, 0]; 3])]));
    let text = text(&snapshot, &options(Measure::SelfTotal, None));
    assert!(text.matches("<g>").count() <= MOST_FRAMES);
}

#[test]
fn a_text_is_cut_where_it_has_no_room_and_left_out_where_three_characters_have_none() {
    assert_eq!(fitting("load", 36.0).as_deref(), Some("load"));
    assert_eq!(fitting("loader", 36.0).as_deref(), Some("loa…"));
    assert_eq!(fitting("loader", 28.0), None);
}

#[test]
fn a_file_has_one_colour_and_what_has_no_file_is_grey() {
    assert_eq!(Colour::of("src/load.rs").to_string(), Colour::of("src/load.rs").to_string());
    assert_ne!(Colour::of("src/load.rs").to_string(), Colour::of("src/save.rs").to_string());
    assert_eq!(Colour::of("").to_string(), "#d0d7de");
}

#[test]
fn nothing_to_show_is_a_picture_all_the_same() {
    let text = text(&Snapshot::new(measuring(Vec::new())), &Options::default());
    assert!(text.ends_with("</svg>\n") && !text.contains("NaN") && !text.contains("inf"), "{text}");
}
