//! A parallel iterator of rayon, in the row of the function that asks for it.

use memprof::Context;
use rayon::prelude::*;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

fn main() {
    let numbers: Vec<u64> = (0..100_000).collect();
    println!("{} {}", with_an_ambient_scope(&numbers), with_a_context(&numbers));
}

/// One line, and the closures stay as they are.
#[memprof::track]
fn with_an_ambient_scope(numbers: &[u64]) -> u64 {
    let _pool = memprof::ambient("squares on the pool");
    numbers.par_chunks(10_000).map(squares).sum()
}

/// The same exactly for this iterator, whatever else the pool does meanwhile.
#[memprof::track]
fn with_a_context(numbers: &[u64]) -> u64 {
    let context = Context::current();
    numbers.par_chunks(10_000).map(|part| context.run(|| squares(part))).sum()
}

#[memprof::track]
fn squares(part: &[u64]) -> u64 {
    let squares: Vec<u64> = part.iter().map(|number| number * number).collect();
    squares.iter().sum()
}
