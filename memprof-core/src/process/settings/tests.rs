use std::{ffi::OsString, time::Duration};

use super::{Address, Increase, Settings, TOKENS, Token, distance, unknown_variables, without_effect};
use memprof_report::{Field, Format, Options};

use crate::process::output::Output;

const FIELDS: &str = "name, file, line, function, ncalls, memory_peak, memory_total, blocks_total, self_total, self_blocks, reallocs, failed, live, live_blocks, at_peak, at_peak_blocks, temporary, largest, kept, kept_calls";

/// What these variables give.
fn read(variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
    Settings::read(|name| {
        let (_, value) = variables.iter().find(|(variable, _)| *variable == name)?;
        Some(OsString::from(value))
    })
}

/// The one line that this value gives; it must count as unset.
fn problem(name: &str, value: &str) -> String {
    let (settings, mut problems) = read(&[(name, value)]);
    assert_eq!(settings, Settings::default(), "{name}={value}");
    assert_eq!(problems.len(), 1, "{name}={value}: {problems:?}");
    problems.remove(0)
}

#[test]
fn nothing_set_is_off_with_the_default_report() {
    let off = Settings {
        enabled: false,
        output: None,
        interval: None,
        rise: None,
        signal: None,
        intercept_cuda: false,
        label: None,
        http: None,
        http_token: None,
        report: Options::default(),
    };
    assert_eq!(read(&[]), (off, Vec::new()));
}

#[test]
fn the_switch_takes_its_words_in_any_case_and_trimmed() {
    for (value, enabled) in [
        ("1", true),
        ("true", true),
        (" ON\n", true),
        ("True", true),
        ("0", false),
        ("false", false),
        ("Off ", false),
        ("", false),
        ("  ", false),
    ] {
        assert_eq!(read(&[("MEMPROF", value)]), (Settings { enabled, ..Settings::default() }, vec![]), "{value}");
    }
}

#[test]
fn good_values_are_taken() {
    let (settings, problems) = read(&[
        ("MEMPROF", "1"),
        ("MEMPROF_OUTPUT", "dir x/%p.JSON"),
        ("MEMPROF_ORDER", " live "),
        ("MEMPROF_COLUMNS", "ncalls, at_peak ,filename:lineno(function)"),
        ("MEMPROF_INTERVAL", "500ms"),
        ("MEMPROF_RISE", "64MiB"),
        ("MEMPROF_SIGNAL", "USR2"),
        ("MEMPROF_ROWS", "20"),
        ("MEMPROF_TREE", "on"),
        ("MEMPROF_CUDA", "Intercept"),
        ("MEMPROF_LABEL", " rank 3"),
        ("MEMPROF_HTTP", "0.0.0.0:6060"),
        ("MEMPROF_HTTP_TOKEN", "secret"),
    ]);
    assert_eq!(problems, [""; 0]);
    let columns = Some(vec![Field::Ncalls, Field::AtPeak, Field::Name]);
    let mut report = Options::default();
    (report.order, report.columns, report.rows, report.tree) = (Field::Live, columns, Some(20), true);
    let expected = Settings {
        enabled: true,
        output: Output::parse("dir x/%p.JSON"),
        interval: Some(Duration::from_millis(500)),
        rise: Some(Increase::Bytes(64 << 20)),
        signal: Some(libc::SIGUSR2),
        intercept_cuda: true,
        label: Some(" rank 3".to_owned()),
        http: Address::parse("0.0.0.0:6060"),
        http_token: Token::parse("secret"),
        report,
    };
    assert_eq!(settings, expected);
}

#[test]
fn a_token_is_in_no_line_and_without_it_nothing_is_answered() {
    let settings = |variables: &[(&str, &str)]| {
        let (settings, problems) = read(variables);
        (settings.http.is_some(), settings.http_token.is_some(), problems.len())
    };
    let local = ("MEMPROF_HTTP", "127.0.0.1:0");
    assert_eq!(settings(&[local]), (true, false, 0));
    assert_eq!(settings(&[local, ("MEMPROF_HTTP_TOKEN", "t")]), (true, true, 0));
    assert_eq!(settings(&[("MEMPROF_HTTP", "0.0.0.0:0")]), (false, false, 1));
    assert_eq!(settings(&[local, ("MEMPROF_HTTP_TOKEN", "s p")]), (false, false, 1));
    let problem = problem("MEMPROF_HTTP_TOKEN", "secret");
    assert_eq!(problem, format!("memprof: MEMPROF_HTTP_TOKEN=‘***’ is ignored; accepted: {TOKENS}"));
}

#[test]
fn a_rise_is_a_share_of_the_mark_or_bytes() {
    let rise = |value| {
        let (settings, problems) = read(&[("MEMPROF_OUTPUT", "a.txt"), ("MEMPROF_RISE", value)]);
        assert_eq!(settings.rise.is_none(), problems.len() == 1, "{value}: {problems:?}");
        settings.rise.map(|rise| rise.over(1_000_000))
    };
    for (value, bytes) in [("5%", 50_000), ("0.5 %", 5_000), ("7B", 7)] {
        assert_eq!(rise(value), Some(bytes), "{value}");
    }
    for value in ["5", "%", "0%", "-1%", "+1%", "1.5.%"] {
        assert_eq!(rise(value), None, "{value}");
    }
    // Amounts as memprof reads them everywhere, but for those that leave the unit to be guessed.
    let amounts: &[(&str, Result<u64, &str>)] = include!("../../../../memprof-report/src/units/table.rs");
    for (value, bytes) in amounts.iter().filter(|(value, _)| !value.trim().is_empty() && !value.ends_with('%')) {
        let expected = bytes.ok().filter(|_| value.trim().ends_with('B')).map(i128::from);
        assert_eq!(rise(value), expected, "{value}");
    }
    let alone = "memprof: MEMPROF_RISE=‘5%’ is ignored; accepted: only together with MEMPROF_OUTPUT";
    assert_eq!(problem("MEMPROF_RISE", "5%"), alone);
}

#[test]
fn a_setting_that_does_nothing_here_is_said_once() {
    let values =
        [("MEMPROF_ROWS", "20"), ("MEMPROF_ORDER", "weight"), ("MEMPROF_COLUMNS", " "), ("MEMPROF_RECORD", "a")];
    let variable = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
    let (settings, said) = Settings::read(variable);
    assert_eq!((settings.enabled, said.len()), (false, 1), "{said:?}");
    let rows = "memprof: MEMPROF_ROWS has no effect without MEMPROF=1".to_owned();
    let record = "memprof: MEMPROF_RECORD has no effect in this version".to_owned();
    assert_eq!(without_effect(variable, false, &said), [rows, record.clone()]);
    assert_eq!(without_effect(variable, true, &said), [record]);
}

#[test]
fn every_field_orders_and_makes_a_column() {
    let (settings, problems) = read(&[("MEMPROF_COLUMNS", FIELDS), ("MEMPROF_ORDER", "largest")]);
    assert_eq!((settings.report.columns, problems), (Some(Field::ALL.to_vec()), vec![]));
    assert_eq!(settings.report.order, Field::Largest);
}

#[test]
fn the_short_words_for_fields_are_taken_and_all_is_every_column() {
    let (settings, problems) = read(&[("MEMPROF_COLUMNS", "peak,total, all"), ("MEMPROF_ORDER", "total")]);
    let columns: Vec<Field> = [Field::MemoryPeak, Field::MemoryTotal].iter().chain(Field::ALL).copied().collect();
    assert_eq!((settings.report.columns, problems), (Some(columns), vec![]));
    assert_eq!(settings.report.order, Field::MemoryTotal);
    problem("MEMPROF_ORDER", "all");
}

#[test]
fn an_empty_value_is_unset() {
    let names = [
        "MEMPROF",
        "MEMPROF_OUTPUT",
        "MEMPROF_ORDER",
        "MEMPROF_COLUMNS",
        "MEMPROF_INTERVAL",
        "MEMPROF_ROWS",
        "MEMPROF_TREE",
        "MEMPROF_CUDA",
        "MEMPROF_LABEL",
    ];
    assert_eq!(read(&names.map(|name| (name, ""))), (Settings::default(), vec![]));
}

#[test]
fn a_bad_switch_is_one_line() {
    let line = problem("MEMPROF", "yes");
    assert_eq!(line, "memprof: MEMPROF=‘yes’ is ignored; accepted: 1, true, on, 0, false, off");
    problem("MEMPROF", "2");
    let line = problem("MEMPROF_TREE", "deep");
    assert_eq!(line, "memprof: MEMPROF_TREE=‘deep’ is ignored; accepted: 1, true, on, 0, false, off");
}

#[test]
fn a_bad_output_is_one_line() {
    let line = problem("MEMPROF_OUTPUT", "a\nb.doc");
    let endings = Format::endings();
    let expected = format!(
        r"memprof: MEMPROF_OUTPUT=‘a\nb.doc’ is ignored; accepted: a file name in UTF-8 that ends in one of {endings}"
    );
    assert_eq!(line, expected);
    problem("MEMPROF_OUTPUT", "report");
    problem("MEMPROF_OUTPUT", "report.%p");
}

#[test]
fn a_bad_order_is_one_line() {
    let line = problem("MEMPROF_ORDER", "size");
    assert_eq!(line, format!("memprof: MEMPROF_ORDER=‘size’ is ignored; accepted: one of {FIELDS}, peak, total"));
    problem("MEMPROF_ORDER", "ncalls,live");
}

#[test]
fn a_bad_column_is_one_line() {
    let line = problem("MEMPROF_COLUMNS", "ncalls,size");
    let expected = format!(
        "memprof: MEMPROF_COLUMNS=‘ncalls,size’ is ignored; accepted: a comma-separated list of {FIELDS}, peak, total, all"
    );
    assert_eq!(line, expected);
    problem("MEMPROF_COLUMNS", "ncalls,");
    problem("MEMPROF_COLUMNS", ",");
}

#[test]
fn a_bad_way_to_measure_cuda_is_one_line() {
    let line = problem("MEMPROF_CUDA", "yes");
    assert_eq!(line, "memprof: MEMPROF_CUDA=‘yes’ is ignored; accepted: intercept");
}

#[test]
fn a_bad_number_of_rows_is_one_line() {
    let line = problem("MEMPROF_ROWS", "many");
    assert_eq!(line, "memprof: MEMPROF_ROWS=‘many’ is ignored; accepted: a whole number from 1");
    for value in ["0", "-1", "+1", "1.5", "1,000", "99999999999999999999"] {
        problem("MEMPROF_ROWS", value);
    }
}

#[test]
fn an_interval_is_a_number_and_its_unit() {
    for (value, milliseconds) in [
        ("1ms", Some(1)),
        ("10s", Some(10_000)),
        (" 2m ", Some(120_000)),
        ("1h", Some(3_600_000)),
        ("0s", None),
        ("000ms", None),
        ("10", None),
        ("s", None),
        ("-1s", None),
        ("+1s", None),
        ("1.5s", None),
        ("1 s", None),
        ("1s1", None),
        ("1d", None),
        ("١s", None),
        ("99999999999999999999s", None),
        ("18446744073709551615h", None),
    ] {
        let (settings, problems) = read(&[("MEMPROF_OUTPUT", "a.txt"), ("MEMPROF_INTERVAL", value)]);
        assert_eq!(settings.interval, milliseconds.map(Duration::from_millis), "{value}");
        let line = format!(
            "memprof: MEMPROF_INTERVAL=‘{value}’ is ignored; accepted: a whole number from 1 and its unit, such as 500ms, 10s, 2m or 1h"
        );
        assert_eq!(problems, if milliseconds.is_none() { vec![line] } else { vec![] });
    }
}

#[test]
fn an_interval_needs_an_output_that_is_taken() {
    let without = "memprof: MEMPROF_INTERVAL=‘10s’ is ignored; accepted: only together with MEMPROF_OUTPUT";
    assert_eq!(problem("MEMPROF_INTERVAL", "10s"), without);
    let (settings, problems) = read(&[("MEMPROF_INTERVAL", "10s"), ("MEMPROF_OUTPUT", "a.doc")]);
    assert_eq!(settings, Settings::default());
    assert_eq!((problems.len(), problems[1].as_str()), (2, without));
}

#[test]
#[cfg(unix)]
fn a_value_that_is_not_utf8_is_one_line() {
    use std::os::unix::ffi::OsStringExt as _;

    let bytes = || OsString::from_vec(b"a\xff.txt".to_vec());
    let (settings, problems) =
        Settings::read(|name| (!["MEMPROF_INTERVAL", "MEMPROF_RISE"].contains(&name)).then(bytes));
    assert_eq!(settings, Settings::default());
    assert_eq!(problems.len(), 11);
    let endings = Format::endings();
    let expected = format!(
        "memprof: MEMPROF_OUTPUT=‘a\u{fffd}.txt’ is ignored; accepted: a file name in UTF-8 that ends in one of {endings}"
    );
    assert_eq!(problems[1], expected);
}

#[test]
fn an_unknown_variable_is_told_with_the_nearest_one() {
    let names = [
        "PATH",
        "MEMPROF",
        "MEMPROF_CUDA",
        "MEMPROF_HTTP",
        "MEMPROF_RECORD",
        "MEMPROF_OUTPTU",
        "MEMPROF_ROW",
        "MEMPROFF",
    ];
    let lines = unknown_variables(names.map(OsString::from));
    let expected = [
        "memprof: MEMPROF_OUTPTU is not a variable that memprof reads; the nearest is MEMPROF_OUTPUT",
        "memprof: MEMPROF_ROW is not a variable that memprof reads; the nearest is MEMPROF_ROWS",
        "memprof: MEMPROFF is not a variable that memprof reads; the nearest is MEMPROF",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn distance_counts_what_must_change() {
    for (a, b, changes) in [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)] {
        assert_eq!(distance(a, b), changes, "{a} {b}");
    }
}
