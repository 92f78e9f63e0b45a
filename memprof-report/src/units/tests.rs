//! What is understood, and what is said of anything else.

use std::time::Duration;

use super::{AMOUNTS, Increase, bytes, time};

const AMOUNTS_OF_MEMORY: &[(&str, Result<u64, &str>)] = include!("table.rs");

#[test]
fn an_amount_is_exact_or_refused() {
    for (text, expected) in AMOUNTS_OF_MEMORY {
        let expected = expected.map_err(|what| format!("{what}; accepted: {AMOUNTS}"));
        assert_eq!(bytes(text), expected, "{text}");
    }
}

#[test]
fn an_increase_is_an_amount_or_a_share_rounded_down() {
    let over = |text: &str, base| Increase::parse(text).map(|increase| (increase.over(base), increase.is_none()));
    for (text, base, more, is_none) in [
        ("0 %", 1_000, 0, true),
        ("0.00%", 1_000, 0, true),
        ("0 B", 1_000, 0, true),
        ("2 %", 1_049, 20, false),
        ("0.1%", 1_999, 1, false),
        (" 2.50 % ", 1_000, 25, false),
        ("250%", 10, 25, false),
        ("50 %", -7, 0, false),
        ("64 KiB", -7, 65_536, false),
        ("5", 0, 5, false),
        ("18446744073709551615 %", i128::MAX, i128::MAX / 100, false),
    ] {
        assert_eq!(over(text, base), Some((more, is_none)), "{text}");
    }
    for text in [
        "",
        "%",
        "-1 %",
        "+1 %",
        "1.5. %",
        ".5 %",
        "2 percent",
        "x",
        "0.00000000000000000001 %",
        "18446744073709551616 %",
    ] {
        assert_eq!(over(text, 0), None, "{text}");
    }
    for (text, expected) in AMOUNTS_OF_MEMORY.iter().filter(|(text, _)| !text.ends_with('%')) {
        assert_eq!(Increase::parse(text), expected.ok().map(Increase::Bytes), "{text}");
    }
}

#[test]
fn a_time_is_a_whole_number_and_its_unit() {
    for (text, milliseconds) in [
        ("1ms", Some(1)),
        ("10s", Some(10_000)),
        (" 2m ", Some(120_000)),
        ("1h", Some(3_600_000)),
        ("18446744073709551615ms", Some(u64::MAX)),
        ("18446744073709551615s", None),
        ("18446744073709551616ms", None),
        ("", None),
        ("10", None),
        ("s", None),
        ("0s", None),
        ("1.5s", None),
        ("+1s", None),
        ("-1s", None),
        ("10 s", None),
        ("10S", None),
        ("1us", None),
        ("1min", None),
    ] {
        assert_eq!(time(text), milliseconds.map(Duration::from_millis), "{text}");
    }
}
