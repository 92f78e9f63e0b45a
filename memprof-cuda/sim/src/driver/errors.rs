//! The names and texts of result codes.
//!
//! A code that the simulator gives has to stand here, for programs that say what went wrong; any other is none, as in
//! CUDA.
#![expect(unsafe_code, reason = "exports driver functions")]

use std::ffi::{CStr, c_char};

use crate::base::abi::{Code, Out};
use crate::driver::gate::driver;

/// Name and text of a code.
fn describe(code: u32) -> Option<(&'static CStr, &'static CStr)> {
    Some(match code {
        0 => (c"CUDA_SUCCESS", c"no error"),
        1 => (c"CUDA_ERROR_INVALID_VALUE", c"invalid argument"),
        2 => (c"CUDA_ERROR_OUT_OF_MEMORY", c"out of memory"),
        3 => (c"CUDA_ERROR_NOT_INITIALIZED", c"initialization error"),
        4 => (c"CUDA_ERROR_DEINITIALIZED", c"driver shutting down"),
        100 => (c"CUDA_ERROR_NO_DEVICE", c"no CUDA-capable device is detected"),
        101 => (c"CUDA_ERROR_INVALID_DEVICE", c"invalid device ordinal"),
        200 => (c"CUDA_ERROR_INVALID_IMAGE", c"device kernel image is invalid"),
        201 => (c"CUDA_ERROR_INVALID_CONTEXT", c"invalid device context"),
        215 => (c"CUDA_ERROR_UNSUPPORTED_LIMIT", c"limit is not supported on this architecture"),
        217 => (c"CUDA_ERROR_PEER_ACCESS_UNSUPPORTED", c"peer access is not supported between these two devices"),
        304 => (c"CUDA_ERROR_OPERATING_SYSTEM", c"OS call failed or operation not supported on this OS"),
        400 => (c"CUDA_ERROR_INVALID_HANDLE", c"invalid resource handle"),
        401 => (c"CUDA_ERROR_ILLEGAL_STATE", c"the operation cannot be performed in the present state"),
        500 => (c"CUDA_ERROR_NOT_FOUND", c"named symbol not found"),
        600 => (c"CUDA_ERROR_NOT_READY", c"device not ready"),
        700 => (c"CUDA_ERROR_ILLEGAL_ADDRESS", c"an illegal memory access was encountered"),
        709 => (c"CUDA_ERROR_CONTEXT_IS_DESTROYED", c"context is destroyed"),
        712 => (
            c"CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED",
            c"part or all of the requested memory range is already mapped",
        ),
        713 => (c"CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", c"pointer does not correspond to a registered memory region"),
        719 => (c"CUDA_ERROR_LAUNCH_FAILED", c"unspecified launch failure"),
        800 => (c"CUDA_ERROR_NOT_PERMITTED", c"operation not permitted"),
        801 => (c"CUDA_ERROR_NOT_SUPPORTED", c"operation not supported"),
        900 => (c"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", c"operation not permitted when stream is capturing"),
        901 => (c"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", c"operation failed due to a previous error during capture"),
        903 => (c"CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", c"capture was not ended in the same stream as it began"),
        907 => {
            (c"CUDA_ERROR_CAPTURED_EVENT", c"operation not permitted on an event last recorded in a capturing stream")
        }
        908 => (
            c"CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD",
            c"attempt to terminate a thread-local capture sequence from another thread",
        ),
        999 => (c"CUDA_ERROR_UNKNOWN", c"unknown error"),
        _ => return None,
    })
}

driver! {
    fn cuGetErrorName(code: u32, place: Out<*const c_char>) {
        let Some((name, _text)) = describe(code) else { return Err(Code::INVALID_VALUE) };
        place.set(name.as_ptr())
    }

    fn cuGetErrorString(code: u32, place: Out<*const c_char>) {
        let Some((_name, text)) = describe(code) else { return Err(Code::INVALID_VALUE) };
        place.set(text.as_ptr())
    }
}

#[cfg(test)]
mod tests {
    use super::describe;

    /// The codes that the simulator gives, and CUDA's names for them, as they stand where they are defined.
    #[test]
    fn each_code_that_is_given_has_its_name() {
        let mut count = 0;
        for line in include_str!("../base/abi.rs").lines() {
            let Some((code, name)) =
                line.split_once(": Self = Self(").and_then(|(_, rest)| rest.split_once("); // cuda: "))
            else {
                continue;
            };
            let described = describe(code.parse().expect("a number")).map(|(known, _)| known.to_str());
            assert_eq!(described, Some(Ok(name)), "{code}");
            count += 1;
        }
        assert_eq!(count, include_str!("../base/abi.rs").matches(": Self = Self(").count());
    }
}
