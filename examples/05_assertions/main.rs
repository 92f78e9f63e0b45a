//! Memory as something a test asserts: to the byte, and to the block.
//!
//! ```text
//! cargo run --release -p example-assertions
//! cargo test -p example-assertions
//! ```
//!
//! Copy the allocator and `measured` into a test. `.always()` measures the host in every run of the
//! program, with or without `MEMPROF=1`. A scope sees its own thread only, so tests that run side by
//! side do not disturb each other.

use std::hint::black_box; // else an optimised build may leave out an allocation that nothing uses

use memprof::{Counters, Scope, Space};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();

/// Runs `code`: its value, and what it did to host memory. What the value holds is in `current_*`.
fn measured<T>(code: impl FnOnce() -> T) -> (T, Counters) {
    memprof::enable();
    let scope = Scope::enter(memprof::site!("measured"));
    let value = black_box(code());
    (value, scope.finish().counters(Space::HOST))
}

#[cfg_attr(test, test)]
fn a_table_is_one_block() {
    let (table, memory) = measured(|| vec![7_u64; 1000]);
    assert_eq!(
        memory,
        Counters {
            current_bytes: 8000,
            current_blocks: 1,
            peak_bytes: 8000,
            peak_blocks: 1,
            total_bytes: 8000,
            total_blocks: 1,
        }
    );
    drop(table);
}

#[cfg_attr(test, test)]
fn sorting_in_place_allocates_nothing() {
    let mut numbers: Vec<u32> = (0..10_000).rev().collect();
    let ((), memory) = measured(|| numbers.sort_unstable());
    assert_eq!(memory, Counters::default());
}

/// The same total, a tenth of the peak: what tells a loop that reuses memory from one that hoards.
#[cfg_attr(test, test)]
fn ten_blocks_one_after_another_peak_at_one() {
    let block = || black_box(vec![1_u8; 1_000_000]);
    let ((), in_turn) = measured(|| (0..10).for_each(|_| drop(block())));
    let (held, at_once) = measured(|| [(); 10].map(|()| block()));
    assert_eq!((in_turn.total_bytes, at_once.total_bytes), (10_000_000, 10_000_000));
    assert_eq!((in_turn.peak_bytes, at_once.peak_bytes), (1_000_000, 10_000_000));
    assert_eq!((in_turn.current_bytes, at_once.current_bytes), (0, 10_000_000));
    drop(held);
}

/// Counters are relative to where the scope was entered, so a scope that frees older memory goes
/// below zero.
#[cfg_attr(test, test)]
fn freeing_older_memory_goes_below_zero() {
    memprof::enable(); // a block from before that is not known
    let older = black_box(vec![0_u8; 4096]);
    let ((), memory) = measured(|| drop(older));
    assert_eq!((memory.current_bytes, memory.current_blocks), (-4096, -1));
    assert_eq!((memory.peak_bytes, memory.total_bytes), (0, 0));
}

/// An open scope can be read at any point; `memprof::counters` reads the innermost one.
#[cfg_attr(test, test)]
fn a_scope_is_read_while_it_is_open() {
    memprof::enable();
    let outer = Scope::enter(memprof::site!("outer"));
    let kept = black_box(vec![0_u8; 300]);
    {
        memprof::scope!("inner");
        let scratch = black_box(vec![0_u8; 50]);
        assert_eq!(memprof::counters(Space::HOST).current_bytes, 50);
        assert_eq!(outer.counters(Space::HOST).current_bytes, 350);
        drop(scratch);
    }
    assert_eq!(memprof::counters(Space::HOST), outer.counters(Space::HOST));
    let memory = outer.finish().counters(Space::HOST);
    assert_eq!((memory.current_bytes, memory.peak_bytes, memory.total_bytes), (300, 350, 350));
    drop(kept);
}

#[expect(clippy::print_stdout, reason = "the result of the program")]
fn main() {
    a_table_is_one_block();
    sorting_in_place_allocates_nothing();
    ten_blocks_one_after_another_peak_at_one();
    freeing_older_memory_goes_below_zero();
    a_scope_is_read_while_it_is_open();
    println!("every assertion holds");
}
