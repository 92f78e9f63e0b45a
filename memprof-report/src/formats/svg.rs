//! SVG: one flame graph, standing still, for a README, a pull request, or a slide.
//!
//! The root is on top, below each frame stand those that it called, greatest first, as wide as their bytes in one measure, with what they called.
//! Hovering shows a frame's name, bytes and share. A frame has the colour of its file, in every graph. What happened outside any scope is a
//! frame; where several spaces are shown, each is one, `[cuda:0]`. The picture follows the reader's light or dark setting, asks
//! for no font and no script, and is at most [`MOST_FRAMES`] frames big.
//!
//! This module draws; what there is to draw is [`layout`]'s.

#![expect(clippy::cast_precision_loss, reason = "a pixel needs no more than an `f64` holds")]

mod layout;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    io::{self, Write},
};

use self::layout::{Box, Layout};
use crate::{
    formats::stacks::measure, measure::Measure, one_line::one_line, options::Options, snapshot::Snapshot,
    thousands::thousands,
};

/// The most frames that are drawn; smaller ones are left out, and a line says how many.
pub(crate) const MOST_FRAMES: usize = 4_000;

/// Pixels.
pub(crate) const WIDTH: f64 = 1200.0;
pub(crate) const MARGIN: f64 = 10.0;
pub(crate) const HEAD: f64 = 40.0;
pub(crate) const ROW: f64 = 20.0;
pub(crate) const FOOT: f64 = 26.0;
/// A frame below this width cannot be seen.
pub(crate) const LEAST_WIDTH: f64 = 0.25;
/// What a character of the text takes, generously: fonts differ.
const CHARACTER: f64 = 7.0;
pub(crate) const PADDING: f64 = 4.0;

/// Light frames with dark text in both settings; only the ground changes.
pub(crate) const STYLE: &str = "\
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#1b1f24}\
.ground{fill:#fff}.words{fill:#1b1f24}.small{fill:#57606a}\
rect.frame{stroke:#fff;stroke-width:.6}\
@media (prefers-color-scheme:dark){.ground{fill:#0d1117}.words{fill:#e6edf3}.small{fill:#9198a1}rect.frame{stroke:#0d1117}}";

/// Writes one measure (as asked, else at the peak) of one space (as asked) or of all.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let measure = measure(options);
    let layout = Layout::new(snapshot, options, measure);
    let (boxes, left_out) = drawn(&layout);
    let depth = boxes.iter().map(|frame| frame.depth + 1).max().unwrap_or(0);
    let height = HEAD + ROW * depth as f64 + FOOT;
    write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"words\" x=\"{MARGIN}\" y=\"25\">{title}</text>\n",
        title = Escaped(&title(&layout, measure)),
    )?;
    for frame in &boxes {
        write_frame(frame, layout.whole, out)?;
    }
    let foot = foot(&layout, left_out);
    if !foot.is_empty() {
        let y = height - 9.0;
        writeln!(out, "<text class=\"small\" x=\"{MARGIN}\" y=\"{y}\">{}</text>", Escaped(&foot))?;
    }
    writeln!(out, "</svg>")
}

fn title(layout: &Layout, measure: Measure) -> String {
    let what = match measure {
        Measure::AtPeak => "held at the peak",
        Measure::Live => "live",
        Measure::SelfTotal => "allocated",
    };
    let spaces: Vec<String> = layout.spaces.iter().map(|space| one_line(space)).collect();
    format!("{}: {} bytes {what}", spaces.join(", "), thousands(layout.whole))
}

/// The frames that can be seen, outer ones before those below them, and how many cannot.
fn drawn(layout: &Layout) -> (Vec<&Box>, usize) {
    let scale = scale(layout.whole);
    let mut boxes: Vec<&Box> = layout.boxes.iter().filter(|frame| frame.bytes as f64 * scale >= LEAST_WIDTH).collect();
    if boxes.len() > MOST_FRAMES {
        boxes.sort_by_key(|frame| std::cmp::Reverse(frame.bytes));
        boxes.truncate(MOST_FRAMES);
        boxes.sort_by_key(|frame| (frame.depth, frame.start));
    }
    let left_out = layout.boxes.len() - boxes.len();
    (boxes, left_out)
}

/// Pixels a byte.
fn scale(whole: i128) -> f64 {
    if whole > 0 { (WIDTH - 2.0 * MARGIN) / whole as f64 } else { 0.0 }
}

fn write_frame(frame: &Box, whole: i128, out: &mut dyn Write) -> io::Result<()> {
    let scale = scale(whole);
    let (x, width) = (MARGIN + frame.start as f64 * scale, frame.bytes as f64 * scale);
    let y = HEAD + ROW * frame.depth as f64;
    let share = frame.bytes as f64 * 100.0 / whole as f64;
    write!(
        out,
        "<g><title>{}: {} bytes ({share:.2} %)</title>\
         <rect class=\"frame\" x=\"{x:.3}\" y=\"{y}\" width=\"{width:.3}\" height=\"{ROW}\" rx=\"2\" fill=\"{}\"/>",
        Escaped(&one_line(&frame.text)),
        thousands(frame.bytes),
        Colour::of(&frame.file),
    )?;
    if let Some(text) = fitting(&one_line(&frame.text), width) {
        write!(out, "<text x=\"{:.3}\" y=\"{}\">{}</text>", x + PADDING, y + 14.0, Escaped(&text))?;
    }
    writeln!(out, "</g>")
}

/// As much of `text` as has room, with an ellipsis where it is cut; `None` where too little has.
#[expect(clippy::cast_sign_loss, reason = "it is not below 0")]
pub(crate) fn fitting(text: &str, width: f64) -> Option<String> {
    let room = ((width - 2.0 * PADDING) / CHARACTER).max(0.0) as usize;
    if text.chars().count() <= room {
        return Some(text.to_owned());
    }
    (room >= 3).then(|| text.chars().take(room - 1).chain(['…']).collect())
}

/// What the picture does not show.
fn foot(layout: &Layout, left_out: usize) -> String {
    let mut lines = Vec::new();
    if left_out > 0 {
        lines.push(format!("{} frames are too small to be drawn", thousands(left_out as u64)));
    }
    if layout.below_zero < 0 {
        lines.push(format!(
            "not drawn: {} bytes of paths of which more was freed than is known to have been allocated",
            thousands(layout.below_zero)
        ));
    }
    lines.join("; ")
}

/// The colour of a file: one of 32, told by its name.
enum Colour {
    /// What is no place in a file.
    None,
    Hue(u32),
}

impl Colour {
    fn of(file: &str) -> Self {
        if file.is_empty() {
            return Colour::None;
        }
        // FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>: the same in every build, which std's hashes need not be.
        let hash = file.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Colour::Hue((hash ^ hash >> 16) % 32)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Colour::None => f.write_str("#d0d7de"),
            Colour::Hue(hue) => {
                let (degrees, lightness) = (f64::from(*hue) * 11.25, if hue % 2 == 0 { 72 } else { 80 });
                write!(f, "hsl({degrees},62%,{lightness}%)")
            }
        }
    }
}

/// Text of XML: what has a meaning there, and what may not stand there, is written otherwise.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                // No characters of XML 1.0.
                '\u{fffe}' | '\u{ffff}' => write!(f, "{}", character.escape_default())?,
                other => fmt::Write::write_char(f, other)?,
            }
        }
        Ok(())
    }
}
