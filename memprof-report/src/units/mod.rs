//! Numbers with units, as settings and files have them: amounts of memory, increases of one, times.
//!
//! What one part of memprof understands, every other understands alike, and what is refused is refused in the same words: the
//! recorder reads its settings with these functions, and the command its options and files. `table.rs` has amounts and what is said
//! of them; the tests of whoever reads an amount run through all of it.

mod amount;
mod increase;
mod time;

pub use amount::{ACCEPTED as AMOUNTS, bytes, wrong as wrong_amount};
pub use increase::Increase;
pub use time::{TIMES, time};

#[cfg(test)]
mod tests;
