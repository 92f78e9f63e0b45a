use std::collections::BTreeMap;

use serde::Serialize;

use super::{write, writer};
use crate::{
    options::Options,
    record::Field,
    snapshot::{
        Snapshot,
        fixtures::{contract_example, measuring, named, space},
    },
};

/// What our writer makes of `value`.
fn ours(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    writer::write(value, &mut bytes).expect("one of the kinds that profiles have");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

#[test]
fn every_kind_of_value_is_what_serde_json_writes() {
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Newtype(i8);
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Choice {
        TheOne,
    }
    #[derive(Serialize)]
    struct All {
        truths: Vec<bool>,
        numbers: Vec<i64>,
        most: u64,
        fractions: Vec<f64>,
        narrow: (),
        unit: Unit,
        newtype: Newtype,
        choice: Choice,
        some: Option<u16>,
        none: Option<u32>,
        map: BTreeMap<String, Vec<u8>>,
        empty: Vec<String>,
    }
    let all = All {
        truths: vec![true, false],
        numbers: vec![i64::MIN, -1, 0, i64::MAX],
        most: u64::MAX,
        fractions: vec![0.0, -1.0, 12.345, 86_400.001, f64::NAN, f64::INFINITY],
        narrow: (),
        unit: Unit,
        newtype: Newtype(-8),
        choice: Choice::TheOne,
        some: Some(7),
        none: None,
        map: BTreeMap::from([("a\"b".to_owned(), vec![1, 2]), (String::new(), Vec::new())]),
        empty: Vec::new(),
    };
    assert_eq!(ours(&all), serde_json::to_string(&all).expect("plain data"));
}

#[test]
fn every_character_is_escaped_as_serde_json_does() {
    let below_256: String = (0..=255_u8).map(char::from).collect();
    for text in [below_256.as_str(), "", "snö ☃ \u{2028}\u{2029}\u{feff} 🦀 </script>", "\\\"\n", "\u{10ffff}\u{0}"]
    {
        assert_eq!(ours(&text), serde_json::to_string(text).expect("plain data"));
    }
}

#[test]
fn what_no_profile_has_is_an_error_and_no_panic() {
    let mut out = Vec::new();
    let error = writer::write(&1.5_f32, &mut out).expect_err("a short fraction");
    assert_eq!(error.to_string(), "a profile has no short fractions");
    assert!(writer::write(&(1, 2), &mut out).is_err());
    assert!(writer::write(&'a', &mut out).is_err());
    assert!(writer::write(&Some(Err::<(), u8>(1)), &mut out).is_err());
}

#[test]
fn a_profile_is_what_serde_json_writes_and_a_newline_whatever_the_options() {
    let mut options = Options::default();
    (options.order, options.columns, options.rows) = (Field::Name, Some(vec![Field::Name]), Some(1));
    let odd = "quote \" back\\slash \n\0 \u{1b}[31m ☃";
    let strange = Snapshot::new(measuring(vec![space(odd, 1, vec![named(odd, [u64::MAX, 0, 1])])]));
    for snapshot in [contract_example(), strange] {
        let mut bytes = Vec::new();
        write(&snapshot, &options, &mut bytes).expect("nothing can fail in memory");
        let expected = serde_json::to_string(&snapshot).expect("plain data") + "\n";
        assert_eq!(String::from_utf8(bytes).expect("JSON is UTF-8"), expected);
    }
}

#[test]
fn a_full_disk_is_the_writers_own_error() {
    /// Takes `0` bytes and no more.
    struct Full(usize);

    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.0 < bytes.len() {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.0 -= bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    for room in [0, 1, 100, 1000] {
        let error = write(&contract_example(), &Options::default(), &mut Full(room)).expect_err("there is no room");
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }
}
