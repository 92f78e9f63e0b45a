use serde_json::Value;

use super::write;
use crate::{Measure, Options, snapshot::fixtures::forest};

fn file() -> Value {
    let mut out = Vec::new();
    write(&forest(), &Options::default(), &mut out).expect("nothing can fail in memory");
    serde_json::from_slice(&out).expect("JSON")
}

#[test]
fn the_weights_of_each_profile_sum_to_the_total_of_its_space_and_measure() {
    let (file, snapshot) = (file(), forest());
    let profiles = file["profiles"].as_array().expect("profiles");
    let weights = |name: String| {
        let found = profiles.iter().find(|profile| profile["name"] == *name);
        let weights = found.map(|profile| {
            let weights = profile["weights"].as_array().expect("weights");
            let sum: u64 = weights.iter().filter_map(Value::as_u64).sum();
            assert_eq!(profile["samples"].as_array().map(Vec::len), Some(weights.len()));
            assert_eq!(profile["endValue"].as_u64(), Some(sum));
            assert_eq!(profile["unit"], "bytes");
            i128::from(sum)
        });
        weights.unwrap_or(0)
    };
    for space in snapshot.spaces() {
        for measure in Measure::ALL {
            let name = format!("{space}: {}", measure.name());
            let sum = weights(name.clone()) - weights(name.clone() + ", below zero");
            assert_eq!(sum, measure.whole(&snapshot.totals(space)), "{name}");
        }
    }
    assert_eq!(weights("host: live, below zero".to_owned()), 300);
    assert_eq!(profiles.len(), 7);
}

#[test]
fn a_sample_names_frames_that_are_there_from_the_outermost_on() {
    let file = file();
    let frames = file["shared"]["frames"].as_array().expect("frames");
    let name = |index: &Value| frames[index.as_u64().expect("an index") as usize]["name"].as_str().expect("a name");
    let samples = file["profiles"][0]["samples"].as_array().expect("samples");
    let stacks: Vec<Vec<&str>> =
        samples.iter().filter_map(Value::as_array).map(|stack| stack.iter().map(name).collect()).collect();
    assert!(stacks.contains(&vec!["load (src/load.rs:10)", "Parser::parse (src/load.rs:40)"]));
    assert!(stacks.contains(&vec![
        "load (src/load.rs:10)",
        "layer 3",
        "line\nbreak\tand \"quotes\" and \\ (src/<odd>.rs:3)"
    ]));
}
