use std::collections::HashSet;

use serde_json::Value;

use super::write;
use crate::{
    Options,
    record::PathRecord,
    snapshot::{
        Snapshot,
        fixtures::{forest, measuring, site, space_of_tree},
    },
};

fn file(snapshot: &Snapshot) -> Value {
    let mut out = Vec::new();
    write(snapshot, &Options::default(), &mut out).expect("nothing can fail in memory");
    serde_json::from_slice(&out).expect("JSON")
}

#[test]
fn the_program_points_of_each_space_sum_to_its_totals() {
    let (snapshot, file) = (forest(), file(&forest()));
    let frames: Vec<&str> = file["ftbl"].as_array().expect("frames").iter().filter_map(Value::as_str).collect();
    assert_eq!(frames[0], "[root]");
    let points = file["pps"].as_array().expect("program points");
    for space in snapshot.spaces() {
        let is_of_space = |point: &&Value| {
            let outermost = point["fs"].as_array().and_then(|fs| fs.last()).and_then(Value::as_u64).expect("a frame");
            frames[outermost as usize] == format!("[{space}]")
        };
        let sum = |key: &str| points.iter().filter(is_of_space).filter_map(|point| point[key].as_i64()).sum::<i64>();
        let totals = snapshot.totals(space);
        assert_eq!([sum("tb"), sum("tbk")], [totals.total.cast_signed(), totals.blocks_total.cast_signed()], "{space}");
        assert_eq!(
            [sum("gb"), sum("gbk")],
            [totals.at_peak_level.cast_signed(), totals.peak_blocks.cast_signed()],
            "{space}"
        );
        assert_eq!([sum("eb"), sum("ebk")], [totals.live, totals.live_blocks], "{space}");
    }
}

/// `dh_view.html` refuses a file with "a repeated location".
#[test]
fn paths_whose_frames_read_alike_are_one_program_point() {
    let path =
        || PathRecord { self_total: 5, self_blocks: 1, ..PathRecord::new(site("a.rs", 1, "f", [1, 0, 0]), None) };
    let snapshot = Snapshot::new(measuring(vec![space_of_tree("host", vec![path(), path()], [[0, 0]; 3])]));
    let file = file(&snapshot);
    assert_eq!(file["pps"].as_array().map(Vec::len), Some(1));
    assert_eq!([&file["pps"][0]["tb"], &file["pps"][0]["tbk"]], [10, 2]);
    let points: HashSet<String> = super::tests::file(&forest())["pps"]
        .as_array()
        .expect("points")
        .iter()
        .map(|point| point["fs"].to_string())
        .collect();
    assert_eq!(points.len(), 4 + 6 + 1 + 2);
}
