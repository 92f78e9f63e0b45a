//! The differences as a flame graph that stands still: on the left what grew, on the right what shrank, on one scale.
//!
//! Orange grew and blue shrank, which people tell apart who do not see red or green; a deep colour and a dashed edge mark what
//! is new or gone. Both graphs have the root on top. The frames of the left sum to what was added, those of the right to what
//! was taken away, to the byte.

#![expect(clippy::cast_precision_loss, reason = "a pixel needs no more than an `f64` holds")]

use std::io::{self, Write};

use super::{
    content,
    content::signed,
    layout::{Frame, Layout},
};
use crate::{
    diff::{Diff, Kind},
    formats::svg::{Escaped, FOOT, HEAD, LEAST_WIDTH, MARGIN, MOST_FRAMES, PADDING, ROW, STYLE, WIDTH, fitting},
    measure::Measure,
    one_line::one_line,
    options::Choice,
    thousands::thousands,
};

/// Between the two graphs.
const GAP: f64 = 8.0;

const COLOURS: &str = "rect.grown{fill:#fbc98e}rect.new{fill:#ec8f1c}rect.shrunk{fill:#b5d3f0}rect.gone{fill:#5e9fdc}\
rect.new,rect.gone{stroke-dasharray:3 2;stroke:#1b1f24}";

/// Writes one measure of one space (as asked) or of all.
pub(crate) fn write(diff: &Diff, choice: &Choice, out: &mut dyn Write) -> io::Result<()> {
    let (spaces, measure) = (content::spaces(diff, choice), content::measure(diff, choice));
    let layout = Layout::new(diff, &spaces, measure);
    let scale = scale(&layout);
    let starts = [MARGIN, MARGIN + layout.whole[0] as f64 * scale + if layout.whole[0] > 0 { GAP } else { 0.0 }];
    let (frames, left_out) = drawn(&layout, scale);
    let depth = frames.iter().map(|(_, frame)| frame.depth + 1).max().unwrap_or(0);
    let height = HEAD + ROW * depth as f64 + FOOT;
    write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}{COLOURS}</style>\n\
         <rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"words\" x=\"{MARGIN}\" y=\"25\">{title}</text>\n",
        title = Escaped(&title(&spaces, &layout, measure)),
    )?;
    for (way, frame) in &frames {
        write_frame(frame, *way, starts[*way], scale, out)?;
    }
    let y = height - 9.0;
    writeln!(out, "<text class=\"small\" x=\"{MARGIN}\" y=\"{y}\">{}</text>", Escaped(&foot(left_out)))?;
    writeln!(out, "</svg>")
}

fn title(spaces: &[&str], layout: &Layout, measure: Measure) -> String {
    let what = match measure {
        Measure::AtPeak => "held at the peak",
        Measure::Live => "live",
        Measure::SelfTotal => "allocated",
    };
    let spaces: Vec<String> = spaces.iter().map(|space| one_line(space)).collect();
    let [grown, shrunk] = layout.whole;
    format!(
        "{}: {} bytes {what}; left, orange: {} grown; right, blue: {} shrunk",
        spaces.join(", "),
        signed(grown - shrunk),
        signed(grown),
        signed(-shrunk)
    )
}

fn foot(left_out: usize) -> String {
    let what = "deep colour and dashed edge: new, or gone";
    if left_out == 0 {
        what.to_owned()
    } else {
        format!("{what}; {} frames are too small to be drawn", thousands(left_out as u64))
    }
}

/// Pixels a byte.
fn scale(layout: &Layout) -> f64 {
    let whole: i128 = layout.whole.iter().sum();
    if whole > 0 { (WIDTH - 2.0 * MARGIN - GAP) / whole as f64 } else { 0.0 }
}

/// The frames that can be seen with the graph that they are of, outer ones before those below them, and how many cannot.
fn drawn(layout: &Layout, scale: f64) -> (Vec<(usize, &Frame)>, usize) {
    let all = layout.grown.iter().map(|frame| (0, frame)).chain(layout.shrunk.iter().map(|frame| (1, frame)));
    let mut frames: Vec<(usize, &Frame)> = all.filter(|(_, frame)| frame.bytes as f64 * scale >= LEAST_WIDTH).collect();
    if frames.len() > MOST_FRAMES {
        frames.sort_by_key(|(_, frame)| std::cmp::Reverse(frame.bytes));
        frames.truncate(MOST_FRAMES);
        frames.sort_by_key(|(way, frame)| (*way, frame.depth, frame.start));
    }
    let left_out = layout.grown.len() + layout.shrunk.len() + layout.too_deep - frames.len();
    (frames, left_out)
}

fn write_frame(frame: &Frame, way: usize, start: f64, scale: f64, out: &mut dyn Write) -> io::Result<()> {
    let (x, width) = (start + frame.start as f64 * scale, frame.bytes as f64 * scale);
    let y = HEAD + ROW * frame.depth as f64;
    let class = match frame.kind {
        Kind::New if way == 0 => "new",
        Kind::Gone if way == 1 => "gone",
        _ => ["grown", "shrunk"][way],
    };
    let [before, after] = frame.amounts;
    write!(
        out,
        "<g><title>{}: {class}, {} bytes ({} -&gt; {})</title>\
         <rect class=\"frame {class}\" x=\"{x:.3}\" y=\"{y}\" width=\"{width:.3}\" height=\"{ROW}\" rx=\"2\"/>",
        Escaped(&frame.text),
        signed(if way == 0 { frame.bytes } else { -frame.bytes }),
        thousands(before),
        thousands(after),
    )?;
    if let Some(text) = fitting(&frame.text, width) {
        write!(out, "<text x=\"{:.3}\" y=\"{}\">{}</text>", x + PADDING, y + 14.0, Escaped(&text))?;
    }
    writeln!(out, "</g>")
}
