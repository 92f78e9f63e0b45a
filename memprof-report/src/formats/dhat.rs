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

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::{
    formats::{
        json,
        stacks::{Amounts, Frame, Frames, Stacks, spaces},
    },
    options::Options,
    snapshot::Snapshot,
};

#[cfg(test)]
mod tests;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
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
    pps: Points<'a>,
    ftbl: Vec<String>,
}

/// The outermost frame of each space, and its stacks. Each is made a program point as it is written: all of them with their
/// frames would be many times the profile.
struct Points<'a>(&'a [(usize, Stacks)]);

impl Serialize for Points<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let points = self.0.iter().flat_map(|(outermost, stacks)| {
            stacks.parts().map(|(index, amounts)| {
                let inner = stacks.frames(index).into_iter().rev();
                ProgramPoint::new(inner.chain([*outermost]).collect(), amounts)
            })
        });
        serializer.collect_seq(points)
    }
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
    frames.index(Frame::of_words("[root]".to_owned()));
    let mut stacks = Vec::new();
    for space in spaces(snapshot, options) {
        let outermost = frames.index(Frame::of_words(format!("[{}]", space.name)));
        stacks.push((outermost, Stacks::of(space, &mut frames)));
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
        pps: Points(&stacks),
        ftbl: frames.all().iter().map(Frame::to_string).collect(),
    };
    json::write_value(&file, out)?;
    out.write_all(b"\n")
}
