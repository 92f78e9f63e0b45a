//! What a call of the driver asks for: how many bytes, in which space, and where their address is given back.
//!
//! It only reads: nothing is recorded, and the driver is not asked, CUPTI alone, for a context's device. It is read
//! after the call, also of one that failed, since that counts with its bytes. Read is no more of the arguments than
//! [`calls`](super::calls) says. Bytes are as requested. Which device a context or a pool is of is left to
//! [`contexts`], who records to [`callback`](super::callback).

#![expect(unsafe_code, reason = "reads the descriptors that a call's arguments point to")]

use memprof_core::Space;

use super::array::{Flat, FlatShort, Shape, ShapeShort};
use super::blocks::Key;
use super::calls::Call;
use super::contexts::{self, Properties};
use super::ffi::{Arguments, Cupti};
use crate::captures;

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
    /// The context that it is freed with; 0 for none.
    pub(super) context: u64,
    pub(super) until: Until,
    /// Bytes of the address that is given back: 8, or 4.
    pub(super) address_bytes: usize,
    /// Whether the call says itself where the memory is to be, so that it is an attempt also where no context is current.
    pub(super) is_located: bool,
    /// The pool that it comes from, if nobody has told where that is.
    pub(super) unknown_pool: Option<u64>,
}

/// What it takes to free an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    Freed,
    /// Its handles are released, and its mappings gone.
    Unheld,
    /// It is closed as often as it was opened.
    Closed,
    /// Never: it is a graph's, which takes it at each launch, at the same address.
    Ever,
}

impl Request {
    fn of(space: Space, bytes: u64, context: u64) -> Self {
        Self { space: Some(space), bytes, ..Self::foreign(context) }
    }

    fn foreign(context: u64) -> Self {
        Self {
            space: None,
            bytes: 0,
            place: 0,
            offset: 0,
            key: Key::address,
            context,
            until: Until::Freed,
            address_bytes: 8,
            is_located: false,
            unknown_pool: None,
        }
    }

    /// "During stream capture, this function results in the creation of an allocation node. In this case, the allocation is owned by
    /// the graph instead of the memory pool" (`cuda.h` 13.5, `cuMemAllocAsync`). "The allocation's address remains fixed across
    /// instantiations and launches" (`cuGraphAddMemAllocNode`).
    fn of_graph() -> Self {
        Self { until: Until::Ever, ..Self::foreign(OF_NONE) }
    }
}

/// Memory of pools is "not associated with any CUDA context" and outlives the one that its stream was of (`cuda.h` 13.5:6762);
/// physical memory is the process's.
const OF_NONE: u64 = 0;

/// Where a node's description has the address of the node's memory.
const NODE_ADDRESS: usize = 112; // cuda: offsetof(CUDA_MEM_ALLOC_NODE_PARAMS, dptr)
/// Where a description of any node has it, and the kind of node that has one.
const ANY_NODE_ADDRESS: usize = 128; // cuda 12.6: offsetof(CUgraphNodeParams, alloc.dptr)
const ALLOCATES: u32 = 10; // cuda: CU_GRAPH_NODE_TYPE_MEM_ALLOC

/// What a call asks for, if it allocates.
///
/// # Safety
/// * `arguments` are those of a call of `call`, and what they point to is still there.
pub(super) unsafe fn of(call: Call, arguments: &Arguments, context: u64, cupti: Option<&Cupti>) -> Option<Request> {
    let bytes = arguments.word(1);
    let space_of = |context| contexts::space_of(context, cupti);
    let here = || space_of(context);
    let of = |space, bytes| Request::of(space, bytes, context);
    let array = |bytes: u64| Request { key: Key::array, ..of(here(), bytes) };
    Some(match call {
        Call::Device => of(here(), bytes),
        Call::DeviceShort => Request { address_bytes: 4, ..of(here(), u64::from(arguments.half(2))) },
        Call::PitchedShort => {
            let bytes = u64::from(arguments.half(4)) * u64::from(arguments.half(5));
            Request { address_bytes: 4, ..of(here(), bytes) }
        }
        Call::Async if captures::is_capturing(arguments.word(2), context) => Request::of_graph(),
        Call::FromPool if captures::is_capturing(arguments.word(3), context) => Request::of_graph(),
        Call::Async => {
            let context = contexts::context_of_stream(arguments.word(2), context);
            Request::of(space_of(context), bytes, OF_NONE)
        }
        Call::Pitched => of(here(), arguments.word(2).saturating_mul(arguments.word(3))),
        Call::FromPool => {
            let context = contexts::context_of_stream(arguments.word(3), context);
            let pool = arguments.word(2);
            let known = contexts::pool_space(pool);
            let unknown_pool = known.is_none().then_some(pool);
            Request {
                is_located: known.is_some(),
                unknown_pool,
                ..Request::of(known.unwrap_or_else(|| space_of(context)), bytes, OF_NONE)
            }
        }
        Call::Managed => of(Space::MANAGED, bytes),
        Call::Pinned => of(Space::PINNED, bytes),
        Call::PinnedShort => of(Space::PINNED, u64::from(arguments.half(2))),
        Call::Foreign => Request::foreign(context),
        Call::ForeignArray => Request { key: Key::array, ..Request::foreign(context) },
        // Its bytes are in the numbers of the process that allocated them, and nothing here says how many they are.
        Call::OpenIpc => Request { until: Until::Closed, ..of(here(), 0) },
        Call::GraphMemory => Request { place: 4, offset: NODE_ADDRESS, ..Request::of_graph() },
        Call::GraphNode { place } => {
            // SAFETY: this argument points to the description of a node, which begins with its kind.
            let kind = unsafe { arguments.pointee::<u32>(place, 0) };
            kind.filter(|kind| *kind == ALLOCATES)?;
            Request { place, offset: ANY_NODE_ADDRESS, ..Request::of_graph() }
        }
        Call::ArrayShort => {
            // SAFETY: the second argument points to this descriptor.
            let flat = unsafe { arguments.pointee::<FlatShort>(1, 0) };
            array(flat.map_or(0, |flat| Shape::from(flat).bytes()))
        }
        Call::Array3dShort => {
            // SAFETY: the second argument points to this descriptor.
            let shape = unsafe { arguments.pointee::<ShapeShort>(1, 0) };
            array(shape.map_or(0, |shape| Shape::from(shape).bytes()))
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
            let space = properties.and_then(|properties| properties.space());
            physical(Request { is_located: space.is_some(), ..of(space.unwrap_or_else(here), bytes) })
        }
        Call::ImportPhysical | Call::CreateMulticast => physical(Request::foreign(context)),
        _ => return None,
    })
}

fn physical(request: Request) -> Request {
    Request { key: Key::physical, context: OF_NONE, until: Until::Unheld, ..request }
}
