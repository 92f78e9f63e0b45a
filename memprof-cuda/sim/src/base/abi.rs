//! The types that cross the C border: result codes, pointers that the caller gives, descriptors.
//!
//! What a C caller promises of a pointer to values stands at [`In`] and [`Out`], which alone follow one: a null pointer
//! is a result code and no crash, and nothing is presumed of its alignment. Numbers and layouts are CUDA's; those with
//! a comment `cuda:` are compared with NVIDIA's headers by `scripts/cuda-headers`.
#![expect(unsafe_code, reason = "reads and writes through pointers that a C caller gives")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_ushort, c_void};

/// A result of the driver, as its number.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Code(pub(crate) u32);

impl Code {
    pub(crate) const SUCCESS: Self = Self(0); // cuda: CUDA_SUCCESS
    pub(crate) const INVALID_VALUE: Self = Self(1); // cuda: CUDA_ERROR_INVALID_VALUE
    pub(crate) const OUT_OF_MEMORY: Self = Self(2); // cuda: CUDA_ERROR_OUT_OF_MEMORY
    pub(crate) const NOT_INITIALIZED: Self = Self(3); // cuda: CUDA_ERROR_NOT_INITIALIZED
    pub(crate) const DEINITIALIZED: Self = Self(4); // cuda: CUDA_ERROR_DEINITIALIZED
    pub(crate) const INVALID_DEVICE: Self = Self(101); // cuda: CUDA_ERROR_INVALID_DEVICE
    pub(crate) const INVALID_CONTEXT: Self = Self(201); // cuda: CUDA_ERROR_INVALID_CONTEXT
    pub(crate) const UNSUPPORTED_LIMIT: Self = Self(215); // cuda: CUDA_ERROR_UNSUPPORTED_LIMIT
    pub(crate) const PEER_ACCESS_UNSUPPORTED: Self = Self(217); // cuda: CUDA_ERROR_PEER_ACCESS_UNSUPPORTED
    pub(crate) const INVALID_HANDLE: Self = Self(400); // cuda: CUDA_ERROR_INVALID_HANDLE
    pub(crate) const NOT_FOUND: Self = Self(500); // cuda: CUDA_ERROR_NOT_FOUND
    pub(crate) const CONTEXT_IS_DESTROYED: Self = Self(709); // cuda: CUDA_ERROR_CONTEXT_IS_DESTROYED
    pub(crate) const HOST_MEMORY_ALREADY_REGISTERED: Self = Self(712); // cuda: CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED
    pub(crate) const HOST_MEMORY_NOT_REGISTERED: Self = Self(713); // cuda: CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED
    pub(crate) const NOT_SUPPORTED: Self = Self(801); // cuda: CUDA_ERROR_NOT_SUPPORTED
    pub(crate) const ILLEGAL_STATE: Self = Self(401); // cuda: CUDA_ERROR_ILLEGAL_STATE
    pub(crate) const CAPTURE_UNSUPPORTED: Self = Self(900); // cuda: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED
    pub(crate) const CAPTURE_INVALIDATED: Self = Self(901); // cuda: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
    pub(crate) const CAPTURE_UNMATCHED: Self = Self(903); // cuda: CUDA_ERROR_STREAM_CAPTURE_UNMATCHED
    pub(crate) const CAPTURED_EVENT: Self = Self(907); // cuda: CUDA_ERROR_CAPTURED_EVENT
    pub(crate) const CAPTURE_WRONG_THREAD: Self = Self(908); // cuda: CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD
    pub(crate) const UNKNOWN: Self = Self(999); // cuda: CUDA_ERROR_UNKNOWN
}

/// What a driver function gives back.
pub(crate) type Done = Result<(), Code>;

/// Where a caller wants one value. By the driver's contract it is null or has room for one.
#[repr(transparent)]
pub(crate) struct Out<T>(*mut T);

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Out<T> {}

impl<T> Out<T> {
    /// Writes the value, or refuses a null pointer.
    pub(crate) fn set(self, value: T) -> Done {
        self.given()?;
        // SAFETY: not null, and only a C caller makes an `Out`: it promises room for one `T`.
        unsafe { self.0.write_unaligned(value) };
        Ok(())
    }

    /// Writes the value if the caller wants it.
    pub(crate) fn set_if_given(self, value: T) {
        let _not_wanted = self.set(value);
    }

    /// That the pointer is not null: asked before anything is changed.
    pub(crate) fn given(self) -> Done {
        if self.0.is_null() { Err(Code::INVALID_VALUE) } else { Ok(()) }
    }

    /// The place `index` values on; the call has promised room for it.
    pub(crate) fn at(self, index: usize) -> Self {
        Self(self.0.wrapping_add(index))
    }

    /// The same place, for a value of another type.
    pub(crate) fn cast<U>(self) -> Out<U> {
        Out(self.0.cast())
    }

    /// What the caller has put there.
    pub(crate) fn given_there(self) -> In<T> {
        In(self.0)
    }
}

impl Out<c_char> {
    /// Writes a text and its end into the `room` bytes that the caller has.
    pub(crate) fn set_text(self, text: &str, room: c_int) -> Done {
        self.given()?;
        let room = usize::try_from(room).map_err(|_| Code::INVALID_VALUE)?;
        if room == 0 {
            return Err(Code::INVALID_VALUE);
        }
        let shown = &text.as_bytes()[..text.len().min(room - 1)];
        // SAFETY: not null, and the caller promises `room` bytes; `shown` is shorter.
        unsafe { self.0.cast::<u8>().copy_from_nonoverlapping(shown.as_ptr(), shown.len()) };
        // SAFETY: `shown.len()` is below `room`.
        let end = unsafe { self.0.add(shown.len()) };
        Out(end).set(0)
    }
}

/// Values that a caller gives by pointer. By the driver's contract it is null or leads to as many as the call says.
#[repr(transparent)]
pub(crate) struct In<T>(*const T);

impl<T> Clone for In<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for In<T> {}

impl<T: Copy> In<T> {
    /// The first value, or a refusal of a null pointer.
    pub(crate) fn get(self) -> Result<T, Code> {
        self.at(0)
    }

    /// The value at an index that the call has promised.
    pub(crate) fn at(self, index: usize) -> Result<T, Code> {
        if self.0.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: only a C caller makes an `In`: it promises as many values as the call says, and `index` is below that.
        let place = unsafe { self.0.add(index) };
        // SAFETY: as above; C may have packed it.
        Ok(unsafe { place.read_unaligned() })
    }

    /// The same place, for values of another type.
    pub(crate) fn cast<U>(self) -> In<U> {
        In(self.0.cast())
    }
}

impl In<c_char> {
    /// The text, or a refusal of a null pointer or of bytes that are not UTF-8.
    pub(crate) fn text(self) -> Result<String, Code> {
        if self.0.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: not null; the caller promises a text that ends.
        let text = unsafe { CStr::from_ptr(self.0) };
        text.to_str().map(str::to_owned).map_err(|_| Code::INVALID_VALUE)
    }
}

/// A place in memory: a device's, a host's, a pool's `location`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Location {
    pub(crate) kind: c_uint,
    pub(crate) id: c_int,
}

impl Location {
    pub(crate) const DEVICE: c_uint = 1; // cuda: CU_MEM_LOCATION_TYPE_DEVICE
    pub(crate) const HOST: c_uint = 2; // cuda 12.6: CU_MEM_LOCATION_TYPE_HOST
    pub(crate) const HOST_NUMA: c_uint = 3; // cuda 12.6: CU_MEM_LOCATION_TYPE_HOST_NUMA
}

/// `CUmemAccessDesc`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessDescription {
    pub(crate) location: Location,
    pub(crate) flags: c_uint,
}

/// `CUmemAllocationProp`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct AllocationProperties {
    pub(crate) kind: c_uint,
    pub(crate) handle_types: c_uint,
    pub(crate) location: Location,
    pub(crate) win32: *mut c_void,
    pub(crate) compression: u8,
    pub(crate) rdma: u8,
    pub(crate) usage: c_ushort,
    pub(crate) reserved: [u8; 4],
}

/// `CUmemPoolProps`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolProperties {
    pub(crate) kind: c_uint,
    pub(crate) handle_types: c_uint,
    pub(crate) location: Location,
    pub(crate) win32: *mut c_void,
    pub(crate) maximum: usize,
    pub(crate) reserved: [u8; 56],
}

/// `CUDA_ARRAY_DESCRIPTOR`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArrayDescription {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) format: c_uint,
    pub(crate) channels: c_uint,
}

/// `CUDA_ARRAY3D_DESCRIPTOR`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Array3dDescription {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) depth: usize,
    pub(crate) format: c_uint,
    pub(crate) channels: c_uint,
    pub(crate) flags: c_uint,
}

/// `CUDA_EXTERNAL_MEMORY_HANDLE_DESC`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExternalHandle {
    pub(crate) kind: c_uint,
    pub(crate) handle: [usize; 2],
    pub(crate) bytes: u64,
    pub(crate) flags: c_uint,
    pub(crate) reserved: [c_uint; 16],
}

/// `CUDA_EXTERNAL_MEMORY_BUFFER_DESC`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExternalBuffer {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) flags: c_uint,
    pub(crate) reserved: [c_uint; 16],
}

/// `CUipcMemHandle`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct IpcHandle(pub(crate) [u64; 8]);

/// The number by which callers name the device of an index.
pub(crate) fn ordinal(index: usize) -> c_int {
    c_int::try_from(index).unwrap_or(c_int::MAX)
}

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

/// The name as C has it; for `driver!`, which gives it a text that ends in a nul.
pub(crate) const fn c_name(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(name) => name,
        Err(_) => c"?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cudarc::driver::sys;

    #[test]
    fn descriptors_are_as_large_as_the_headers_say() {
        assert_eq!(size_of::<Location>(), size_of::<sys::CUmemLocation>());
        assert_eq!(size_of::<AccessDescription>(), size_of::<sys::CUmemAccessDesc>());
        assert_eq!(size_of::<AllocationProperties>(), size_of::<sys::CUmemAllocationProp>());
        assert_eq!(size_of::<PoolProperties>(), size_of::<sys::CUmemPoolProps>());
        assert_eq!(size_of::<ArrayDescription>(), size_of::<sys::CUDA_ARRAY_DESCRIPTOR>());
        assert_eq!(size_of::<Array3dDescription>(), size_of::<sys::CUDA_ARRAY3D_DESCRIPTOR>());
        assert_eq!(size_of::<ExternalHandle>(), size_of::<sys::CUDA_EXTERNAL_MEMORY_HANDLE_DESC>());
        assert_eq!(size_of::<ExternalBuffer>(), size_of::<sys::CUDA_EXTERNAL_MEMORY_BUFFER_DESC>());
        assert_eq!(size_of::<IpcHandle>(), size_of::<sys::CUipcMemHandle>());
    }

    #[test]
    fn a_null_place_is_refused_before_it_is_written() {
        assert_eq!(Out::<u32>(std::ptr::null_mut()).set(1), Err(Code::INVALID_VALUE));
        assert_eq!(In::<u32>(std::ptr::null()).get(), Err(Code::INVALID_VALUE));
    }

    #[test]
    fn a_text_is_cut_to_its_room() -> Done {
        let mut room = [1_u8; 4];
        Out(room.as_mut_ptr()).cast::<c_char>().set_text("abcdef", 4)?;
        assert_eq!(room, *b"abc\0");
        assert_eq!(Out(room.as_mut_ptr()).cast::<c_char>().set_text("abcdef", 0), Err(Code::INVALID_VALUE));
        Ok(())
    }
}
