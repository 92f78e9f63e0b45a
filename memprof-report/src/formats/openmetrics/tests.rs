use std::collections::BTreeMap;

use super::{MOST_SCOPES, write};
use crate::{
    Options,
    process::Resident,
    snapshot::{
        Snapshot, SnapshotParts,
        fixtures::{forest, measuring, named, space},
    },
};

fn text(snapshot: &Snapshot) -> String {
    let mut out = Vec::new();
    write(snapshot, &Options::default(), &mut out).expect("nothing can fail in memory");
    String::from_utf8(out).expect("UTF-8")
}

/// The series of a text, each once.
fn series(text: &str) -> BTreeMap<&str, i128> {
    let mut all = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        assert_eq!(all.insert(series, value.parse().expect("a number")), None, "{series} stands twice");
    }
    all
}

#[test]
fn the_series_of_a_space_are_its_totals() {
    let (snapshot, text) = (forest(), text(&forest()));
    let series = series(&text);
    for space in snapshot.spaces() {
        let totals = snapshot.totals(space);
        assert_eq!(series[&*format!("memprof_live_bytes{{space=\"{space}\"}}")], totals.live.into());
        assert_eq!(series[&*format!("memprof_peak_bytes{{space=\"{space}\"}}")], totals.peak.into());
        assert_eq!(series[&*format!("memprof_allocated_bytes_total{{space=\"{space}\"}}")], totals.total.into());
        assert_eq!(series[&*format!("memprof_blocks{{space=\"{space}\"}}")], totals.live_blocks.into());
        let prefix = format!("memprof_scope_live_bytes{{space=\"{space}\",");
        let of_scopes: i128 = series.iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(_, value)| value).sum();
        assert_eq!(of_scopes, totals.live.into(), "scopes of {space}");
    }
}

#[test]
fn what_is_resident_is_a_series_of_the_host_where_the_system_says_it() {
    let of_space = |snapshot: &Snapshot, space: Option<&str>| {
        let mut out = Vec::new();
        let options = Options { space: space.map(str::to_owned), ..Options::default() };
        write(snapshot, &options, &mut out).expect("nothing can fail in memory");
        let text = String::from_utf8(out).expect("UTF-8");
        text.lines().filter(|line| line.contains("memprof_resident_bytes")).collect::<Vec<_>>().join("\n")
    };
    let resident = Some(Resident { now: u64::MAX, peak: 1, limit: None, limit_now: None });
    let snapshot = Snapshot::new(SnapshotParts { resident, ..forest().parts().clone() });
    let expected = "\
# TYPE memprof_resident_bytes gauge
# UNIT memprof_resident_bytes bytes
# HELP memprof_resident_bytes Memory of the process that is resident, as the system counts it.
memprof_resident_bytes{space=\"host\"} 18446744073709551615";
    assert_eq!(of_space(&snapshot, None), expected);
    assert_eq!(of_space(&snapshot, Some("host")), expected);
    assert_eq!(of_space(&snapshot, Some("cuda:0")), "");
    assert_eq!(of_space(&forest(), None), "");
}

#[test]
fn every_metric_has_type_and_help_before_its_series_and_the_text_ends_with_eof() {
    let text = text(&forest());
    assert!(text.ends_with("\n# EOF\n"));
    let mut described = "";
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            described = rest.split(' ').next().expect("a name");
        } else if let Some(rest) = line.strip_prefix("# UNIT ").or_else(|| line.strip_prefix("# HELP ")) {
            assert_eq!(rest.split(' ').next(), Some(described));
        } else {
            let name = line.split('{').next().expect("a name");
            assert!(name == described || name.strip_suffix("_total") == Some(described), "{name} under {described}");
        }
    }
    assert!(text.contains("# UNIT memprof_scope_live_bytes bytes\n"));
}

#[test]
fn a_label_escapes_what_the_format_says_and_nothing_else() {
    let text = text(&forest());
    assert!(text.contains(r#"scope="src/<odd>.rs:3(line\nbreak	and \"quotes\" and \\)""#), "{text}");
}

#[test]
fn five_hundred_scopes_have_series_the_greatest_and_no_more() {
    let records = (0..600).map(|index| {
        let mut record = named(&format!("scope {index}"), [1, 0, 0]);
        record.live = 600 - index;
        record
    });
    let text = text(&Snapshot::new(measuring(vec![space("host", 1, records.collect())])));
    let live = text.lines().filter(|line| line.starts_with("memprof_scope_live_bytes{"));
    assert_eq!(live.clone().count(), MOST_SCOPES);
    assert!(
        live.clone().any(|line| line.contains("\"scope 499\""))
            && !live.clone().any(|line| line.contains("\"scope 500\""))
    );
}
