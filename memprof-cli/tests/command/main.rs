//! The built command on real files: what it prints, what it writes, how it ends, and what it says of a wrong call or file.
//!
//! `dataframe.json` was saved by the first example. Each test works in a folder of its own.

mod program;
mod support;

mod check;
mod convert;
mod diff;
mod help;
mod merge;
mod report;
mod serve;
#[cfg(unix)]
mod run;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod top;
mod wrong;
