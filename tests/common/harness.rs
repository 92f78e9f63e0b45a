//! The harness of a file with one test that wants no thread beside its own. libtest runs a test on a second thread, and the first one's
//! waiting for it allocates, at a time of its own.
#![expect(clippy::print_stdout, reason = "it says what libtest would say")]

/// Runs `test` if the command line asks for it by `name`, or for all that are not ignored.
pub(crate) fn main(name: &str, test: impl FnOnce()) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--list") {
        if !has("--ignored") {
            println!("{name}: test");
        }
        return;
    }
    // Those of options have no underscore.
    let mut filters =
        arguments.iter().filter(|argument| !argument.starts_with('-') && argument.contains('_')).peekable();
    if has("--ignored") || filters.peek().is_some() && !filters.any(|filter| name.contains(filter.as_str())) {
        return;
    }
    test();
    println!("test {name} ... ok");
}
