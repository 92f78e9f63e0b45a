//! Large profiles, as the JSON of saved ones: numbers without a pattern, the same in every run.
//!
//! The numbers follow no program but add up as a program's do: `at_peak`, `live` and `self_total` of the paths and of what
//! happened outside any scope sum to the totals of the space. Records and paths are as many as asked for.

use std::fmt::Write as _;

/// What a large profile is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As of a large program: a site for every five paths, some twenty deep.
    Program,
    /// Five hundred sites, each open in the one before it, over and over: every path is hundreds deep.
    Deep,
    /// A run-time name of 300 characters for each path, and no depth.
    Names,
}

impl Shape {
    /// Every shape.
    pub const ALL: &[Shape] = &[Shape::Program, Shape::Deep, Shape::Names];

    /// The shape of this name: `program`, `deep`, `names`.
    pub fn parse(name: &str) -> Option<Shape> {
        Shape::ALL.iter().copied().find(|shape| shape.name() == name)
    }

    /// See [`parse`](Self::parse).
    pub fn name(self) -> &'static str {
        match self {
            Shape::Program => "program",
            Shape::Deep => "deep",
            Shape::Names => "names",
        }
    }

    fn sites(self, paths: usize) -> usize {
        match self {
            Shape::Program => (paths / 5).max(1),
            Shape::Deep => paths.min(500),
            Shape::Names => paths,
        }
    }

    /// The path that this one stands in.
    fn parent(self, index: usize, depths: &[usize], random: &mut Random) -> Option<usize> {
        match self {
            Shape::Names => None,
            Shape::Deep => (index % 500).checked_sub(1).map(|_| index - 1),
            Shape::Program => {
                let parent = index.checked_sub(1)? - random.below(index.min(40));
                (depths[parent] < 26).then_some(parent)
            }
        }
    }
}

/// A saved profile with so many paths in one space.
pub fn json(shape: Shape, paths: usize) -> String {
    let mut random = Random(7);
    let sites: Vec<String> = (0..shape.sites(paths)).map(|index| place(shape, index)).collect();
    let mut records = vec![[0_u64; 3]; sites.len()];
    let mut sums = [0_u64; 3];
    let mut depths = Vec::with_capacity(paths);
    let mut tree = String::new();
    for index in 0..paths {
        let parent = shape.parent(index, &depths, &mut random);
        depths.push(parent.map_or(0, |parent| depths[parent] + 1));
        let site = match shape {
            Shape::Program => random.below(sites.len()),
            // Each chain begins with another site, so no path is there twice.
            Shape::Deep => (index + index / 500) % sites.len(),
            Shape::Names => index,
        };
        // A few are great and many small, as in programs.
        let allocated = (1 << 24) / (1 + random.below(1 << 14) as u64);
        let at_peak = allocated * random.below(100) as u64 / 100;
        let live = if random.below(4) > 0 { 0 } else { at_peak / 2 };
        let amounts = [at_peak, live, allocated];
        for (sum, amount) in sums.iter_mut().chain(&mut records[site]).zip(amounts.iter().cycle()) {
            *sum += amount;
        }
        tree.push_str(if index == 0 { "" } else { "," });
        let parent = parent.map_or_else(|| "null".to_owned(), |parent| parent.to_string());
        row(&mut tree, &sites[site], amounts, &format!(",\"parent\":{parent}"));
    }
    let mut rows = String::new();
    for (index, (site, amounts)) in sites.iter().zip(records).enumerate() {
        rows.push_str(if index == 0 { "" } else { "," });
        row(&mut rows, site, amounts, "");
    }
    let [at_peak, live, allocated] = sums;
    format!(
        r#"{{"schema_version":2,"process":{{"program":"large","pid":1,"started":"2026-11-26T05:10:02.123Z","taken":"2026-11-26T05:10:14.467Z","seconds":12.344,"memprof":"0.1.0","label":null}},"resident":{{"now":412000000,"peak":530000000,"limit":null,"limit_now":null}},"state":{{"enabled":true,"host":"measured","scopes_entered":true}},"notes":[],"spaces":[{{"name":"host","has_events":true,"totals":{{"live":{},"live_blocks":1,"peak":{peak},"peak_blocks":7,"at_peak_level":{peak},"total":{},"blocks_total":14,"failed":0,"unknown_frees":0,"missed_frees":0,"no_scope_live":544,"no_scope_total":12345,"no_scope_at_peak":6000}},"records":[{rows}],"tree":[{tree}]}}]}}"#,
        live + 544,
        allocated + 12_345,
        peak = at_peak + 6000,
    )
}

/// The texts of a site, as members of a record.
fn place(shape: Shape, index: usize) -> String {
    if shape == Shape::Names {
        let name = format!("request {index} {}", "x".repeat(300));
        return format!(r#""name":"{name}","file":"","line":0,"function":"{name}""#);
    }
    let (file, line, function) = (
        format!("src/module_{}/file.rs", index % 97),
        3 + index * 17 % 900,
        format!("Type{}::method_{index}", index % 31),
    );
    format!(r#""name":"{file}:{line}({function})","file":"{file}","line":{line},"function":"{function}""#)
}

fn row(out: &mut String, site: &str, [at_peak, live, allocated]: [u64; 3], ending: &str) {
    let blocks = |bytes: u64| bytes.div_ceil(900);
    // A `String` takes whatever is written to it.
    let _ = write!(
        out,
        r#"{{{site},"ncalls":3,"memory_peak":{at_peak},"memory_total":{allocated},"blocks_total":{},"self_total":{allocated},"self_blocks":{},"reallocs":1,"failed":0,"live":{live},"live_blocks":{},"at_peak":{at_peak},"at_peak_blocks":{},"temporary":2,"largest":{},"kept":{live},"kept_calls":1{ending}}}"#,
        blocks(allocated),
        blocks(allocated),
        blocks(live),
        blocks(at_peak),
        allocated / 3,
    );
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (end.max(1) as u64)).unwrap_or(0)
    }
}
