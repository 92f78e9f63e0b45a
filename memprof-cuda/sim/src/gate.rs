//! What every driver function passes through: it is counted, may be told to fail, is shown to the CUPTI subscriber, and never unwinds
//! into its caller.

use std::any::Any;
use std::ffi::{CStr, c_void};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::abi::{Code, Done};
use crate::cupti;
use crate::settings::settings;
use crate::state::{self, State};

/// A driver function: its name and its number among CUPTI's callbacks, 0 for none.
pub(crate) struct Function {
    pub(crate) name: &'static CStr,
    pub(crate) cbid: u32,
}

impl Function {
    pub(crate) fn text(&self) -> &'static str {
        self.name.to_str().unwrap_or_default()
    }
}

/// Runs a driver function's body. `parameters` leads to the C arguments in order, for CUPTI.
pub(crate) fn call(function: &'static Function, parameters: *const c_void, body: impl FnOnce() -> Done) -> Code {
    let passed = catch_unwind(AssertUnwindSafe(|| pass(function, parameters, body)));
    passed.unwrap_or_else(|panic| broken(function.text(), panic.as_ref()))
}

fn pass(function: &'static Function, parameters: *const c_void, body: impl FnOnce() -> Done) -> Code {
    let told_to_fail = state::lock().begin_call(function.text());
    let mut site = cupti::enter(function, parameters);
    let code = match told_to_fail {
        Some(code) => code,
        None => body().err().unwrap_or(Code::SUCCESS),
    };
    if let Some(site) = &mut site {
        cupti::exit(site, code);
    }
    log(function.text(), code);
    code
}

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

fn log(name: &str, code: Code) {
    if settings().log {
        say(&format!("{name} -> {}", code.0));
    }
}

/// Runs a body that needs the state and an initialised driver.
pub(crate) fn with(body: impl FnOnce(&mut State) -> Done) -> Done {
    let mut state = state::lock();
    if !state.initialised {
        return Err(Code::NOT_INITIALIZED);
    }
    body(&mut state)
}

/// Defines driver functions: exported under their C names, with [`call`] around each body.
///
/// Input:
/// ```text
/// fn cuMemFree_v2(address: u64) [245] { gate::with(|state| state.free(address)) }
/// ```
/// Output: `extern "C" fn cuMemFree_v2(address: u64) -> Code`, exported, whose body runs in [`call`] with CUPTI's number 245.
macro_rules! driver {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) $([$cbid:literal])? $body:block)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($($argument: $type),*) -> $crate::abi::Code {
            #[repr(C)]
            struct Parameters {
                $($argument: $type),*
            }
            static FUNCTION: $crate::gate::Function =
                $crate::gate::Function { name: $crate::gate::c_name(concat!(stringify!($name), "\0")), cbid: 0 $(+ $cbid)? };
            let parameters = Parameters { $($argument),* };
            $crate::gate::call(&FUNCTION, (&raw const parameters).cast(), || $body)
        }
    )*};
}
pub(crate) use driver;

/// The name as C has it; for [`driver!`], which gives it a text that ends in a nul.
pub(crate) const fn c_name(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(name) => name,
        Err(_) => c"?",
    }
}
