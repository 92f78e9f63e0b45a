use super::{Measure, Node, OUTSIDE, weigh};
use crate::{
    record::{PathRecord, Record, Totals},
    snapshot::fixtures::site,
};

fn path(function: &str, parent: Option<usize>, [at_peak, self_total]: [u64; 2], live: i64) -> PathRecord {
    PathRecord::new(Record { self_total, live, at_peak, ..site("a.rs", 7, function, [1, 0, 0]) }, parent)
}

/// main(10) > [load(5) > parse(1), show(-3)], and 4 outside, live.
fn tree() -> (Vec<PathRecord>, Totals) {
    let tree = vec![
        path("main", None, [1, 100], 10),
        path("load", Some(0), [2, 200], 5),
        path("parse", Some(1), [4, 400], 1),
        path("show", Some(0), [8, 800], -3),
    ];
    let totals = Totals {
        live: 17,
        no_scope_live: 4,
        at_peak_level: 31,
        no_scope_at_peak: 16,
        total: 3100,
        no_scope_total: 1600,
        ..Totals::default()
    };
    (tree, totals)
}

#[test]
fn own_parts_and_the_part_outside_sum_to_the_whole_in_every_measure() {
    let (tree, totals) = tree();
    for (measure, own, with_children) in [
        (Measure::AtPeak, [1, 2, 4, 8, 16], [15, 6, 4, 8, 16]),
        (Measure::Live, [10, 5, 1, -3, 4], [13, 6, 1, -3, 4]),
        (Measure::SelfTotal, [100, 200, 400, 800, 1600], [1500, 600, 400, 800, 1600]),
    ] {
        let nodes = weigh(&tree, &totals, measure);
        let of = |part: fn(&Node<'_>) -> i128| nodes.iter().map(part).collect::<Vec<_>>();
        assert_eq!(of(|node| node.own), own);
        assert_eq!(of(|node| node.with_children), with_children);
        assert_eq!(own.iter().sum::<i128>(), measure.whole(&totals));
        let roots = nodes.iter().filter(|node| node.parent.is_none());
        assert_eq!(roots.map(|node| node.with_children).sum::<i128>(), measure.whole(&totals));
    }
}

#[test]
fn a_node_is_named_by_its_innermost_site_and_what_is_outside_by_its_own_words() {
    let (tree, totals) = tree();
    let nodes = weigh(&tree, &totals, Measure::Live);
    assert_eq!((nodes[2].name(), nodes[2].frame().as_str()), ("a.rs:7(parse)", "parse (a.rs:7)"));
    assert_eq!((nodes[4].name(), nodes[4].frame().as_str()), (OUTSIDE, OUTSIDE));
    let named = Record { name: "layer; 3".to_owned(), function: "layer; 3".to_owned(), ..Record::default() };
    let named = [PathRecord::new(named, None)];
    assert_eq!(weigh(&named, &totals, Measure::Live)[0].frame(), "layer; 3");
}

#[test]
fn a_measure_is_found_by_its_fields_name() {
    for measure in Measure::ALL {
        assert_eq!(Measure::parse(measure.name()), Some(*measure));
    }
    assert_eq!(Measure::parse("memory_peak"), None);
}

#[test]
fn a_tree_of_extreme_numbers_is_weighed_without_overflow() {
    let tree: Vec<PathRecord> =
        (0..4).map(|index: usize| path("f", index.checked_sub(1), [u64::MAX; 2], i64::MIN)).collect();
    let nodes = weigh(&tree, &Totals::default(), Measure::Live);
    assert_eq!(nodes[0].with_children, 4 * i128::from(i64::MIN));
    let nodes = weigh(&tree, &Totals::default(), Measure::AtPeak);
    assert_eq!(nodes[0].with_children, 4 * i128::from(u64::MAX));
}
