//! The driver's functions that interception watches: CUPTI's numbers for them, and what each does.
//!
//! The numbers are the same in the headers of CUDA 11.8 to 13.5. Not watched, on purpose: `cuMemHostRegister` (memory
//! that `host` has already), `cuMemAddressReserve` (addresses, no memory).

/// What a watched function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Device memory of the current context: the address at word 0, the bytes at word 1.
    Device,
    /// As [`Device`](Self::Device), width and height at words 2 and 3.
    Pitched,
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
    GraphNode,
    Array,
    Array3d,
    Mipmapped,
    /// An array over memory that is not the driver's own.
    ForeignArray,
    /// Another process's memory: the address at word 0, before the 64 bytes of its handle.
    OpenIpc,
    Free,
    /// In the order of the stream at word 1.
    FreeAsync,
    FreePinned,
    FreeArray,
    /// As often as the memory was opened.
    CloseIpc,
    CreatePhysical,
    ImportPhysical,
    RetainPhysical,
    ReleasePhysical,
    Map,
    Unmap,
    CreatePool,
    DestroyPool,
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

/// Every CUPTI since CUDA 11.3 knows the numbers up to this one; a library that does not cannot follow what programs
/// allocate.
pub(super) const LAST_REQUIRED: u32 = 616;

/// The functions that are watched.
pub(super) static WATCHED: [WatchedCall; 51] = [
    watched(243, "cuMemAlloc_v2", 16, Call::Device),
    watched(244, "cuMemAllocPitch_v2", 32, Call::Pitched),
    watched(598, "cuMemAllocAsync", 24, Call::Async),
    watched(599, "cuMemAllocAsync_ptsz", 24, Call::Async),
    watched(611, "cuMemAllocFromPoolAsync", 32, Call::FromPool),
    watched(612, "cuMemAllocFromPoolAsync_ptsz", 32, Call::FromPool),
    watched(371, "cuMemAllocManaged", 16, Call::Managed),
    watched(39, "cuMemHostAlloc", 16, Call::Pinned),
    watched(271, "cuMemHostAlloc_v2", 16, Call::Pinned),
    watched(294, "cuMemAllocHost_v2", 16, Call::Pinned),
    watched(37, "cuMemAllocHost", 12, Call::PinnedShort),
    watched(616, "cuMemPoolImportPointer", 8, Call::Foreign),
    watched(486, "cuExternalMemoryGetMappedBuffer", 8, Call::Foreign),
    watched(638, "cuGraphAddMemAllocNode", 40, Call::GraphNode),
    watched(272, "cuArrayCreate_v2", 16, Call::Array),
    watched(274, "cuArray3DCreate_v2", 16, Call::Array3d),
    watched(347, "cuMipmappedArrayCreate", 20, Call::Mipmapped),
    watched(487, "cuExternalMemoryGetMappedMipmappedArray", 8, Call::ForeignArray),
    watched(329, "cuIpcOpenMemHandle", 8, Call::OpenIpc),
    watched(567, "cuIpcOpenMemHandle_v2", 8, Call::OpenIpc),
    watched(245, "cuMemFree_v2", 8, Call::Free),
    watched(600, "cuMemFreeAsync", 16, Call::FreeAsync),
    watched(601, "cuMemFreeAsync_ptsz", 16, Call::FreeAsync),
    watched(38, "cuMemFreeHost", 8, Call::FreePinned),
    watched(89, "cuArrayDestroy", 8, Call::FreeArray),
    watched(349, "cuMipmappedArrayDestroy", 8, Call::FreeArray),
    watched(330, "cuIpcCloseMemHandle", 8, Call::CloseIpc),
    watched(549, "cuMemCreate", 24, Call::CreatePhysical),
    watched(555, "cuMemImportFromShareableHandle", 8, Call::ImportPhysical),
    watched(565, "cuMemRetainAllocationHandle", 8, Call::RetainPhysical),
    watched(550, "cuMemRelease", 8, Call::ReleasePhysical),
    watched(551, "cuMemMap", 32, Call::Map),
    watched(552, "cuMemUnmap", 16, Call::Unmap),
    watched(607, "cuMemPoolCreate", 16, Call::CreatePool),
    watched(608, "cuMemPoolDestroy", 8, Call::DestroyPool),
    watched(386, "cuDevicePrimaryCtxRetain", 12, Call::RetainPrimary),
    watched(387, "cuDevicePrimaryCtxRelease", 4, Call::ReleasePrimary),
    watched(544, "cuDevicePrimaryCtxRelease_v2", 4, Call::ReleasePrimary),
    watched(389, "cuDevicePrimaryCtxReset", 4, Call::ResetPrimary),
    watched(545, "cuDevicePrimaryCtxReset_v2", 4, Call::ResetPrimary),
    watched(10, "cuCtxCreate", 16, Call::CreateContext { device: 3 }),
    watched(235, "cuCtxCreate_v2", 16, Call::CreateContext { device: 3 }),
    watched(174, "cuGLCtxCreate", 16, Call::CreateContext { device: 3 }),
    watched(239, "cuGLCtxCreate_v2", 16, Call::CreateContext { device: 3 }),
    watched(645, "cuCtxCreate_v3", 28, Call::CreateContext { device: 6 }),
    watched(757, "cuCtxCreate_v4", 24, Call::CreateContext { device: 5 }),
    watched(11, "cuCtxDestroy", 8, Call::DestroyContext),
    watched(322, "cuCtxDestroy_v2", 8, Call::DestroyContext),
    watched(13, "cuCtxDetach", 8, Call::DestroyContext),
    watched(743, "cuGreenCtxCreate", 20, Call::CreateGreen),
    watched(753, "cuCtxFromGreenCtx", 16, Call::FromGreen),
];

/// The largest number that is watched.
const HIGHEST: usize = 757;

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
        for watched in &WATCHED {
            let found = watched_by(watched.id).expect("a function that is watched");
            assert_eq!(found.name, watched.name, "two functions have the number {}", watched.id);
        }
        let known = (0..2_000).filter(|&id| watched_by(id).is_some()).count();
        assert_eq!(known, WATCHED.len());
        assert_eq!(watched_by(245).map(|watched| watched.call), Some(Call::Free));
        assert!(watched_by(244).is_some_and(|watched| watched.name == "cuMemAllocPitch_v2"));
    }
}
