//! The attributes of memprof: [`macro@track`] and [`macro@limit`].
//!
//! They change nothing but the measurement. What a function may do, how it borrows, in which order it drops, which warnings and errors the
//! compiler gives and where it points: all of that stays as it is without them.
//!
//! This crate depends on no other crate of memprof. It only names what `::memprof::__private` has to offer.
//!
//! | module, lower ones first | what it does |
//! |---|---|
//! | `args` | the arguments of `#[track]`, and what is said about wrong ones |
//! | `amount` | amounts of memory, as memprof reads them everywhere |
//! | `units` | the literals of such amounts |
//! | `limits` | the arguments of `#[limit]` |
//! | `invisible` | what `macro_rules!` macros put around their arguments |
//! | `function` | a function, its body left as tokens |
//! | `arguments` | the arguments of an `async fn`, moved into its future |
//! | `returned` | the future of an `async fn`, and the type that it is told |
//! | `tail` | functions that end in a future |
//! | `expand` | the measured function |
//! | `implblock` | a whole `impl` block |
//! | `limited` | a function with `#[limit]` |
//! | `item` | what `#[track]` stands on |
//!
//! A module names only those above it.

mod args;
#[expect(unreachable_pub, reason = "a copy of a file of memprof-report, from where they can be reached")]
mod amount;
mod units;
mod limits;
mod invisible;
mod function;
mod arguments;
mod returned;
mod tail;
mod expand;
mod implblock;
mod limited;
mod item;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{Error, Result};

use crate::args::Args;
use crate::item::Item;

/// Measures a function, or every function of an `impl` block: it becomes a row of the report, with its calls, its peak and its total.
///
/// It goes on a `fn`, an `async fn`, a method, a trait's default method, a function in a trait `impl`, or a whole `impl` block.
///
/// ```ignore
/// #[memprof::track]
/// fn load(path: &str) -> std::io::Result<Vec<u8>> {
///     std::fs::read(path)
/// }
///
/// #[memprof::track]
/// impl DataFrame {
///     pub fn new() -> Self { /* measured as `DataFrame::new` */ }
///     pub async fn fetch(&self) { /* measured while it is polled, and while it is dropped */ }
///     #[memprof::track(name = "join")]
///     fn join_inner(&self) { /* measured as `join` */ }
///     #[memprof::track(skip)]
///     fn len(&self) -> usize { /* not measured */ }
/// }
/// ```
///
/// # Arguments
///
/// * `name = ".."`: the name in the report, instead of `Type::method`, `<Type as Trait>::method` or `function`. Not on an `impl` block.
/// * `crate = path`: where memprof is found, if not at `::memprof`: a renamed dependency or a re-export. On an `impl` block it holds for
///   all functions in it.
/// * `skip`: on a function of a tracked `impl` block only; leaves it out.
///
/// # On an `impl` block
///
/// `const fn`, naked functions and functions without a body are left out silently. A function's own `#[track(..)]` wins over the block's.
/// Both it and `#[track(skip)]` are known by the last segment of the attribute's path; an attribute imported under another name, or one
/// in a `cfg_attr`, is not seen. Functions that a macro call in the block will make are not seen either.
///
/// # Futures
///
/// An `async fn` is one activation, entered whenever it is polled and once more to drop it, arguments included. It stays `Send` if it was,
/// drops everything in the same order, and grows by 16 bytes. It becomes what the compiler makes of it, a `fn` that returns `impl
/// Future`, and documentation shows it so. A function that is not `async` but ends in `async { .. }` or `Box::pin(async { .. })` is
/// measured in that block; that is what async-trait makes of a method, so the attribute can stand on the method, or on the `impl` above or
/// below `#[async_trait]`. If statements come before that block, they run when the function is called, as part of the same activation: it
/// begins there, and its path is fixed there, also if the future is never polled.
///
/// Each future in a chain of calls is one type more, and a tracked one two. The compiler gives up at 128 (`E0275`, overflow evaluating a
/// requirement such as `Send`): with about 26 tracked `async fn`s that await each other, instead of 38. It then says what to write at the
/// top of the crate: `#![recursion_limit = "256"]`. `Box::pin(f()).await` as a `Pin<Box<dyn Future + Send>>` ends a chain too.
///
/// # What it does not see
///
/// * Arguments that a function that is not `async` takes by value are dropped after the scope has ended, because they belong to the call
///   and not to the body: so a free of theirs is charged to the scope around it.
/// * An `async fn` stays one where another attribute than the compiler's own is on it or on its `impl` block, which may be a macro that has
///   to see it, and where it returns `!`. Its future then holds each argument once more than it did.
/// * In an `async fn` with `mut self` the compiler warns of a `self` that is assigned to and not read again (`unused_assignments`). Lints that
///   look for the word `async`, or for an `async` block that is returned, do not find it (clippy's `unused_async`, `missing_errors_doc`).
/// * Before edition 2024 the temporaries of a body's last expression are dropped after the scope has ended.
/// * A future that the function did not write as its last expression (`ready`, `poll_fn`, `.boxed()`, an early `return`) is not
///   followed: only the making of it is measured.
/// * `#[track_caller]` works as without the attribute on a `fn`; on an `async fn` it is unstable, and nothing is promised.
/// * In a function that a `macro_rules!` macro writes, the line is that of the macro's outermost call, as `line!()` has it.
///
/// # Errors
///
/// A `const fn`, a naked function, a function without a body, anything but a function or an `impl` block, and a wrong argument are each one
/// compile error at the token at fault. The item itself stays, so that no second error follows from the first.
///
/// # When it is off
///
/// Without the feature `runtime` the item is left as it is, token for token. Arguments and places are still checked; only whether
/// memprof is where `crate = path` says is not.
#[proc_macro_attribute]
pub fn track(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let mode = if cfg!(feature = "runtime") { Mode::Measure } else { Mode::Check };
    expand_attribute(args.into(), item.into(), mode).into()
}

/// Judges each activation of a function at its end: it fails with a panic where it needed more than it may.
///
/// It goes on a function, a method or an `async fn`, above all on a test, and enters a scope as [`macro@track`] does. The
/// numbers that it judges are those of the one activation, and so are right where tests run side by side. It switches measuring on by itself.
///
/// ```ignore
/// #[global_allocator]
/// static ALLOC: memprof::Alloc = memprof::Alloc::system().always();
///
/// #[test]
/// #[memprof::limit(peak = "24 MiB", total = "1 GB", kept = 0)]
/// fn loads_in_little() { /* .. */ }
///
/// #[memprof::limit(peak = "64 MiB")]
/// #[memprof::limit(space = "cuda:0", peak = "2 GiB", kept = 0)]
/// async fn step(batch: &Batch) -> Result<Loss, Error> { /* .. */ }
/// ```
///
/// # Arguments
///
/// An amount is a number of bytes, or a string of one and its unit: `B`, `kB`, `MB`, `GB`, `TB` (powers of 1000), `KiB`, `MiB`, `GiB`,
/// `TiB` (powers of 1024). A fraction, as in `"1.5 MiB"`, comes to whole bytes. It is the most that is allowed: equal is fine.
///
/// * `peak`: what the activation may hold at once, above what there was when it began, with all that it calls.
/// * `total`: what it may allocate in all, whatever it frees meanwhile.
/// * `kept`: what it may leave when it ends, its return value included, less what it freed of older memory.
/// * `space`: where; `"host"` if it is not given. One attribute a space.
/// * `threads`: the work of threads that have no scope of their own open, such as a pool's, counts too: an
///   [ambient](https://docs.rs/memprof/latest/memprof/fn.ambient.html) scope is open as long as the activation. It is exact where no other test
///   runs in the process (cargo nextest, or `cargo test -- --test-threads=1`), and on the host to within 64 KiB for each such thread. Without it, what other
///   threads do counts only under a [`Context`](https://docs.rs/memprof/latest/memprof/struct.Context.html).
/// * `name` and `crate`, as `#[track]` takes them. Where both attributes are on a function, it is one activation, and one row.
///
/// # When it fails
///
/// The panic says what was allowed, what was measured and by how much it is over, and which scopes inside this one needed most.
/// [`on_limit`](https://docs.rs/memprof/latest/memprof/fn.on_limit.html) has a function called instead, for a program that is not to panic. A space
/// that is not measured fails too, and says what to add: the host without memprof's allocator, or with one that writes no tags, a space that
/// nothing was ever reported in, and a process where measuring was switched off meanwhile. So nothing passes unmeasured.
///
/// Nothing is judged while the thread unwinds, and where a future is dropped unfinished. `#[should_panic]` must say what it expects.
///
/// What other threads free of this thread's older blocks comes off as if this one freed it. The standard library keeps the threads that
/// run in a tree: a thread that begins may allocate a node of it, 544 bytes, which another one frees as it ends. So where many tests
/// run side by side, about one activation in a thousand measures that much too little on the host. It never measures too much; and a future
/// has no older blocks.
///
/// Below `#[tokio::test]` the function that is judged runs the future, and so the runtime's own memory counts; above it, the future alone is
/// judged.
///
/// # Errors
///
/// An amount, a unit or an argument that is not one of these, two limits for one space, and limits that contradict one another (a `peak` above
/// the `total`) are each one compile error at the literal or the word. The function itself stays.
///
/// # When it is off
///
/// Without the feature `runtime` the function is left as it is; arguments and places are still checked.
#[proc_macro_attribute]
pub fn limit(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    limited::expand(args.into(), item.into(), cfg!(feature = "runtime")).into()
}

/// What becomes of an item that is right.
#[derive(Clone, Copy)]
enum Mode {
    /// It is measured.
    Measure,
    /// It stays as it is.
    Check,
}

fn expand_attribute(args: TokenStream, tokens: TokenStream, mode: Mode) -> TokenStream {
    let args = syn::parse2::<Args>(args);
    match syn::parse2::<Item>(tokens.clone()) {
        Ok(item) => match expand_item(item, args, mode) {
            Ok(expanded) => expanded.unwrap_or(tokens),
            Err(mistake) => mistake.report(tokens),
        },
        // One mistake at a time: the arguments come first in the text.
        Err(error) => Mistake::from(args.err().unwrap_or(error)).report(tokens),
    }
}

/// `None` for the item as it is.
fn expand_item(item: Item, args: Result<Args>, mode: Mode) -> core::result::Result<Option<TokenStream>, Mistake> {
    match item {
        Item::Function(function) => {
            let args = args.and_then(Args::on_function)?;
            match (function.refusal("track"), mode) {
                (Some(error), _) => Err(error.into()),
                (None, Mode::Measure) => {
                    let measured = expand::measured(&function, &args, true);
                    Ok(Some(limited::left_to_limit(*function, &args).unwrap_or(measured)))
                }
                (None, Mode::Check) => Ok(None),
            }
        }
        Item::Impl(mut block) => {
            let args = args.and_then(Args::on_impl);
            block.settle(args.as_ref().ok().and_then(Args::krate));
            match (args, mode) {
                (Err(error), _) => Err(Mistake { error, item: Some(block.to_token_stream()) }),
                (Ok(args), Mode::Measure) => Ok(Some(block.measured(&args))),
                (Ok(_), Mode::Check) => Ok(Some(block.to_token_stream())),
            }
        }
    }
}

/// An error, and the item if it is not to stay as it was written.
struct Mistake {
    error: Error,
    item: Option<TokenStream>,
}

impl Mistake {
    /// The error in front of the item. Without the item, every use of it would be an error too.
    fn report(self, written: TokenStream) -> TokenStream {
        let mut tokens = self.error.into_compile_error();
        tokens.extend(self.item.unwrap_or(written));
        tokens
    }
}

impl From<Error> for Mistake {
    fn from(error: Error) -> Self {
        Self { error, item: None }
    }
}
