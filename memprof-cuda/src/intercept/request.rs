//! What a call of the driver asks for: how many bytes, in which space, and where their address is given back.

#![expect(unsafe_code, reason = "reads the descriptors that a call's arguments point to")]

use memprof_core::Space;

use crate::intercept::array::{Flat, Shape};
use crate::intercept::blocks::Key;
use crate::intercept::calls::Call;
use crate::intercept::contexts::{self, Properties};
use crate::intercept::ffi::{Arguments, Cupti};

/// An allocation that a call asks for.
#[derive(Clone, Copy)]
pub(super) struct Request {
    /// `None`: memory that the driver does not allocate itself. It is known, and not counted.
    pub(super) space: Option<Space>,
    /// As requested, not as rounded: of a pitched block, width times height.
    pub(super) bytes: u64,
    /// The word of the arguments that points to where the address or handle is given back, and how many bytes after
    /// that place it stands.
    pub(super) place: usize,
    pub(super) offset: usize,
    pub(super) key: fn(u64) -> Key,
    /// Whether it is freed with the context that allocates it.
    pub(super) ends_with_context: bool,
    pub(super) is_physical: bool,
}

impl Request {
    fn of(space: Space, bytes: u64) -> Self {
        Self { bytes, ..Self::foreign(Some(space)) }
    }

    fn foreign(space: Option<Space>) -> Self {
        Self { space, bytes: 0, place: 0, offset: 0, key: Key::address, ends_with_context: true, is_physical: false }
    }
}

/// Where `CUDA_MEM_ALLOC_NODE_PARAMS` has the address of the node's memory.
const NODE_ADDRESS: usize = 112;

/// What a call asks for, if it allocates.
///
/// # Safety
/// * `arguments` are those of a call of `call`, and what they point to is still there.
pub(super) unsafe fn of(call: Call, arguments: &Arguments, context: u64, cupti: Option<&Cupti>) -> Option<Request> {
    let bytes = arguments.word(1);
    let here = || contexts::space_of(context, cupti);
    let array = |bytes: u64| Request { key: Key::array, ..Request::of(here(), bytes) };
    Some(match call {
        Call::Device | Call::Async => Request::of(here(), bytes),
        Call::Pitched => Request::of(here(), arguments.word(2).saturating_mul(arguments.word(3))),
        Call::FromPool => Request::of(contexts::pool_space(arguments.word(2)).unwrap_or_else(here), bytes),
        Call::Managed => Request::of(Space::MANAGED, bytes),
        Call::Pinned => Request::of(Space::PINNED, bytes),
        Call::PinnedShort => Request::of(Space::PINNED, u64::from(arguments.half(2))),
        Call::Foreign => Request::foreign(None),
        Call::ForeignArray => Request { key: Key::array, ..Request::foreign(None) },
        Call::GraphNode => {
            Request { place: 4, offset: NODE_ADDRESS, ends_with_context: false, ..Request::foreign(None) }
        }
        Call::Array => {
            // SAFETY: the second argument points to this descriptor.
            let flat = unsafe { arguments.pointee::<Flat>(1, 0) };
            array(flat.map_or(0, |flat| Shape::from(flat).bytes()))
        }
        Call::Array3d => {
            // SAFETY: the second argument points to this descriptor.
            let shape = unsafe { arguments.pointee::<Shape>(1, 0) };
            array(shape.map_or(0, |shape| shape.bytes()))
        }
        Call::Mipmapped => {
            // SAFETY: the second argument points to this descriptor.
            let shape = unsafe { arguments.pointee::<Shape>(1, 0) };
            array(shape.map_or(0, |shape| shape.mipmapped_bytes(arguments.half(4))))
        }
        Call::CreatePhysical => {
            // SAFETY: the third argument points to these properties.
            let properties = unsafe { arguments.pointee::<Properties>(2, 0) };
            let space = properties.and_then(|properties| properties.space()).unwrap_or_else(here);
            physical(Request::of(space, bytes))
        }
        Call::ImportPhysical => physical(Request::foreign(None)),
        _ => return None,
    })
}

/// Physical memory is the process's, not a context's.
fn physical(request: Request) -> Request {
    Request { key: Key::physical, ends_with_context: false, is_physical: true, ..request }
}
