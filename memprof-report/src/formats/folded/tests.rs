use super::write;
use crate::{Measure, Options, snapshot::Snapshot, snapshot::fixtures::forest};

fn lines(snapshot: &Snapshot, measure: Measure, space: Option<&str>) -> Vec<(String, i128)> {
    let options = Options { measure: Some(measure), space: space.map(str::to_owned), ..Options::default() };
    let mut out = Vec::new();
    write(snapshot, &options, &mut out).expect("nothing can fail in memory");
    let text = String::from_utf8(out).expect("UTF-8");
    // As the format's readers do: the last space is before the number.
    let split =
        |line: &str| line.rsplit_once(' ').map(|(stack, bytes)| (stack.to_owned(), bytes.parse().expect("bytes")));
    text.lines().map(|line| split(line).expect("a stack and its bytes")).collect()
}

#[test]
fn the_lines_of_each_space_sum_to_its_total_in_every_measure() {
    let snapshot = forest();
    for measure in Measure::ALL {
        let all = lines(&snapshot, *measure, None);
        for space in snapshot.spaces() {
            let whole = measure.whole(&snapshot.totals(space));
            let prefix = format!("[{space}];");
            let of_space = all.iter().filter(|(stack, _)| stack.starts_with(&prefix));
            assert_eq!(of_space.map(|(_, bytes)| bytes).sum::<i128>(), whole, "{space} {measure:?}");
            let alone = lines(&snapshot, *measure, Some(space));
            assert_eq!(alone.iter().map(|(_, bytes)| bytes).sum::<i128>(), whole, "{space} {measure:?} alone");
        }
    }
}

#[test]
fn a_name_that_has_the_formats_own_signs_is_one_frame_on_one_line() {
    let all = lines(&forest(), Measure::SelfTotal, Some("host"));
    let odd: Vec<&str> =
        all.iter().filter(|(stack, _)| stack.contains("odd")).map(|(stack, _)| stack.as_str()).collect();
    let inner: Vec<&str> =
        odd.iter().map(|stack| stack.strip_prefix("load (src/load.rs:10);layer 3;").expect("its path")).collect();
    assert_eq!(
        inner,
        [
            "</script><script>alert(1)</script> (src/<odd>.rs:1)",
            "a:b:c 12 (src/<odd>.rs:2)",
            r#"line\nbreak\tand "quotes" and \ (src/<odd>.rs:3)"#,
            r"\u{202e}right to left\u{2028} (src/<odd>.rs:4)",
            "<Vec<T, A> as Extend<&'a T>>::extend (src/<odd>.rs:5)",
            " (src/<odd>.rs:6)",
        ]
    );
}

#[test]
fn what_is_below_zero_stands_last_with_its_sign() {
    let all = lines(&forest(), Measure::Live, None);
    let (stack, bytes) = all.last().expect("a line");
    assert_eq!((stack.as_str(), *bytes), ("[host];load (src/load.rs:10);Parser::parse (src/load.rs:40)", -300));
    assert!(all[..all.len() - 1].iter().all(|(_, bytes)| *bytes > 0));
}
