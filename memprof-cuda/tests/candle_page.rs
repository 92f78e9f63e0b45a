//! What docs/candle.md says, held against its program (`tests/candle`), and against a run: candle's own allocations, as candle-core 0.11.1 makes
//! them through cudarc, are made on the simulator, where candle itself cannot run.
#![expect(unsafe_code, reason = "allocations that cudarc leaves unset")]

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaSlice, CudaStream, DriverError};
use memprof_core::{Scope, Site, Snapshot, Space};

mod intercept_ground;
use intercept_ground::{Tried, alone};

const PAGE: &str = include_str!("../../docs/candle.md");
const PROGRAM: &str = include_str!("candle/src/main.rs");
const MANIFEST: &str = include_str!("candle/Cargo.toml");

/// The page's first block of this language.
fn block(language: &str) -> Option<&'static str> {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n"))?;
    Some(rest.split_once("```")?.0)
}

#[test]
fn the_page_shows_the_program_that_is_compiled() {
    let (head, program) = PROGRAM.split_once("\n\n").unwrap_or_default();
    assert!(head.starts_with("//! "), "the program's first lines say what it is: {head}");
    assert_eq!(block("rust,ignore"), Some(program));
}

/// Of each line of the page's dependencies: the crate, the version without the `=` that pins it here, the features.
#[test]
fn the_page_asks_for_the_candle_that_is_compiled() {
    let candle = |text: &'static str| text.lines().find(|line| line.starts_with("candle-core = "));
    let here = candle(MANIFEST).map(|line| line.replace("\"=", "\""));
    assert_eq!(block("toml").and_then(candle).map(ToOwned::to_owned), here);
    assert!(MANIFEST.contains("features = [\"cuda\"] }\nmemprof = "));
}

const FLOATS: (usize, usize, usize) = (256, 1_024, 4_096);

/// As candle's `Tensor::zeros`: `CudaDevice::zeros_impl`.
fn zeros(stream: &Arc<CudaStream>, floats: usize) -> Result<CudaSlice<f32>, DriverError> {
    stream.alloc_zeros(floats)
}

/// As the result of candle's `Tensor::matmul` and `Tensor::relu`: an allocation that the kernel fills.
fn result_of(stream: &Arc<CudaStream>, floats: usize) -> Result<CudaSlice<f32>, DriverError> {
    // SAFETY: nobody reads it.
    unsafe { stream.alloc(floats) }
}

struct Layer {
    _up: CudaSlice<f32>,
    _down: CudaSlice<f32>,
}

impl Layer {
    fn load(stream: &Arc<CudaStream>) -> Result<Self, DriverError> {
        let _scope = Scope::enter(Site::named("Layer::load"));
        let (_, inner, outer) = FLOATS;
        Ok(Self { _up: zeros(stream, inner * outer)?, _down: zeros(stream, outer * inner)? })
    }

    fn forward(stream: &Arc<CudaStream>) -> Result<CudaSlice<f32>, DriverError> {
        let _scope = Scope::enter(Site::named("Layer::forward"));
        let (rows, inner, outer) = FLOATS;
        // Both live to the end of the expression that they are in.
        let (_product, _relu) = (result_of(stream, rows * outer)?, result_of(stream, rows * outer)?);
        result_of(stream, rows * inner)
    }
}

/// A number as the page and the report have it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

/// A row's calls and total as the report says them; and its live bytes.
fn row(snapshot: &Snapshot, name: &str) -> Option<(String, i64)> {
    let row = snapshot.records(Space::device(0)).iter().find(|row| row.name == name)?;
    Some((format!("| `{name}` | {} | {} |", grouped(row.ncalls), grouped(row.memory_total)), row.live))
}

#[test]
fn the_page_s_numbers_are_those_of_a_run() -> Tried {
    const ALLOCATIONS: u64 = 8 + 1 + 12;
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let (asynchronous, plain) = (sim.calls("cuMemAllocAsync"), sim.calls("cuMemAlloc_v2"));
    let context = CudaContext::new(0)?;
    let stream = context.per_thread_stream();
    let layers = (0..4).map(|_| Layer::load(&stream)).collect::<Result<Vec<_>, _>>()?;
    let mut hidden = zeros(&stream, FLOATS.0 * FLOATS.1)?;
    let mut left = Vec::new();
    for _ in &layers {
        let before = memprof_core::snapshot().totals(Space::device(0)).live;
        let result = Layer::forward(&stream)?;
        left.push(memprof_core::snapshot().totals(Space::device(0)).live - before);
        hidden = result;
    }
    stream.synchronize()?;
    let snapshot = memprof_core::snapshot();
    let totals = snapshot.totals(Space::device(0));
    let (load, forward) = (row(&snapshot, "Layer::load"), row(&snapshot, "Layer::forward"));
    let (load, forward) = (load.ok_or("no row of load")?, forward.ok_or("no row of forward")?);
    for (said, _) in [&load, &forward] {
        assert!(PAGE.contains(said.as_str()), "not on the page: {said}");
    }
    let outside = totals.total - 134_217_728 - 37_748_736;
    let outside = format!("| outside any scope | | {}, and ", grouped(outside));
    assert!(PAGE.contains(&outside), "not on the page: {outside}");
    assert_eq!((left.as_slice(), load.1, forward.1), ([1_048_576; 4].as_slice(), 134_217_728, 1_048_576));
    for said in
        ["33,554,432 bytes a call", "9,437,184 bytes a call", "A call of `forward` leaves 1,048,576 bytes behind"]
    {
        assert!(PAGE.contains(said), "not on the page: {said}");
    }
    // Of a pool, each of them.
    let made = (sim.calls("cuMemAllocAsync") - asynchronous, sim.calls("cuMemAlloc_v2") - plain);
    assert_eq!(made, (ALLOCATIONS, 0));
    drop((layers, hidden));
    assert_eq!(memprof_core::snapshot().totals(Space::device(0)).live, 0);
    Ok(())
}
