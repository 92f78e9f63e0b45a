//! [`LimitExceeded`]: what an activation needed beyond its limits, as a value and as text, and who hears of it.
//!
//! A text, as a test's output shows it:
//!
//! ```text
//! memprof: src/import.rs:12(import) exceeded its limit
//!   peak of host: limit 1,000,000 bytes, measured 1,048,576, 48,576 over
//! inside, in host:
//! memory_peak memory_total live filename:lineno(function)
//!   1,048,576    1,048,576    0 src/import.rs:30(parse)
//! ```
//!
//! The first line names the function, so that one line of a log is enough to find it. Each limit that was exceeded
//! follows, then what could not be judged, then who needed most, once a space. Whether a limit was exceeded is left
//! to [`limit`](crate::api::limit).

use core::fmt;

use memprof_report::__recorder::thousands;
use memprof_report::Record;

use crate::base::blind;
use crate::base::lock::Lock;

/// An activation that needed more than its [`#[limit]`](https://docs.rs/memprof/latest/memprof/attr.limit.html)
/// allows, or that could not be measured.
///
/// [`Display`](fmt::Display) gives the whole text: what was allowed, what was measured, by how much that is over,
/// and which scopes inside needed most.
///
/// It is a value of its own: it refers to no scope that is open, and may be kept, sent to another thread and
/// compared with later ones by its numbers.
#[derive(Clone, Debug)]
pub struct LimitExceeded {
    pub(crate) name: String,
    pub(crate) excesses: Vec<Excess>,
    pub(crate) unmeasured: Vec<String>,
    pub(crate) threads: bool,
}

/// One limit that was exceeded: in [`space`](Self::space), [`measured`](Self::measured) is greater than
/// [`limit`](Self::limit). A limit that was held is in no list.
#[derive(Clone, Debug)]
pub struct Excess {
    pub(crate) space: &'static str,
    pub(crate) measure: Measure,
    pub(crate) limit: u64,
    pub(crate) measured: u64,
    /// The scopes inside, those first that need most of what is exceeded.
    pub(crate) inside: Vec<Record>,
}

/// What an activation may need: the growth above its entry, all that it allocates, what it leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Peak,
    Total,
    Kept,
}

impl Measure {
    fn name(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Total => "total",
            Self::Kept => "kept",
        }
    }
}

impl LimitExceeded {
    /// The function as the report names it: `file:line(function)`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The limits that were exceeded; none where something could not be measured and nothing else was wrong.
    ///
    /// Space by space; in each, `peak` before `total` before `kept`. A space in which two limits were exceeded has
    /// two entries.
    pub fn excesses(&self) -> &[Excess] {
        &self.excesses
    }

    /// What could not be judged, and what to add: a text for each space.
    ///
    /// A limit of such a space is not held: it would hold for ever, whatever the function came to need.
    pub fn unmeasured(&self) -> impl Iterator<Item = &str> {
        self.unmeasured.iter().map(String::as_str)
    }
}

impl Excess {
    /// The space: `host`, `cuda:0`.
    pub fn space(&self) -> &str {
        self.space
    }

    /// What was limited: `peak`, `total` or `kept`. The words of the attribute's arguments.
    pub fn measure(&self) -> &str {
        self.measure.name()
    }

    /// The most that was allowed, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What was measured, in bytes. Of `kept`, 0 where more was freed than left.
    pub fn measured(&self) -> u64 {
        self.measured
    }
}

/// Rows of scopes that the text shows: as many as fit beside a test's other output. [`Excess`] has all of them.
const ROWS: usize = 10;

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.excesses.is_empty() { "could not be measured" } else { "exceeded its limit" };
        write!(f, "memprof: {} {what}", self.name)?;
        for excess in &self.excesses {
            let Excess { space, measure, limit, measured, .. } = excess;
            write!(
                f,
                "\n  {} of {space}: limit {} bytes, measured {}, {} over",
                measure.name(),
                thousands(*limit),
                thousands(*measured),
                thousands(measured - limit)
            )?;
        }
        for problem in &self.unmeasured {
            write!(f, "\n  {problem}")?;
        }
        let mut shown = "";
        for excess in &self.excesses {
            if excess.space != shown {
                shown = excess.space;
                inside(f, excess)?;
            }
        }
        if self.threads && !self.excesses.is_empty() {
            f.write_str(
                "\n`threads` counts every thread that has no scope open: it is exact where no other test runs in the process \
                 (cargo nextest, or cargo test -- --test-threads=1)",
            )?;
        }
        Ok(())
    }
}

/// The scopes inside, as a table: the columns of the report, numbers to the right, names last as they are the
/// longest.
fn inside(f: &mut fmt::Formatter<'_>, excess: &Excess) -> fmt::Result {
    if excess.inside.is_empty() {
        return f.write_str("\nno scope was entered inside: add #[memprof::track] to the functions that it calls");
    }
    write!(f, "\ninside, in {}:\n", excess.space)?;
    let numbers = |record: &Record| {
        [record.memory_peak.into(), record.memory_total.into(), i128::from(record.live)]
            .map(|number: i128| thousands(number).to_string())
    };
    let mut widths = ["memory_peak".len(), "memory_total".len(), "live".len()];
    for record in excess.inside.iter().take(ROWS) {
        for (width, cell) in widths.iter_mut().zip(numbers(record)) {
            *width = cell.len().max(*width);
        }
    }
    let [peak, total, live] = widths;
    write!(f, "{:>peak$} {:>total$} {:>live$} filename:lineno(function)", "memory_peak", "memory_total", "live")?;
    for record in excess.inside.iter().take(ROWS) {
        let [a, b, c] = numbers(record);
        write!(f, "\n{a:>peak$} {b:>total$} {c:>live$} {}", record.name)?;
    }
    match excess.inside.len().saturating_sub(ROWS) {
        0 => Ok(()),
        more => write!(f, "\n{} more", thousands(more as u64)),
    }
}

static LISTENER: Lock<Option<fn(&LimitExceeded)>> = Lock::new(None);

/// Has `listener` called where a limit is exceeded, instead of the panic: for a program that is to log it and go on.
///
/// It is called on the thread that ended the activation, after that; what it allocates counts in whatever scope is
/// open there. A space that could not be measured is said to it too. The last one given holds.
///
/// ```
/// # use memprof_core as memprof;
/// memprof::on_limit(|exceeded| eprintln!("{exceeded}"));
/// ```
///
/// It may be called on several threads at once, and from inside of another function with a limit. A panic of the
/// listener is one of the function that was judged. It is a plain function, so what it is to know it finds in a
/// `static`. Setting it takes a lock for an instant; asking for it does too, and only where a limit was exceeded.
pub fn on_limit(listener: fn(&LimitExceeded)) {
    let _blind = blind::enter();
    *LISTENER.lock() = Some(listener);
}

/// Tells whoever listens, or panics. The lock is given back before either: a listener may set another one.
pub(crate) fn tell(exceeded: &LimitExceeded) {
    let listener = *LISTENER.lock();
    match listener {
        Some(listener) => listener(exceeded),
        None => panic!("{exceeded}"),
    }
}
