//! What holds of every format, whatever the snapshot: nothing panics, and each file is one that its readers take.

use std::{collections::HashSet, io::Read as _};

use memprof_report::{Format, Measure, Options, Report, Snapshot};
use serde_json::Value;

/// The longest page.
const MOST_BYTES_OF_A_PAGE: usize = 5_000_000;

/// Tests the law on the profile that `bytes` are, if they are one.
///
/// # Panics
///
/// Where it does not hold, with what is wrong.
pub fn holds_of_bytes(bytes: &[u8]) {
    if let Ok(snapshot) = serde_json::from_slice::<Snapshot>(bytes) {
        holds(&snapshot);
    }
}

/// Tests the law on `snapshot`.
///
/// # Panics
///
/// Where it does not hold, with what is wrong.
pub fn holds(snapshot: &Snapshot) {
    let json = written(&snapshot.report(), Format::Json);
    let again: Snapshot = serde_json::from_slice(&json).expect("a profile that was written is read");
    assert!(written(&again.report(), Format::Json) == json, "a profile that was read back is another one");

    let spaces = snapshot.spaces().map(Some).chain([None]);
    for (space, measure) in spaces.flat_map(|space| Measure::ALL.iter().map(move |measure| (space, *measure))) {
        let report = snapshot.report().measure(measure);
        let report = if let Some(space) = space { report.space(space) } else { report };
        // The others are the same in every measure, but for the one that a page begins with.
        let shows_one = |format: &&Format| [Format::Svg, Format::Folded, Format::Speedscope].contains(format);
        for format in Format::ALL.iter().filter(|format| measure == Measure::AtPeak || shows_one(format)) {
            is_read(*format, &written(&report, *format));
        }
        for rows in [0, 3, usize::MAX] {
            for format in [Format::Text, Format::Markdown, Format::Csv] {
                is_read(format, &written(&report.clone().tree(true).rows(rows), format));
                if measure == Measure::AtPeak {
                    is_read(format, &written(&report.clone().rows(rows), format));
                }
            }
        }
    }
    differs_from_nothing(snapshot);
}

/// The difference to a snapshot of nothing, both ways, and to itself.
fn differs_from_nothing(snapshot: &Snapshot) {
    let nothing = r#"{"schema_version":1,"state":{"enabled":true,"host":"measured","scopes_entered":true},"notes":[],"spaces":[]}"#;
    let nothing: Snapshot = serde_json::from_str(nothing).expect("a profile of nothing");
    for diff in [snapshot.diff(&nothing), nothing.diff(snapshot), snapshot.diff(snapshot)] {
        for format in memprof_report::DiffReport::FORMATS {
            let mut out = Vec::new();
            diff.report().format(*format).write(&mut out).expect("nothing can fail in memory");
            is_read(*format, &out);
        }
    }
    let mut out = Vec::new();
    memprof_report::write_html_diff(snapshot, &nothing, &Options::default(), &mut out)
        .expect("nothing can fail in memory");
    is_read(Format::Html, &out);
}

fn written(report: &Report<'_>, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    report.clone().format(format).write(&mut out).expect("nothing can fail in memory");
    out
}

/// The file has the form that its readers want.
fn is_read(format: Format, file: &[u8]) {
    match format {
        Format::Text | Format::Markdown => is_lines(text(file)),
        Format::Json => drop(serde_json::from_slice::<Value>(file).expect("JSON")),
        Format::Csv => is_table(file),
        Format::Html => is_page(text(file)),
        Format::Svg => is_picture(text(file)),
        Format::Folded => is_stacks(text(file)),
        Format::Pprof => is_message(&unpacked(file)),
        Format::Speedscope => has_samples(file),
        Format::Dhat => has_points(file),
        Format::Perfetto => is_message(file),
        Format::OpenMetrics => is_series(text(file)),
        other => panic!("nothing is known of {other:?}"),
    }
}

fn text(file: &[u8]) -> &str {
    std::str::from_utf8(file).expect("UTF-8")
}

/// No name breaks a line, moves the cursor or leaves blanks at an end.
fn is_lines(text: &str) {
    assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{text:?}");
    for line in text.lines() {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

fn is_table(file: &[u8]) {
    let mut reader = csv::Reader::from_reader(file);
    let columns = reader.headers().expect("titles").len();
    for row in reader.records() {
        assert_eq!(row.expect("a row of as many columns").len(), columns);
    }
}

fn is_page(page: &str) {
    assert!(page.len() <= MOST_BYTES_OF_A_PAGE, "{} bytes", page.len());
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    let data = page.split_once("<script type=\"application/json\" id=\"profile\">").expect("the data").1;
    let data = data.split_once("</script>").expect("their end").0;
    serde_json::from_str::<Value>(data).expect("the data are JSON");
}

fn is_picture(picture: &str) {
    roxmltree::Document::parse(picture).unwrap_or_else(|error| panic!("{error}: {picture}"));
    assert!(!picture.contains("NaN") && !picture.contains("\"inf") && !picture.contains("\"-inf"));
}

fn is_stacks(text: &str) {
    for line in text.lines() {
        let (stack, bytes) = line.rsplit_once(' ').expect("a stack and its bytes");
        assert!(stack.split(';').all(|frame| !frame.is_empty()), "{line:?}");
        bytes.parse::<i64>().expect("bytes");
    }
}

fn unpacked(file: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut message).expect("gzip");
    message
}

/// Fields of a protocol buffer, one after another, to the last byte.
fn is_message(mut message: &[u8]) {
    let varint = |message: &mut &[u8]| {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let (byte, rest) = message.split_first().expect("a varint that ends");
            *message = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift).expect("at most 64 bits");
            shift += 7;
            if *byte < 0x80 {
                return value;
            }
        }
    };
    while !message.is_empty() {
        match varint(&mut message) & 7 {
            0 => drop(varint(&mut message)),
            2 => {
                let length = usize::try_from(varint(&mut message)).expect("a length");
                message = message.split_at_checked(length).expect("as many bytes as it says").1;
            }
            other => panic!("wire type {other}"),
        }
    }
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("no {key}"))
}

fn has_samples(file: &[u8]) {
    let file: Value = serde_json::from_slice(file).expect("JSON");
    let frames = items(&file["shared"], "frames").len() as u64;
    for profile in items(&file, "profiles") {
        let samples = items(profile, "samples");
        assert_eq!(samples.len(), items(profile, "weights").len());
        let mut indices = samples.iter().flat_map(|stack| stack.as_array().expect("a stack"));
        assert!(indices.all(|index| index.as_u64().is_some_and(|index| index < frames)));
    }
}

fn has_points(file: &[u8]) {
    let file: Value = serde_json::from_slice(file).expect("JSON");
    let frames = items(&file, "ftbl").len() as u64;
    let mut seen = HashSet::new();
    for point in items(&file, "pps") {
        let stack = items(point, "fs");
        assert!(stack.iter().all(|index| index.as_u64().is_some_and(|index| index < frames)));
        assert!(seen.insert(point["fs"].to_string()), "a stack stands twice");
    }
}

fn is_series(text: &str) {
    assert!(text.ends_with("\n# EOF\n"));
    let mut seen = HashSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a series and its value");
        value.parse::<i128>().expect("a number");
        assert!(series.starts_with("memprof_") && seen.insert(series), "{series} stands twice");
    }
}
