//! (j) Stands in for `criterion` under other people's benchmarks, so that they are run as published: each as often as the
//! command line says, where that crate would run it until a time is over.
//!
//! ```text
//! benchmark benchmarks 20        20 times each
//! 20 94613051 12840              times, nanoseconds in the benchmarks, peak resident set in KiB
//! ```
//!
//! Of that crate it has what those benchmarks call and no more. It brings the allocator of the tool with which their
//! functions are marked.

use std::fmt::Display;
use std::process::ExitCode;

pub use std::hint::black_box;

#[cfg(feature = "memprof")]
#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

#[cfg(feature = "hotpath")]
#[global_allocator]
static ALLOC: hotpath::CountingAllocator<std::alloc::System> = hotpath::CountingAllocator::with(std::alloc::System);

/// Runs benchmarks.
#[derive(Debug)]
pub struct Criterion {
    bencher: Bencher,
}

impl Criterion {
    pub fn bench_function(&mut self, _name: impl Display, mut benchmark: impl FnMut(&mut Bencher)) -> &mut Self {
        benchmark(&mut self.bencher);
        self
    }

    #[expect(clippy::needless_pass_by_value, reason = "as its callers call it")]
    pub fn bench_function_over_inputs<I>(
        &mut self,
        _name: &str,
        mut benchmark: impl FnMut(&mut Bencher, &I),
        inputs: Vec<I>,
    ) -> &mut Self {
        for input in &inputs {
            benchmark(&mut self.bencher, input);
        }
        self
    }

    pub fn benchmark_group(&mut self, _name: &str) -> &mut Self {
        self
    }

    pub fn bench_with_input<I: ?Sized>(
        &mut self,
        _name: impl Display,
        input: &I,
        mut benchmark: impl FnMut(&mut Bencher, &I),
    ) -> &mut Self {
        benchmark(&mut self.bencher, input);
        self
    }

    pub fn throughput(&mut self, _of: Throughput) -> &mut Self {
        self
    }

    pub fn finish(&mut self) {}
}

/// Repeats one benchmark.
#[derive(Debug)]
pub struct Bencher {
    turns: usize,
    nanoseconds: u128,
}

impl Bencher {
    #[expect(clippy::iter_not_returning_iterator, reason = "as its callers call it")]
    pub fn iter<R>(&mut self, mut once: impl FnMut() -> R) {
        self.iter_with_setup(|| (), |()| once());
    }

    pub fn iter_with_setup<I, R>(&mut self, mut setup: impl FnMut() -> I, mut once: impl FnMut(I) -> R) {
        for _ in 0..self.turns {
            let input = setup();
            self.nanoseconds += workloads::timed(|| drop(black_box(once(input))));
        }
    }
}

/// A benchmark's name.
#[derive(Debug)]
pub struct BenchmarkId(String);

impl BenchmarkId {
    pub fn new(name: impl Display, parameter: impl Display) -> Self {
        Self(format!("{name}/{parameter}"))
    }
}

impl Display for BenchmarkId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a benchmark goes through each time.
#[derive(Debug)]
pub enum Throughput {
    Bytes(u64),
}

/// The `main` of a program of benchmarks.
pub fn run(benchmarks: impl FnOnce(&mut Criterion)) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let turns = match &words[..] {
        [word, turns] if word == "benchmarks" => turns.parse().ok(),
        _ => None,
    };
    let Some(turns) = turns else {
        eprintln!("expected: benchmarks, and how many times");
        return ExitCode::from(2);
    };
    #[cfg(feature = "hotpath")]
    let _session = hotpath::HotpathGuardBuilder::new("main").format(hotpath::Format::None).build();
    let mut criterion = Criterion { bencher: Bencher { turns, nanoseconds: 0 } };
    benchmarks(&mut criterion);
    workloads::print_result(turns, criterion.bencher.nanoseconds);
    ExitCode::SUCCESS
}

#[macro_export]
macro_rules! criterion_group {
    ($name:ident, $($benchmark:path),+ $(,)?) => {
        fn $name(criterion: &mut $crate::Criterion) {
            $($benchmark(criterion);)+
        }
    };
}

#[macro_export]
macro_rules! criterion_main {
    ($group:path) => {
        fn main() -> std::process::ExitCode {
            $crate::run($group)
        }
    };
}
