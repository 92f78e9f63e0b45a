//! What the simulator says on stderr.
//!
//! Nothing that is said here fails or unwinds: stderr may be closed. A panic becomes a line and a result code, since it
//! must not cross the C border.

use std::any::Any;
use std::io::Write;

use super::abi::Code;
use super::settings::settings;

/// A line on stderr and an error, in place of a panic that would cross the C border.
pub(crate) fn broken(name: &str, panic: &(dyn Any + Send)) -> Code {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
    say(&format!("{name} panicked: {text}"));
    Code::UNKNOWN
}

/// One line on stderr.
pub(crate) fn say(line: &str) {
    let _nowhere_to_say_it = writeln!(std::io::stderr(), "cuda simulator: {line}");
}

/// A call and its result, if the settings ask for that.
pub(crate) fn log(name: &str, code: Code) {
    if settings().log {
        say(&format!("{name} -> {}", code.0));
    }
}
