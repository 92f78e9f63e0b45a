//! Whole-process interception: every allocation and free of the CUDA driver, whoever asked for it.
//!
//! CUPTI, which comes with CUDA, calls a function of ours before and after each call of the driver, on the thread that
//! makes it. What is there to be told apart is in the modules below: where CUPTI is ([`library`]), what is watched
//! ([`calls`]), what a call asks for ([`request`]), which device and context it concerns ([`contexts`]), what is live
//! ([`blocks`], [`physical`]), and how a free that the driver refuses is taken back ([`pending`]). [`callback`] joins them;
//! [`subscription`] has it called.

mod array;
mod calls;
mod ffi;

mod blocks;
mod contexts;
mod library;
mod physical;

mod questions;

mod pending;
mod request;
mod survey;

mod callback;

mod subscription;

mod guard;

pub(crate) use self::blocks::{Freed, released_unseen};
pub(crate) use self::guard::install_from_environment;
pub use self::guard::{Intercepted, intercept, intercept_with};
