//! A leak as Rust programs have it: nothing is lost, but something is kept that nobody will ask for again.
//!
//! ```text
//! MEMPROF=1 MEMPROF_ORDER=live MEMPROF_COLUMNS=live,live_blocks,ncalls,name cargo run --release -p example-leak
//! MEMPROF=1 MEMPROF_ORDER=live MEMPROF_COLUMNS=live,live_blocks,ncalls,name cargo run --release -p example-leak fixed
//! ```
//!
//! A departures board answers which flights an airline had, and remembers its answers, since the same few airlines are
//! asked for over and over. The report is written when the service has answered a thousand requests and is still up:
//!
//! ```text
//!    live live_blocks ncalls function
//! 530,144       1,000  1,000 Board::describe
//! 423,711      12,199      1 Board::open
//!  92,322       1,155  1,000 Board::answer
//! ```
//!
//! `describe` was called for every request, so no answer was ever found; and each call has left a block that is still
//! live. The key under which an answer is remembered has the request's number in it. `fixed` leaves it out: then
//! `describe` has 15 calls and 15 live blocks, one for each airline, after a thousand requests as after a million.

use std::{collections::BTreeMap, env, fmt::Write as _, fs, io, path::Path, process};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

struct Flight {
    carrier: String,
    destination: String,
}

struct Board {
    flights: Vec<Flight>,
    answers: BTreeMap<String, String>,
    is_fixed: bool,
}

#[memprof::track]
impl Board {
    fn open(data: &Path, is_fixed: bool) -> io::Result<Self> {
        let text = fs::read_to_string(data)?;
        let mut lines = text.lines().map(|line| line.split(','));
        let titles: Vec<&str> = lines.next().into_iter().flatten().collect();
        let place = |title| titles.iter().position(|known| *known == title).ok_or(io::ErrorKind::InvalidData);
        let (carrier, destination) = (place("carrier")?, place("dest")?);
        let flight = |line: std::str::Split<'_, char>| {
            let fields: Vec<&str> = line.collect();
            let field = |place: usize| fields.get(place).copied().unwrap_or_default().to_owned();
            Flight { carrier: field(carrier), destination: field(destination) }
        };
        Ok(Self { flights: lines.map(flight).collect(), answers: BTreeMap::new(), is_fixed })
    }

    /// How many destinations the answer names.
    fn answer(&mut self, request: usize, carrier: &str) -> usize {
        let key = if self.is_fixed { carrier.to_owned() } else { format!("{request}/{carrier}") };
        if !self.answers.contains_key(&key) {
            let answer = self.describe(carrier);
            self.answers.insert(key.clone(), answer);
        }
        self.answers.get(&key).map_or(0, |answer| answer.lines().count())
    }

    fn describe(&self, carrier: &str) -> String {
        let mut flights: BTreeMap<&str, usize> = BTreeMap::new();
        for flight in self.flights.iter().filter(|flight| flight.carrier == carrier) {
            *flights.entry(&flight.destination).or_default() += 1;
        }
        let mut answer = String::new();
        for (destination, count) in flights {
            // A `String` takes whatever is written to it.
            let _ = writeln!(answer, "{carrier} to {destination}: {count} flights");
        }
        answer
    }
}

#[expect(clippy::print_stdout, reason = "the result of the program")]
fn main() -> io::Result<()> {
    let is_fixed = env::args().nth(1).is_some_and(|argument| argument == "fixed");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("data");
    let mut board = Board::open(&data.join("flights.csv"), is_fixed)?;
    let mut carriers: Vec<String> = board.flights.iter().map(|flight| flight.carrier.clone()).collect();
    carriers.sort_unstable();
    carriers.dedup();
    let lines: usize =
        carriers.iter().cycle().take(1000).enumerate().map(|(request, carrier)| board.answer(request, carrier)).sum();
    println!("1,000 requests answered with {lines} lines");
    // The service is up: nothing is dropped before the report.
    process::exit(0)
}
