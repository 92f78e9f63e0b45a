//! What the tests of interception share: the simulator, its ledger beside memprof's, and the driver's functions that
//! cudarc's safe types do not reach.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::error::Error;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cudarc::driver::{DriverError, sys};
use memprof_core::{Measurement, Scope, Site, Space, Totals};
use memprof_cuda_sim::{BlockKind, Sim, load_simulator};

pub(crate) type Tried<T = ()> = Result<T, Box<dyn Error>>;

/// One test at a time, on a simulator of two devices: they share the ledger, and there is one interception.
pub(crate) fn alone() -> Tried<(MutexGuard<'static, ()>, Sim)> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: tests run one at a time, and nothing else in this process reads the environment while one begins.
    unsafe { std::env::set_var("CUDA_SIM_DEVICES", "2") };
    let sim = load_simulator()?;
    sim.reset();
    memprof_core::enable();
    Ok((alone, sim))
}

pub(crate) fn totals(space: Space) -> Totals {
    memprof_core::snapshot().totals(space)
}

/// Live bytes and blocks of a space, as memprof has them.
pub(crate) fn live(space: Space) -> (i64, i64) {
    let totals = totals(space);
    (totals.live, totals.live_blocks)
}

/// Runs `work` in a scope, and gives what that recorded.
pub(crate) fn measured<R>(name: &str, work: impl FnOnce() -> R) -> (R, Measurement) {
    let scope = Scope::enter(Site::named(name));
    let result = work();
    (result, scope.finish())
}

/// The devices of memory of others that is open, one for each piece.
fn opened(sim: Sim) -> Vec<Space> {
    const ORDINAL: sys::CUpointer_attribute = sys::CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL;
    let opened = sim.blocks().into_iter().filter(|block| block.kind == BlockKind::Ipc);
    let device = |address| {
        // SAFETY: a place for the number that this attribute is.
        given(|place: *mut u32| unsafe { sys::cuPointerGetAttribute(place.cast(), ORDINAL, address) })
    };
    opened.flat_map(|block| device(block.address)).map(Space::device).collect()
}

/// Where memprof's live bytes and blocks are not those of the simulator's own ledger, and a block of 0 bytes for each
/// piece of others' memory that is open.
pub(crate) fn differences(sim: Sim) -> Vec<String> {
    let (books, opened) = (sim.live(), opened(sim));
    let devices = (0..).map(Space::device).zip(books.devices);
    let both = devices.chain([(Space::PINNED, books.pinned), (Space::MANAGED, books.managed)]).map(|(space, usage)| {
        let open = opened.iter().filter(|&&device| device == space).count() as u64;
        let driver = (usage.bytes.cast_signed(), (usage.blocks + open).cast_signed());
        (space, live(space), driver)
    });
    let different = both.filter(|(_, memprof, driver)| memprof != driver);
    different.map(|(space, memprof, driver)| format!("{space}: memprof {memprof:?}, driver {driver:?}")).collect()
}

/// That memprof's live bytes and blocks are those of the simulator's own ledger, space by space.
#[track_caller]
pub(crate) fn agree(sim: Sim) {
    assert_eq!(differences(sim), Vec::<String>::new());
}

fn given<T>(call: impl FnOnce(*mut T) -> sys::CUresult) -> Result<T, DriverError> {
    let mut place = MaybeUninit::uninit();
    call(place.as_mut_ptr()).result()?;
    // SAFETY: the call succeeded, so it has written what it gives.
    Ok(unsafe { place.assume_init() })
}

pub(crate) fn pitched(width: usize, height: usize) -> Result<u64, DriverError> {
    let mut pitch = 0;
    // SAFETY: places for both results.
    given(|place| unsafe { sys::cuMemAllocPitch_v2(place, &raw mut pitch, width, height, 4) })
}

pub(crate) fn array3d(width: usize, height: usize, depth: usize) -> Result<sys::CUarray, DriverError> {
    let shape = sys::CUDA_ARRAY3D_DESCRIPTOR {
        Width: width,
        Height: height,
        Depth: depth,
        Format: sys::CUarray_format::CU_AD_FORMAT_FLOAT,
        NumChannels: 2,
        Flags: 0,
    };
    // SAFETY: a place for the result, and a shape.
    given(|place| unsafe { sys::cuArray3DCreate_v2(place, &raw const shape) })
}

pub(crate) fn array(width: usize, height: usize) -> Result<sys::CUarray, DriverError> {
    let shape = sys::CUDA_ARRAY_DESCRIPTOR {
        Width: width,
        Height: height,
        Format: sys::CUarray_format::CU_AD_FORMAT_HALF,
        NumChannels: 1,
    };
    // SAFETY: a place for the result, and a shape.
    given(|place| unsafe { sys::cuArrayCreate_v2(place, &raw const shape) })
}

pub(crate) fn destroy_array(array: sys::CUarray) -> Result<(), DriverError> {
    // SAFETY: a handle; a wrong one is refused.
    unsafe { sys::cuArrayDestroy(array) }.result()
}

/// Device memory by the plain function.
pub(crate) fn allocate(bytes: usize) -> Result<u64, DriverError> {
    // SAFETY: a place for the result.
    given(|place| unsafe { sys::cuMemAlloc_v2(place, bytes) })
}

pub(crate) fn free(address: u64) -> Result<(), DriverError> {
    // SAFETY: the simulator refuses what is not live.
    unsafe { sys::cuMemFree_v2(address) }.result()
}

/// Frees what the simulator has left, through a context of this device: memory of pools outlives its own.
pub(crate) fn free_all(sim: Sim, device: usize) -> Tried {
    let context = cudarc::driver::CudaContext::new(device)?;
    context.bind_to_thread()?;
    sim.blocks().iter().try_for_each(|block| free(block.address))?;
    Ok(())
}

pub(crate) fn free_async(address: u64, stream: sys::CUstream) -> Result<(), DriverError> {
    // SAFETY: the simulator refuses what is not live.
    unsafe { sys::cuMemFreeAsync(address, stream) }.result()
}

pub(crate) fn pinned(bytes: usize) -> Result<*mut c_void, DriverError> {
    // SAFETY: a place for the result.
    given(|place| unsafe { sys::cuMemAllocHost_v2(place, bytes) })
}

pub(crate) fn free_pinned(address: *mut c_void) -> Result<(), DriverError> {
    // SAFETY: the simulator refuses what is not live.
    unsafe { sys::cuMemFreeHost(address) }.result()
}

pub(crate) fn pool(device: i32) -> Result<sys::CUmemoryPool, DriverError> {
    let mut properties = MaybeUninit::<sys::CUmemPoolProps>::zeroed();
    let words: *mut u32 = properties.as_mut_ptr().cast();
    for (index, word) in [1, 0, 1, device.cast_unsigned()].into_iter().enumerate() {
        // SAFETY: kind, handle types and location are the first four words of the properties.
        let place = unsafe { words.add(index) };
        // SAFETY: within the properties, as above.
        unsafe { place.write(word) };
    }
    // SAFETY: a place for the result, and properties.
    given(|place| unsafe { sys::cuMemPoolCreate(place, properties.as_ptr()) })
}

/// The default pool of host memory, or of managed memory, as CUDA 13 has it.
pub(crate) fn default_pool(is_managed: bool) -> Result<sys::CUmemoryPool, DriverError> {
    let mut location = MaybeUninit::<sys::CUmemLocation>::zeroed();
    // SAFETY: the kind of the location is its first word: the host.
    unsafe { location.as_mut_ptr().cast::<u32>().write(2) };
    let kind = if is_managed {
        sys::CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_MANAGED
    } else {
        sys::CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED
    };
    // SAFETY: a place for the result, and a location.
    given(|place| unsafe { sys::cuMemGetDefaultMemPool(place, location.as_mut_ptr(), kind) })
}

/// Exports physical memory as a file descriptor.
pub(crate) fn export_physical(handle: u64) -> Result<i32, DriverError> {
    let kind = sys::CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    // SAFETY: a place for a file descriptor.
    given(|place: *mut i32| unsafe { sys::cuMemExportToShareableHandle(place.cast(), handle, kind, 0) })
}

pub(crate) fn import_physical(descriptor: i32) -> Result<u64, DriverError> {
    let kind = sys::CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    let descriptor = std::ptr::without_provenance_mut(descriptor.unsigned_abs() as usize);
    // SAFETY: a place for the result; the descriptor is passed in the pointer's place.
    given(|place| unsafe { sys::cuMemImportFromShareableHandle(place, descriptor, kind) })
}

pub(crate) fn allocate_from(pool: sys::CUmemoryPool, bytes: usize, stream: sys::CUstream) -> Result<u64, DriverError> {
    // SAFETY: a place for the result; handles that the driver gave.
    given(|place| unsafe { sys::cuMemAllocFromPoolAsync(place, bytes, pool, stream) })
}

pub(crate) const GRANULARITY: usize = 2 << 20;

pub(crate) fn physical(device: i32, bytes: usize) -> Result<u64, DriverError> {
    let mut properties = MaybeUninit::<sys::CUmemAllocationProp>::zeroed();
    let words: *mut u32 = properties.as_mut_ptr().cast();
    for (index, word) in [1, 0, 1, device.cast_unsigned()].into_iter().enumerate() {
        // SAFETY: kind, handle types and location are the first four words of the properties.
        let place = unsafe { words.add(index) };
        // SAFETY: within the properties, as above.
        unsafe { place.write(word) };
    }
    // SAFETY: a place for the result, and properties.
    given(|place| unsafe { sys::cuMemCreate(place, bytes, properties.as_ptr(), 0) })
}

/// Physical memory that may be exported as a file descriptor.
pub(crate) fn exportable(device: i32, bytes: usize) -> Result<u64, DriverError> {
    let mut properties = MaybeUninit::<sys::CUmemAllocationProp>::zeroed();
    // SAFETY: kind, handle types (file descriptors) and location are the first four words of the properties.
    unsafe { properties.as_mut_ptr().cast::<[u32; 4]>().write([1, 1, 1, device.cast_unsigned()]) };
    // SAFETY: a place for the result, and properties.
    given(|place| unsafe { sys::cuMemCreate(place, bytes, properties.as_ptr(), 0) })
}

pub(crate) fn device_count() -> Result<i32, DriverError> {
    // SAFETY: a place for the result.
    given(|place| unsafe { sys::cuDeviceGetCount(place) })
}

pub(crate) fn release_physical(handle: u64) -> Result<(), DriverError> {
    // SAFETY: a handle; a wrong one is refused.
    unsafe { sys::cuMemRelease(handle) }.result()
}

pub(crate) fn reserve(bytes: usize) -> Result<u64, DriverError> {
    // SAFETY: a place for the result.
    given(|place| unsafe { sys::cuMemAddressReserve(place, bytes, 0, 0, 0) })
}

pub(crate) fn map(address: u64, bytes: usize, handle: u64) -> Result<(), DriverError> {
    // SAFETY: a reserved address; a wrong one is refused.
    unsafe { sys::cuMemMap(address, bytes, 0, handle, 0) }.result()
}

pub(crate) fn unmap(address: u64, bytes: usize) -> Result<(), DriverError> {
    // SAFETY: a mapped address; a wrong one is refused.
    unsafe { sys::cuMemUnmap(address, bytes) }.result()
}

pub(crate) fn retain_physical(address: u64) -> Result<u64, DriverError> {
    let address: *mut c_void = std::ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap_or(0));
    // SAFETY: a place for the result.
    given(|place| unsafe { sys::cuMemRetainAllocationHandle(place, address) })
}

pub(crate) fn open_ipc(address: u64) -> Result<u64, DriverError> {
    // SAFETY: a place for the result.
    let handle = given(|place| unsafe { sys::cuIpcGetMemHandle(place, address) })?;
    // SAFETY: a place for the result.
    given(|place| unsafe { sys::cuIpcOpenMemHandle_v2(place, handle, 1) })
}

pub(crate) fn close_ipc(address: u64) -> Result<(), DriverError> {
    // SAFETY: an opened address; a wrong one is refused.
    unsafe { sys::cuIpcCloseMemHandle(address) }.result()
}

/// Runs `work` with this thread in relaxed mode, in which it may do beside a capture what is refused otherwise.
pub(crate) fn while_relaxed<R>(work: impl FnOnce() -> R) -> Result<R, DriverError> {
    let mut mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
    // SAFETY: a place with a mode, for the one that it was.
    let exchange =
        |mode: &mut sys::CUstreamCaptureMode| unsafe { sys::cuThreadExchangeStreamCaptureMode(mode) }.result();
    exchange(&mut mode)?;
    let done = work();
    exchange(&mut mode)?;
    Ok(done)
}

/// Another context on a device, which is current afterwards.
pub(crate) fn create_context(device: i32) -> Result<sys::CUcontext, DriverError> {
    // SAFETY: a place for the result; no parameters.
    given(|place| unsafe { sys::cuCtxCreate_v4(place, std::ptr::null_mut(), 0, device) })
}

pub(crate) fn destroy_context(context: sys::CUcontext) -> Result<(), DriverError> {
    // SAFETY: a context; a wrong one is refused.
    unsafe { sys::cuCtxDestroy_v2(context) }.result()
}

pub(crate) fn reset_primary(device: i32) -> Result<(), DriverError> {
    // SAFETY: takes any number.
    unsafe { sys::cuDevicePrimaryCtxReset_v2(device) }.result()
}

/// Another tool that is subscribed to CUPTI, until this is dropped.
pub(crate) struct Subscribed {
    library: libloading::Library,
    subscriber: *mut c_void,
}

pub(crate) type CuptiCallback = unsafe extern "C" fn(*mut c_void, u32, u32, *const c_void);

pub(crate) unsafe extern "C" fn deaf(_user: *mut c_void, _domain: u32, _id: u32, _data: *const c_void) {}

/// `CUpti_SubscriberParams`, with which others are allowed.
#[repr(C)]
struct Sharing {
    size: usize,
    name: *const std::ffi::c_char,
    other: *mut std::ffi::c_char,
    other_size: usize,
    allow_others: u8,
    padding: [u8; 7],
}

type SubscribeBeside = unsafe extern "C" fn(*mut *mut c_void, CuptiCallback, *mut c_void, *mut Sharing) -> u32;

type Subscribe = unsafe extern "C" fn(*mut *mut c_void, CuptiCallback, *mut c_void) -> u32;

impl Subscribed {
    /// One that allows others beside it.
    pub(crate) fn sharing(sim: Sim) -> Tried<Self> {
        Self::sharing_with(sim, deaf)
    }

    /// One that allows others beside it, with a callback of its own.
    pub(crate) fn sharing_with(sim: Sim, callback: CuptiCallback) -> Tried<Self> {
        // SAFETY: it is loaded already.
        let library = unsafe { libloading::Library::new(sim.path()) }?;
        let mut subscriber = std::ptr::null_mut();
        let mut sharing = Sharing {
            size: size_of::<Sharing>(),
            name: c"Nsight".as_ptr(),
            other: std::ptr::null_mut(),
            other_size: 0,
            allow_others: 1,
            padding: [0; 7],
        };
        // SAFETY: the function has this type.
        let subscribe = unsafe { library.get::<SubscribeBeside>(b"cuptiSubscribe_v2\0") }?;
        // SAFETY: a place for the handle; a callback of this type; parameters of their size.
        let status = unsafe { subscribe(&raw mut subscriber, callback, std::ptr::null_mut(), &raw mut sharing) };
        if status == 0 { Ok(Self { library, subscriber }) } else { Err(format!("cuptiSubscribe_v2: {status}").into()) }
    }

    pub(crate) fn to(sim: Sim) -> Tried<Self> {
        // SAFETY: it is loaded already.
        let library = unsafe { libloading::Library::new(sim.path()) }?;
        let mut subscriber = std::ptr::null_mut();
        // SAFETY: the function has this type.
        let subscribe = unsafe { library.get::<Subscribe>(b"cuptiSubscribe\0") }?;
        // SAFETY: a place for the handle; the callback does nothing.
        let status = unsafe { subscribe(&raw mut subscriber, deaf, std::ptr::null_mut()) };
        if status == 0 { Ok(Self { library, subscriber }) } else { Err(format!("cuptiSubscribe: {status}").into()) }
    }
}

impl Subscribed {
    /// Has its callback called for this function of the driver.
    pub(crate) fn enable(&self, number: u32) -> Tried {
        type Enable = unsafe extern "C" fn(u32, *mut c_void, u32, u32) -> u32;
        const DRIVER: u32 = 1;
        // SAFETY: the function has this type.
        let enable = unsafe { self.library.get::<Enable>(b"cuptiEnableCallback\0") }?;
        // SAFETY: the handle that was given.
        let status = unsafe { enable(1, self.subscriber, DRIVER, number) };
        if status == 0 { Ok(()) } else { Err(format!("cuptiEnableCallback: {status}").into()) }
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        type Unsubscribe = unsafe extern "C" fn(*mut c_void) -> u32;
        // SAFETY: the function has this type.
        if let Ok(unsubscribe) = unsafe { self.library.get::<Unsubscribe>(b"cuptiUnsubscribe\0") } {
            // SAFETY: the handle that was given.
            unsafe { unsubscribe(self.subscriber) };
        }
    }
}
