//! What every driver function passes through: it is counted, may be told to fail, is shown to the CUPTI subscriber, and never unwinds
//! into its caller.
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::base::abi::{Code, Done, Function};
use crate::base::log::{broken, log};
use crate::cupti;
use crate::model::state::{self, State};

/// Runs a driver function's body. `parameters` leads to the C arguments in order, for CUPTI.
pub(crate) fn call(function: &'static Function, parameters: *const c_void, body: impl FnOnce() -> Done) -> Code {
    let passed = catch_unwind(AssertUnwindSafe(|| pass(function, parameters, body)));
    passed.unwrap_or_else(|panic| broken(function.text(), panic.as_ref()))
}

fn pass(function: &'static Function, parameters: *const c_void, body: impl FnOnce() -> Done) -> Code {
    let (told_to_fail, is_gone) = {
        let mut state = state::lock();
        (state.begin_call(function.text()), state.is_gone)
    };
    let mut site = cupti::enter(function, parameters);
    let code = match told_to_fail {
        _ if is_gone => Code::DEINITIALIZED,
        Some(code) => code,
        None => body().err().unwrap_or(Code::SUCCESS),
    };
    if let Some(site) = &mut site {
        cupti::exit(site, code);
    }
    log(function.text(), code);
    code
}

/// Runs a body that needs the state and an initialised driver.
pub(crate) fn with(body: impl FnOnce(&mut State) -> Done) -> Done {
    let mut state = state::lock();
    if !state.initialised {
        return Err(Code::NOT_INITIALIZED);
    }
    body(&mut state)
}

/// Runs a body that a capture may prohibit.
pub(crate) fn unless_captured(body: impl FnOnce(&mut State) -> Done) -> Done {
    with(|state| {
        state.refuse_if_capturing()?;
        body(state)
    })
}

/// Defines driver functions: exported under their C names, with [`call`] around each body.
///
/// Input:
/// ```text
/// fn `cuMemFree_v2`(address: u64) [245] { gate::with(|state| state.free(address)) }
/// ```
/// Output: `extern "C" fn cuMemFree_v2(address: u64) -> Code`, exported, whose body runs in [`call`] with CUPTI's number 245.
macro_rules! driver {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) $([$cbid:literal])? $body:block)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($($argument: $type),*) -> $crate::base::abi::Code {
            #[repr(C)]
            struct Parameters {
                $($argument: $type),*
            }
            static FUNCTION: $crate::base::abi::Function =
                $crate::base::abi::Function { name: $crate::base::abi::c_name(concat!(stringify!($name), "\0")), cbid: 0 $(+ $cbid)? };
            let parameters = Parameters { $($argument),* };
            $crate::driver::gate::call(&FUNCTION, (&raw const parameters).cast(), || $body)
        }
    )*};
}
pub(crate) use driver;
