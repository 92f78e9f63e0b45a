//! The question of `01_dataframe` on a GPU: `host`, `pinned` and `cuda:0` in one report, by function.
//!
//! ```text
//! cargo run --release -p example-gpu-pipeline              # prints the two tables of 01_dataframe
//! MEMPROF=1 cargo run --release -p example-gpu-pipeline    # and, at exit, the memory report on stderr
//! ```
//!
//! The same CSV files go to the device, where kernels filter, group, add up and join. It needs no GPU: without one, the
//! simulator of this repository stands in for it and says so, in host memory, so that the numbers are the same.
//!
//! All that memprof asks of cudarc code is one word, `tracked()`, in `gpu.rs`. What a function allocates then stands in
//! the tables of `pinned` and `cuda:0` as it does in that of `host`. So "load flights" peaks with the four whole columns,
//! the row numbers and the four filtered columns side by side, and `Gpu::take` says how much the filtered ones are.

mod gpu;
mod kernels;
mod reader;
mod table;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use gpu::{Column, Gpu};
use reader::{Keys, code, read_columns};
use table::{Row, print_table};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[expect(clippy::print_stderr, reason = "where a program says why it failed")]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("06_gpu_pipeline: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The flights that arrived, on the device: a value or the number of its key for each flight.
struct Flights {
    carrier: Column,
    dest: Column,
    distance: Column,
    arr_delay: Column,
}

#[memprof::track]
fn run() -> Result<()> {
    let gpu = Gpu::new()?;
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("data");

    let [carriers, dests, distances, delays] =
        read_columns(&data.join("flights.csv"), ["carrier", "dest", "distance", "arr_delay"])?;
    let (carriers, dests) = (Keys::new(carriers)?, Keys::new(dests)?);
    let flights = memprof::scope!("load flights", {
        let arr_delay = gpu.upload(&reader::numbers(&delays)?)?;
        let distance = gpu.upload(&reader::numbers(&distances)?)?;
        let carrier = gpu.upload(&carriers.of_row)?;
        let dest = gpu.upload(&dests.of_row)?;
        let (rows, count) = gpu.filter(&arr_delay)?;
        Flights {
            carrier: gpu.take(&carrier, &rows, count)?,
            dest: gpu.take(&dest, &rows, count)?,
            distance: gpu.take(&distance, &rows, count)?,
            arr_delay: gpu.take(&arr_delay, &rows, count)?,
        }
    });

    let airlines = read_columns(&data.join("airlines.csv"), ["carrier", "name"])?;
    let by_airline = delays_by(&gpu, &flights, &flights.carrier, &carriers, &airlines)?;
    print_table("Airlines, by mean delay on arrival in minutes", "carrier", &by_airline);

    let airports = read_columns(&data.join("airports.csv"), ["faa", "name"])?;
    let mut by_airport = delays_by(&gpu, &flights, &flights.dest, &dests, &airports)?;
    by_airport.retain(|row| row.count >= 50);
    by_airport.truncate(10);
    print_table("Destinations of 50 flights or more, the ten latest", "dest", &by_airport);
    Ok(())
}

/// One row for each key that has a flight, with its name from `others`, the one with the greatest mean delay first.
#[memprof::track]
fn delays_by(
    gpu: &Gpu,
    flights: &Flights,
    groups: &Column,
    keys: &Keys,
    [others, names]: &[Vec<String>; 2],
) -> Result<Vec<Row>> {
    let totals = gpu.aggregate(groups, &flights.distance, &flights.arr_delay, keys.texts.len())?;
    let codes: Vec<i32> = keys.texts.iter().map(|text| code(text)).collect();
    let other_codes: Vec<i32> = others.iter().map(|text| code(text)).collect();
    let joined = gpu.join(&codes, &other_codes)?;

    let groups = keys.texts.iter().zip(totals).zip(joined);
    let mut rows: Vec<Row> = groups
        .filter(|((_, [count, ..]), _)| *count > 0)
        .map(|((key, [count, distance, delay]), row)| Row {
            key: key.clone(),
            count,
            mean_distance: f64::from(distance) / f64::from(count),
            mean_arr_delay: f64::from(delay) / f64::from(count),
            name: usize::try_from(row).ok().map_or("-", |row| &names[row]).to_owned(),
        })
        .collect();
    rows.sort_by(|a, b| b.mean_arr_delay.total_cmp(&a.mean_arr_delay));
    Ok(rows)
}
