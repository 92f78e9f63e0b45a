//! DHAT, version 2: what valgrind's `dh_view.html` opens.
//!
//! A program point for each path and space, with the space as outermost frame, `[cuda:0]`, so that the viewer's tree splits by
//! space first. `tb`, `tbk`: ever allocated; `gb`, `gbk`: owned at the high-water mark (the viewer's *t-gmax*); `eb`, `ebk`: live at
//! the end. Each of them sums to the total of its space. `mb`, `mbk`, a path's own highest level, is not measured: the greater of the two
//! levels that are known stands for it. Times are not kept either: mark and end are at time 1.
//!
//! Two paths whose frames read alike are one program point, since the viewer refuses a second one.
//!
//! The format's source: `docs/dh-manual.html` of valgrind, and `dh_view.js`.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
};

use serde::Serialize;

use crate::{
    formats::{
        json,
        stacks::{Amounts, Frame, parts, spaces},
    },
    options::Options,
    snapshot::Snapshot,
};

#[cfg(test)]
mod tests;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File {
    dhat_file_version: u32,
    mode: &'static str,
    verb: &'static str,
    bklt: bool,
    bkacc: bool,
    tu: &'static str,
    #[serde(rename = "Mtu")]
    million_time_units: &'static str,
    tuth: u64,
    cmd: &'static str,
    pid: u32,
    tg: u64,
    te: u64,
    pps: Vec<ProgramPoint>,
    ftbl: Vec<String>,
}

#[derive(Serialize)]
struct ProgramPoint {
    tb: i64,
    tbk: i64,
    tl: i64,
    mb: i64,
    mbk: i64,
    gb: i64,
    gbk: i64,
    eb: i64,
    ebk: i64,
    /// Frames, the innermost first.
    fs: Vec<usize>,
}

impl ProgramPoint {
    fn new(fs: Vec<usize>, amounts: &Amounts) -> Self {
        let Amounts { at_peak, live, allocated } = amounts;
        Self {
            tb: allocated.bytes,
            tbk: allocated.blocks,
            tl: 0,
            mb: at_peak.bytes.max(live.bytes),
            mbk: at_peak.blocks.max(live.blocks),
            gb: at_peak.bytes,
            gbk: at_peak.blocks,
            eb: live.bytes,
            ebk: live.blocks,
            fs,
        }
    }
}

/// Writes all spaces, or the one asked for.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut frames = Frames::default();
    // The viewer's own name for the root of its tree.
    frames.index("[root]".to_owned());
    let mut points: BTreeMap<Vec<usize>, Amounts> = BTreeMap::new();
    for space in spaces(snapshot, options) {
        let outermost = frames.index(format!("[{}]", space.name));
        for part in parts(space) {
            let inner = part.frames.iter().rev().map(|frame: &Frame<'_>| frames.index(frame.to_string()));
            let fs: Vec<usize> = inner.chain([outermost]).collect();
            points.entry(fs).or_default().add(&part.amounts);
        }
    }
    let file = File {
        dhat_file_version: 2,
        mode: "heap",
        verb: "Allocated",
        bklt: true,
        bkacc: false,
        tu: "snapshot",
        million_time_units: "Msnapshot",
        tuth: 0,
        cmd: "memprof",
        pid: 0,
        tg: 1,
        te: 1,
        pps: points.into_iter().map(|(fs, amounts)| ProgramPoint::new(fs, &amounts)).collect(),
        ftbl: frames.texts,
    };
    json::write_value(&file, out)?;
    out.write_all(b"\n")
}

/// The texts of frames, each once.
#[derive(Default)]
struct Frames {
    texts: Vec<String>,
    index_of: HashMap<String, usize>,
}

impl Frames {
    fn index(&mut self, text: String) -> usize {
        *self.index_of.entry(text).or_insert_with_key(|text| {
            self.texts.push(text.clone());
            self.texts.len() - 1
        })
    }
}
