//! The main job of memprof on real input: which step of a small dataframe program needs the memory.
//!
//! ```text
//! cargo run --release -p example-dataframe              # prints two tables
//! MEMPROF=1 cargo run --release -p example-dataframe    # and, at exit, the memory report on stderr
//! ```
//!
//! Which airlines and which destinations were late in the first week of 2013? The program reads CSV
//! files (`examples/data`), filters, groups, joins and sorts. All that memprof asks of it is the
//! allocator below, and `#[memprof::track]` on functions and on whole `impl` blocks. No line here
//! prints the report.
//!
//! A function's `memory_peak` is what it needed above what was there when it began, with all that it
//! called. So the peak of "load flights" is the whole table and the filtered one side by side, and
//! `DataFrame::take` says how much of that the filtered one is. To see who holds memory at the peak
//! and at the end: `MEMPROF_COLUMNS=at_peak,live,name`.

mod column;
mod dataframe;
mod reader;

use std::path::Path;
use std::process::ExitCode;

use column::Type::{Float, Int, Text};
use dataframe::{Aggregate, DataFrame};
use reader::read_csv;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

/// An error is a sentence that says what was attempted, and with what.
type Result<T> = std::result::Result<T, String>;

#[expect(clippy::print_stderr, reason = "where a program says why it failed")]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("01_dataframe: {error}");
            ExitCode::FAILURE
        }
    }
}

#[memprof::track]
#[expect(clippy::print_stdout, reason = "the tables are what the program is for")]
fn run() -> Result<()> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("data");

    // A flight that was cancelled or diverted has no delay on arrival: leave it out.
    let flights = memprof::scope!("load flights", {
        let columns = [("carrier", Text), ("dest", Text), ("distance", Int), ("arr_delay", Float)];
        let all = read_csv(&data.join("flights.csv"), &columns)?;
        all.filter("arr_delay", |delay| delay.is_some())?
    });
    let airlines = read_csv(&data.join("airlines.csv"), &[("carrier", Text), ("name", Text)])?;
    let airports = read_csv(&data.join("airports.csv"), &[("faa", Text), ("name", Text)])?;

    let by_airline = delays_by(&flights, "carrier")?.left_join("carrier", &airlines, "carrier")?;
    println!("Airlines, by mean delay on arrival in minutes\n\n{by_airline}");

    let by_airport = delays_by(&flights, "dest")?
        .filter("count", |count| count >= Some(50.0))?
        .left_join("dest", &airports, "faa")?
        .head(10);
    println!("Destinations of 50 flights or more, the ten latest\n\n{by_airport}");
    Ok(())
}

/// One row for each value of `key`, the one with the greatest mean delay first.
#[memprof::track]
fn delays_by(flights: &DataFrame, key: &str) -> Result<DataFrame> {
    let aggregates = [Aggregate::Count, Aggregate::Mean("distance"), Aggregate::Mean("arr_delay")];
    flights.group_by(key, &aggregates)?.sort_descending("mean_arr_delay")
}
