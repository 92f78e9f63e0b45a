//! The driver's functions that interception watches: CUPTI's numbers for them, and what each does.
//!
//! A number means the same function in every header of CUDA 11.8 to 13.5 that has it (`cupti_driver_cbid.h`). Which of the driver's
//! other functions have to do with memory and are not watched, and why, is a table in docs/gpu.md.

/// What a watched function does. A *word* is 8 bytes of its arguments, a *half* 4: C lays them out one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Device memory of the current context: the address at word 0, the bytes at word 1.
    Device,
    /// As [`Device`](Self::Device), with 32-bit addresses and bytes.
    DeviceShort,
    /// As [`Device`](Self::Device), width and height at words 2 and 3.
    Pitched,
    /// As [`DeviceShort`](Self::DeviceShort), width and height at halves 4 and 5.
    PitchedShort,
    /// As [`Device`](Self::Device), from the pool of the device of the stream at word 2.
    Async,
    /// From the pool at word 2, in the order of the stream at word 3.
    FromPool,
    Managed,
    Pinned,
    /// As [`Pinned`](Self::Pinned), with 32-bit bytes.
    PinnedShort,
    /// Memory that is not the driver's own, and is given back as if it were: the address at word 0.
    Foreign,
    /// A graph's memory: the node's description at word 4.
    GraphMemory,
    /// A graph's memory, if the node is of that kind: the node's description at this word.
    GraphNode {
        place: usize,
    },
    Array,
    /// As [`Array`](Self::Array), with 32-bit dimensions.
    ArrayShort,
    Array3d,
    /// As [`Array3d`](Self::Array3d), with 32-bit dimensions.
    Array3dShort,
    Mipmapped,
    /// An array over memory that is not the driver's own.
    ForeignArray,
    /// Another process's memory: the address at word 0, before the 64 bytes of its handle.
    OpenIpc,
    Free,
    /// As [`Free`](Self::Free), with a 32-bit address.
    FreeShort,
    /// In the order of the stream at word 1.
    FreeAsync,
    FreePinned,
    FreeArray,
    /// As often as the memory was opened.
    CloseIpc,
    CreatePhysical,
    /// A handle of memory that is another's, or of this process's own.
    ImportPhysical,
    /// A handle without memory of its own, released as physical memory is.
    CreateMulticast,
    RetainPhysical,
    ReleasePhysical,
    Map,
    /// As many descriptions at word 0 as half 2 says.
    MapArrays,
    Unmap,
    CreatePool,
    DestroyPool,
    /// The pool at word 0, of the device at half 2.
    PoolOfDevice,
    /// The pool at word 0, of the location at word 1 and the kind of memory at half 4.
    PoolOfLocation,
    BeginCapture,
    EndCapture,
    RetainPrimary,
    ReleasePrimary,
    ResetPrimary,
    /// The context at word 0, the device at this half word.
    CreateContext {
        device: usize,
    },
    DestroyContext,
    CreateGreen,
    /// A context of the green context at word 1.
    FromGreen,
}

/// A watched function.
#[derive(Debug)]
pub(super) struct WatchedCall {
    /// `CUpti_driver_api_trace_cbid`.
    pub(super) id: u32,
    pub(super) name: &'static str,
    /// How many bytes of its arguments are read.
    pub(super) bytes: usize,
    pub(super) call: Call,
}

const fn watched(id: u32, name: &'static str, bytes: usize, call: Call) -> WatchedCall {
    WatchedCall { id, name, bytes, call }
}

/// The functions that are watched. Beside each, the arguments that are read, by the headers' names, and the byte at which
/// each begins: `scripts/cuda-headers` compares that, and the numbers, with the headers themselves.
#[rustfmt::skip]
pub(super) static WATCHED: &[WatchedCall] = &[
    watched(29, "cuMemAlloc", 12, Call::DeviceShort), // dptr 0, bytesize 8
    watched(243, "cuMemAlloc_v2", 16, Call::Device), // dptr 0, bytesize 8
    watched(31, "cuMemAllocPitch", 24, Call::PitchedShort), // dptr 0, WidthInBytes 16, Height 20
    watched(244, "cuMemAllocPitch_v2", 32, Call::Pitched), // dptr 0, WidthInBytes 16, Height 24
    watched(598, "cuMemAllocAsync", 24, Call::Async), // dptr 0, bytesize 8, hStream 16
    watched(599, "cuMemAllocAsync_ptsz", 24, Call::Async), // dptr 0, bytesize 8, hStream 16
    watched(611, "cuMemAllocFromPoolAsync", 32, Call::FromPool), // dptr 0, bytesize 8, pool 16, hStream 24
    watched(612, "cuMemAllocFromPoolAsync_ptsz", 32, Call::FromPool), // dptr 0, bytesize 8, pool 16, hStream 24
    watched(371, "cuMemAllocManaged", 16, Call::Managed), // dptr 0, bytesize 8
    watched(39, "cuMemHostAlloc", 16, Call::Pinned), // pp 0, bytesize 8
    watched(294, "cuMemAllocHost_v2", 16, Call::Pinned), // pp 0, bytesize 8
    watched(37, "cuMemAllocHost", 12, Call::PinnedShort), // pp 0, bytesize 8
    watched(616, "cuMemPoolImportPointer", 8, Call::Foreign), // ptr_out 0
    watched(486, "cuExternalMemoryGetMappedBuffer", 8, Call::Foreign), // devPtr 0
    watched(638, "cuGraphAddMemAllocNode", 40, Call::GraphMemory), // nodeParams 32
    watched(712, "cuGraphAddNode", 40, Call::GraphNode { place: 4 }), // nodeParams 32
    watched(723, "cuGraphAddNode_v2", 48, Call::GraphNode { place: 5 }), // nodeParams 40
    watched(863, "cuGraphAddNode_v3", 48, Call::GraphNode { place: 5 }), // nodeParams 40
    watched(87, "cuArrayCreate", 16, Call::ArrayShort), // pHandle 0, pAllocateArray 8
    watched(272, "cuArrayCreate_v2", 16, Call::Array), // pHandle 0, pAllocateArray 8
    watched(90, "cuArray3DCreate", 16, Call::Array3dShort), // pHandle 0, pAllocateArray 8
    watched(274, "cuArray3DCreate_v2", 16, Call::Array3d), // pHandle 0, pAllocateArray 8
    watched(347, "cuMipmappedArrayCreate", 20, Call::Mipmapped), // pHandle 0, pMipmappedArrayDesc 8, numMipmapLevels 16
    watched(487, "cuExternalMemoryGetMappedMipmappedArray", 8, Call::ForeignArray), // mipmap 0
    watched(329, "cuIpcOpenMemHandle", 8, Call::OpenIpc), // pdptr 0
    watched(567, "cuIpcOpenMemHandle_v2", 8, Call::OpenIpc), // pdptr 0
    watched(33, "cuMemFree", 4, Call::FreeShort), // dptr 0
    watched(245, "cuMemFree_v2", 8, Call::Free), // dptr 0
    watched(600, "cuMemFreeAsync", 16, Call::FreeAsync), // dptr 0, hStream 8
    watched(601, "cuMemFreeAsync_ptsz", 16, Call::FreeAsync), // dptr 0, hStream 8
    watched(38, "cuMemFreeHost", 8, Call::FreePinned), // p 0
    watched(89, "cuArrayDestroy", 8, Call::FreeArray), // hArray 0
    watched(349, "cuMipmappedArrayDestroy", 8, Call::FreeArray), // hMipmappedArray 0
    watched(330, "cuIpcCloseMemHandle", 8, Call::CloseIpc), // dptr 0
    watched(549, "cuMemCreate", 24, Call::CreatePhysical), // handle 0, size 8, prop 16
    watched(555, "cuMemImportFromShareableHandle", 8, Call::ImportPhysical), // handle 0
    watched(706, "cuMulticastCreate", 8, Call::CreateMulticast), // mcHandle 0
    watched(565, "cuMemRetainAllocationHandle", 8, Call::RetainPhysical), // handle 0
    watched(550, "cuMemRelease", 8, Call::ReleasePhysical), // handle 0
    watched(551, "cuMemMap", 32, Call::Map), // ptr 0, size 8, handle 24
    watched(584, "cuMemMapArrayAsync", 12, Call::MapArrays), // mapInfoList 0, count 8
    watched(585, "cuMemMapArrayAsync_ptsz", 12, Call::MapArrays), // mapInfoList 0, count 8
    watched(552, "cuMemUnmap", 16, Call::Unmap), // ptr 0, size 8
    watched(607, "cuMemPoolCreate", 16, Call::CreatePool), // pool 0, poolProps 8
    watched(608, "cuMemPoolDestroy", 8, Call::DestroyPool), // pool 0
    watched(606, "cuDeviceGetDefaultMemPool", 12, Call::PoolOfDevice), // pool_out 0, dev 8
    watched(610, "cuDeviceGetMemPool", 12, Call::PoolOfDevice), // pool 0, dev 8
    watched(801, "cuMemGetDefaultMemPool", 20, Call::PoolOfLocation), // pool_out 0, location 8, type 16
    watched(802, "cuMemGetMemPool", 20, Call::PoolOfLocation), // pool 0, location 8, type 16
    watched(495, "cuStreamBeginCapture", 8, Call::BeginCapture), // hStream 0
    watched(496, "cuStreamBeginCapture_ptsz", 8, Call::BeginCapture), // hStream 0
    watched(539, "cuStreamBeginCapture_v2", 8, Call::BeginCapture), // hStream 0
    watched(540, "cuStreamBeginCapture_v2_ptsz", 8, Call::BeginCapture), // hStream 0
    watched(720, "cuStreamBeginCaptureToGraph", 8, Call::BeginCapture), // hStream 0
    watched(721, "cuStreamBeginCaptureToGraph_ptsz", 8, Call::BeginCapture), // hStream 0
    watched(846, "cuStreamBeginRecaptureToGraph", 8, Call::BeginCapture), // hStream 0
    watched(847, "cuStreamBeginRecaptureToGraph_ptsz", 8, Call::BeginCapture), // hStream 0
    watched(497, "cuStreamEndCapture", 8, Call::EndCapture), // hStream 0
    watched(498, "cuStreamEndCapture_ptsz", 8, Call::EndCapture), // hStream 0
    watched(386, "cuDevicePrimaryCtxRetain", 12, Call::RetainPrimary), // pctx 0, dev 8
    watched(387, "cuDevicePrimaryCtxRelease", 4, Call::ReleasePrimary), // dev 0
    watched(544, "cuDevicePrimaryCtxRelease_v2", 4, Call::ReleasePrimary), // dev 0
    watched(389, "cuDevicePrimaryCtxReset", 4, Call::ResetPrimary), // dev 0
    watched(545, "cuDevicePrimaryCtxReset_v2", 4, Call::ResetPrimary), // dev 0
    watched(10, "cuCtxCreate", 16, Call::CreateContext { device: 3 }), // pctx 0, dev 12
    watched(235, "cuCtxCreate_v2", 16, Call::CreateContext { device: 3 }), // pctx 0, dev 12
    watched(174, "cuGLCtxCreate", 16, Call::CreateContext { device: 3 }), // of cudaGL.h, as cuCtxCreate
    watched(239, "cuGLCtxCreate_v2", 16, Call::CreateContext { device: 3 }), // of cudaGL.h, as cuCtxCreate
    watched(645, "cuCtxCreate_v3", 28, Call::CreateContext { device: 6 }), // pctx 0, dev 24
    watched(757, "cuCtxCreate_v4", 24, Call::CreateContext { device: 5 }), // pctx 0, dev 20
    watched(11, "cuCtxDestroy", 8, Call::DestroyContext), // ctx 0
    watched(322, "cuCtxDestroy_v2", 8, Call::DestroyContext), // ctx 0
    watched(743, "cuGreenCtxCreate", 20, Call::CreateGreen), // phCtx 0, dev 16
    watched(753, "cuCtxFromGreenCtx", 16, Call::FromGreen), // pContext 0, hCtx 8
];

/// The largest number that is watched.
const HIGHEST: usize = 863;

/// Places in [`WATCHED`], counted from 1, by CUPTI's number; 0 for none.
static PLACES: [u8; HIGHEST + 1] = {
    let mut places = [0; HIGHEST + 1];
    let mut place = 0;
    while place < WATCHED.len() {
        places[WATCHED[place].id as usize] = place as u8 + 1;
        place += 1;
    }
    places
};

/// The watched function with this number.
pub(super) fn watched_by(id: u32) -> Option<&'static WatchedCall> {
    let place = PLACES.get(id as usize).copied()?;
    WATCHED.get(usize::from(place).checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::{Call, WATCHED, watched_by};

    #[test]
    fn each_number_leads_to_its_function_and_no_other_number_does() {
        for watched in WATCHED {
            let found = watched_by(watched.id).expect("a function that is watched");
            assert_eq!(found.name, watched.name, "two functions have the number {}", watched.id);
        }
        let known = (0..2_000).filter(|&id| watched_by(id).is_some()).count();
        assert_eq!(known, WATCHED.len());
        assert_eq!(watched_by(245).map(|watched| watched.call), Some(Call::Free));
        assert!(watched_by(244).is_some_and(|watched| watched.name == "cuMemAllocPitch_v2"));
    }
}
