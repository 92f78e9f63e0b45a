//! CUPTI's callbacks: what a subscriber is shown, in which order, on which thread, with what.
#![expect(unsafe_code, reason = "CUPTI is C")]

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use crate::common::{Tested, alone, failure};
use cudarc::driver::sys::{self, CUgraphInstantiate_flags, CUresult, CUstreamCaptureMode};
use cudarc::driver::{CudaContext, result};
use libloading::os::unix::{Library, Symbol};
use memprof_cuda_sim::Sim;

const DRIVER: u32 = 1;
const RESOURCE: u32 = 3;
const CONTEXT_DESTROY_STARTING: u32 = 2;
const ALLOC: u32 = 243;
const FREE: u32 = 245;
const FREE_ASYNC: u32 = 600;

/// `CUpti_CallbackData`
#[repr(C)]
struct Data {
    site: u32,
    name: *const c_char,
    parameters: *const u64,
    result: *const u32,
    symbol: *const c_char,
    context: *mut c_void,
    context_number: u32,
    correlation: *mut u64,
    number: u32,
}

type Callback = extern "C" fn(*mut c_void, u32, u32, *const c_void);

/// What a callback was shown.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seen {
    name: String,
    is_exit: bool,
    result: Option<u32>,
    /// What was at the first argument, which is a place for an address, or the first argument itself.
    first: u64,
    correlation: u64,
    thread: ThreadId,
}

static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

extern "C" fn see(user: *mut c_void, domain: u32, number: u32, data: *const c_void) {
    assert_eq!((user.addr(), domain), (77, DRIVER));
    // SAFETY: what is shown in the domain of the driver's calls is one of these.
    let data = unsafe { &*data.cast::<Data>() };
    // SAFETY: a text of the library's.
    let name = unsafe { CStr::from_ptr(data.name) }.to_string_lossy().into_owned();
    // SAFETY: every function that is shown here has an argument of 64 bits.
    let mut first = unsafe { data.parameters.read() };
    let is_exit = data.site == 1;
    if is_exit && number == ALLOC {
        // SAFETY: at the end of the call, the place that was given holds the address.
        first = unsafe { ptr::with_exposed_provenance::<u64>(first as usize).read() };
    } else if number == ALLOC {
        first = 0;
    }
    if !is_exit {
        // SAFETY: a place for one value, between the two callbacks of a call.
        unsafe { data.correlation.write(u64::from(data.number) + 1000) };
    }
    // SAFETY: as above.
    let correlation = unsafe { data.correlation.read() } - u64::from(data.number);
    // SAFETY: a result at the end of the call.
    let result = is_exit.then(|| unsafe { data.result.read() });
    let seen = Seen { name, is_exit, result, first, correlation, thread: thread::current().id() };
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
}

fn seen() -> Vec<Seen> {
    std::mem::take(&mut SEEN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The contexts that were shown as ending.
static ENDING: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Asks the driver meanwhile, as a subscriber may.
extern "C" fn see_an_end(_user: *mut c_void, domain: u32, number: u32, data: *const c_void) {
    assert_eq!((domain, number), (RESOURCE, CONTEXT_DESTROY_STARTING));
    assert!(result::device::get_count().is_ok());
    // SAFETY: what is shown of a resource begins with its context.
    let context = unsafe { data.cast::<usize>().read() };
    ENDING.lock().unwrap_or_else(PoisonError::into_inner).push(context);
}

/// The CUPTI functions of the simulator's library.
struct Cupti {
    subscribe: Symbol<unsafe extern "C" fn(*mut usize, Option<Callback>, *mut c_void) -> u32>,
    unsubscribe: Symbol<unsafe extern "C" fn(usize) -> u32>,
    enable: Symbol<unsafe extern "C" fn(u32, usize, u32, u32) -> u32>,
    name: Symbol<unsafe extern "C" fn(u32, u32, *mut *const c_char) -> u32>,
    _library: Library,
}

impl Cupti {
    fn load(sim: Sim) -> Result<Self, libloading::Error> {
        // SAFETY: loaded already.
        let library = unsafe { Library::new(sim.path()) }?;
        // SAFETY: its type.
        let subscribe = unsafe { library.get(b"cuptiSubscribe\0") }?;
        // SAFETY: its type.
        let unsubscribe = unsafe { library.get(b"cuptiUnsubscribe\0") }?;
        // SAFETY: its type.
        let enable = unsafe { library.get(b"cuptiEnableCallback\0") }?;
        // SAFETY: its type.
        let name = unsafe { library.get(b"cuptiGetCallbackName\0") }?;
        Ok(Self { subscribe, unsubscribe, enable, name, _library: library })
    }

    fn subscribe(&self) -> Result<usize, u32> {
        self.subscribe_with(see)
    }

    fn subscribe_with(&self, callback: Callback) -> Result<usize, u32> {
        let mut handle = 0;
        // SAFETY: a place for a handle.
        let code = unsafe { (self.subscribe)(&raw mut handle, Some(callback), ptr::without_provenance_mut(77)) };
        if code == 0 { Ok(handle) } else { Err(code) }
    }

    fn enable(&self, handle: usize, number: u32) -> u32 {
        self.enable_of(handle, DRIVER, number)
    }

    fn enable_of(&self, handle: usize, domain: u32, number: u32) -> u32 {
        // SAFETY: takes any numbers.
        unsafe { (self.enable)(1, handle, domain, number) }
    }

    fn unsubscribe(&self, handle: usize) -> u32 {
        // SAFETY: takes any number.
        unsafe { (self.unsubscribe)(handle) }
    }
}

#[test]
fn a_call_is_shown_as_it_begins_and_ends_with_its_arguments_and_result() -> Tested {
    let (_alone, sim) = alone()?;
    let cupti = Cupti::load(sim)?;
    let _context = CudaContext::new(0)?;
    let handle = cupti.subscribe().map_err(|code| code.to_string())?;
    assert_eq!((cupti.enable(handle, ALLOC), cupti.enable(handle, FREE)), (0, 0));
    // SAFETY: freed below.
    let address = unsafe { result::malloc_sync(16) }?;
    // SAFETY: allocated above.
    unsafe { result::free_sync(address) }?;
    // SAFETY: refused.
    assert_eq!(failure(unsafe { result::free_sync(address) }), Some(CUresult::CUDA_ERROR_INVALID_VALUE));
    assert_eq!(cupti.unsubscribe(handle), 0);

    let thread = thread::current().id();
    let begin = |name: &str, first| Seen {
        name: name.to_owned(),
        is_exit: false,
        result: None,
        first,
        correlation: 1000,
        thread,
    };
    let end = |name: &str, first, code| Seen { is_exit: true, result: Some(code), ..begin(name, first) };
    let expected = [
        begin("cuMemAlloc_v2", 0),
        end("cuMemAlloc_v2", address, 0),
        begin("cuMemFree_v2", address),
        end("cuMemFree_v2", address, 0),
        begin("cuMemFree_v2", address),
        end("cuMemFree_v2", address, 1),
    ];
    assert_eq!(seen(), expected);
    Ok(())
}

#[test]
fn only_what_is_enabled_is_shown_and_nothing_after_the_end() -> Tested {
    let (_alone, sim) = alone()?;
    let cupti = Cupti::load(sim)?;
    let context = CudaContext::new(0)?;
    let handle = cupti.subscribe().map_err(|code| code.to_string())?;
    assert_eq!(cupti.enable(handle, FREE_ASYNC), 0);
    let slice = context.default_stream().alloc_zeros::<u8>(16)?;
    let elsewhere = thread::spawn(move || {
        // cudarc frees on the default stream without making the slice's context current.
        slice.context().bind_to_thread()?;
        drop(slice);
        Ok::<_, cudarc::driver::DriverError>(())
    });
    elsewhere.join().map_err(|_| "the thread panicked")??;
    let shown = seen();
    assert_eq!(shown.iter().map(|seen| seen.name.as_str()).collect::<Vec<_>>(), ["cuMemFreeAsync"; 2]);
    assert_ne!(shown[0].thread, thread::current().id(), "shown on the thread that calls");
    assert_eq!(cupti.unsubscribe(handle), 0);
    drop(context.default_stream().alloc_zeros::<u8>(16)?);
    assert_eq!(seen(), []);
    Ok(())
}

/// And without the driver's lock: the callback asks it.
#[test]
fn a_context_is_shown_as_ending_only_where_nothing_refuses_its_end() -> Tested {
    let (_alone, sim) = alone()?;
    let cupti = Cupti::load(sim)?;
    let context = CudaContext::new(0)?;
    let (device, primary) = (context.cu_device(), context.cu_ctx());
    let mut created = ptr::null_mut();
    // SAFETY: a place for a context; without parameters it is an ordinary one.
    unsafe { sys::cuCtxCreate_v4(&raw mut created, ptr::null_mut(), 0, device) }.result()?;
    context.bind_to_thread()?;
    let handle = cupti.subscribe_with(see_an_end).map_err(|code| code.to_string())?;
    assert_eq!(cupti.enable_of(handle, RESOURCE, CONTEXT_DESTROY_STARTING), 0);
    let ends = || std::mem::take(&mut *ENDING.lock().unwrap_or_else(PoisonError::into_inner));
    // SAFETY: whoever else has a part in it is done with it where it succeeds.
    let destroy = |context| unsafe { sys::cuCtxDestroy_v2(context) };
    // SAFETY: as above.
    let reset = |device| unsafe { sys::cuDevicePrimaryCtxReset_v2(device) };
    // SAFETY: as above.
    let release = |device| unsafe { sys::cuDevicePrimaryCtxRelease_v2(device) };

    let stream = context.new_stream()?;
    for call in [&(|| destroy(created)) as &dyn Fn() -> CUresult, &|| reset(device), &|| release(device)] {
        stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_GLOBAL)?;
        assert_eq!(call(), CUresult::CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
        let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
        assert_eq!(
            stream.end_capture(flags).err().map(|error| error.0),
            Some(CUresult::CUDA_ERROR_STREAM_CAPTURE_INVALIDATED)
        );
    }
    assert_eq!(
        (destroy(primary), reset(9)),
        (CUresult::CUDA_ERROR_INVALID_CONTEXT, CUresult::CUDA_ERROR_INVALID_DEVICE)
    );
    assert_eq!(ends(), []);
    assert_eq!((destroy(created), ends()), (CUresult::CUDA_SUCCESS, vec![created.addr()]));
    assert_eq!((destroy(created), ends()), (CUresult::CUDA_ERROR_INVALID_CONTEXT, vec![]));
    assert_eq!((reset(device), ends()), (CUresult::CUDA_SUCCESS, vec![primary.addr()]));
    // It was retained once more: only the last release ends it.
    let mut again = ptr::null_mut();
    // SAFETY: a place for a context.
    unsafe { sys::cuDevicePrimaryCtxRetain(&raw mut again, device) }.result()?;
    assert_eq!((release(device), ends()), (CUresult::CUDA_SUCCESS, vec![]));
    drop(stream);
    drop(context);
    assert_eq!(ends(), [primary.addr()]);
    assert_eq!(cupti.unsubscribe(handle), 0);
    Ok(())
}

#[test]
fn a_failure_on_demand_is_shown_as_one() -> Tested {
    let (_alone, sim) = alone()?;
    let cupti = Cupti::load(sim)?;
    let _context = CudaContext::new(0)?;
    let handle = cupti.subscribe().map_err(|code| code.to_string())?;
    assert_eq!(cupti.enable(handle, FREE), 0);
    // SAFETY: freed below.
    let address = unsafe { result::malloc_sync(16) }?;
    sim.fail_next("cuMemFree_v2", 700, 1);
    // SAFETY: refused.
    assert!(unsafe { result::free_sync(address) }.is_err());
    // SAFETY: allocated above.
    unsafe { result::free_sync(address) }?;
    assert_eq!(cupti.unsubscribe(handle), 0);
    let results: Vec<_> = seen().iter().map(|seen| seen.result).collect();
    assert_eq!(results, [None, Some(700), None, Some(0)]);
    Ok(())
}

#[test]
fn its_own_functions_fail_on_demand_after_as_many_calls_as_were_said() -> Tested {
    let (_alone, sim) = alone()?;
    let cupti = Cupti::load(sim)?;
    sim.fail_next("cuptiSubscribe", 15, 1);
    assert_eq!(cupti.subscribe(), Err(15));
    let handle = cupti.subscribe().map_err(|code| code.to_string())?;
    sim.fail_after(1, "cuptiEnableCallback", 7, 1);
    assert_eq!([ALLOC, FREE, FREE].map(|number| cupti.enable(handle, number)), [0, 7, 0]);
    assert_eq!((sim.calls("cuptiSubscribe"), sim.calls("cuptiEnableCallback")), (2, 3));
    assert_eq!(cupti.unsubscribe(handle), 0);
    Ok(())
}

#[test]
fn there_is_one_subscriber() -> Tested {
    let (_alone, sim) = alone()?;
    let cupti = Cupti::load(sim)?;
    let handle = cupti.subscribe().map_err(|code| code.to_string())?;
    assert_eq!(cupti.subscribe(), Err(39));
    assert_eq!(cupti.enable(handle + 1, FREE), 1);
    // 13.5 has no function of this number; those of 12.9 called it cuMemHostAlloc_v2.
    assert_eq!((cupti.enable(handle, 271), cupti.enable(handle, 877)), (1, 1));
    assert_eq!(cupti.unsubscribe(handle + 1), 1);
    assert_eq!(cupti.unsubscribe(handle), 0);
    assert_eq!(cupti.unsubscribe(handle), 1);
    let handle = cupti.subscribe().map_err(|code| code.to_string())?;
    assert_eq!(cupti.unsubscribe(handle), 0);
    Ok(())
}

#[test]
fn callbacks_have_names() -> Tested {
    let (_alone, sim) = alone()?;
    let cupti = Cupti::load(sim)?;
    let mut name = ptr::null();
    // SAFETY: a place for a text.
    assert_eq!(unsafe { (cupti.name)(DRIVER, 598, &raw mut name) }, 0);
    // SAFETY: a text of the library's.
    assert_eq!(unsafe { CStr::from_ptr(name) }, c"cuMemAllocAsync");
    // SAFETY: a place for a text.
    assert_eq!(unsafe { (cupti.name)(DRIVER, 1023, &raw mut name) }, 1);
    Ok(())
}
