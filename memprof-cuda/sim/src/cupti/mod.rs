//! CUPTI's callback side: one subscriber, shown driver calls as they begin and end, on the thread that makes them.
//!
//! Shown are the functions that have a number of CUPTI's in their definition: those that allocate, free, map and unmap memory, and those that
//! make and end contexts; that a context is about to end, whoever ends it; and streams that are made and destroyed. The subscriber's lock is
//! held while a callback runs, for reading: `cuptiUnsubscribe` returns when no callback runs any more. A driver call made inside a callback is not shown; unsubscribing inside one is refused.
#![expect(unsafe_code, reason = "exports CUPTI functions, and calls the subscriber's callback")]
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::panic::catch_unwind;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::base::abi::{Code, Function, Out};
use crate::base::log;
use crate::model::{current, state};

/// The numbers of callbacks that there are.
const CALLBACKS: usize = 1024;

/// `CUPTI_CB_DOMAIN_DRIVER_API`
const DRIVER: u32 = 1;

/// `CUPTI_CB_DOMAIN_RESOURCE`
const RESOURCE: u32 = 3;

/// `CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING`
const CONTEXT_DESTROY_STARTING: u32 = 2;
/// `CUPTI_CBID_RESOURCE_STREAM_CREATED`
const STREAM_CREATED: u32 = 3;
/// `CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING`
const STREAM_DESTROY_STARTING: u32 = 4;

/// The last of the domains.
const LAST_DOMAIN: u32 = 6;

/// A CUPTI result.
type Answer = u32;
const SUCCESS: Answer = 0;
const INVALID_PARAMETER: Answer = 1;
const INVALID_OPERATION: Answer = 7;
const MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED: Answer = 39;
const UNKNOWN: Answer = 999;

/// `CUpti_CallbackData`
#[repr(C)]
struct CallbackData {
    site: u32,
    function_name: *const c_char,
    parameters: *const c_void,
    result: *mut c_void,
    symbol_name: *const c_char,
    context: usize,
    context_number: u32,
    correlation: *mut u64,
    correlation_number: u32,
}

/// `CUpti_ResourceData`
#[repr(C)]
struct ResourceData {
    context: usize,
    handle: usize,
    descriptor: *const c_void,
}

/// `CUpti_CallbackFunc`
type Callback = unsafe extern "C" fn(user: *mut c_void, domain: u32, number: u32, data: *const c_void);

/// Who is shown the calls.
#[derive(Clone, Copy)]
struct Subscriber {
    handle: usize,
    callback: Callback,
    /// The address that the subscriber gave; it alone knows what is there.
    user: usize,
}

/// The subscriber. Its lock is taken without the driver's.
static SUBSCRIBER: RwLock<Option<Subscriber>> = RwLock::new(None);
/// Which callbacks are on, by number.
static ENABLED: [AtomicBool; CALLBACKS] = [const { AtomicBool::new(false) }; CALLBACKS];
/// Which of the resource callbacks are on, by number: those that there are.
static RESOURCES: [AtomicBool; 5] = [const { AtomicBool::new(false) }; 5];
/// Numbers subscribers and calls.
static NEXT: AtomicU32 = AtomicU32::new(1);

thread_local! {
    /// Whether this thread runs a callback.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// A call that the subscriber has been shown, and is to be shown again when it ends.
pub(crate) struct Site {
    function: &'static Function,
    parameters: *const c_void,
    subscriber: usize,
    correlation: u64,
    number: u32,
    context: usize,
}

/// Shows the subscriber that a call begins. `None`: it does not want to know.
pub(crate) fn enter(function: &'static Function, parameters: *const c_void) -> Option<Site> {
    if function.cbid == 0 || INSIDE.get() || !is_enabled(function.cbid) {
        return None;
    }
    let subscriber = SUBSCRIBER.read().unwrap_or_else(PoisonError::into_inner);
    let subscriber = (*subscriber).as_ref()?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let context = current::current();
    let mut site = Site { function, parameters, subscriber: subscriber.handle, correlation: 0, number, context };
    show(subscriber, &mut site, 0, ptr::null_mut());
    Some(site)
}

/// Shows the subscriber that a call has ended, if it is the one who was shown its beginning.
pub(crate) fn exit(site: &mut Site, code: Code) {
    let subscriber = SUBSCRIBER.read().unwrap_or_else(PoisonError::into_inner);
    let Some(subscriber) = subscriber.as_ref().filter(|subscriber| subscriber.handle == site.subscriber) else {
        return;
    };
    if is_enabled(site.function.cbid) {
        let mut code = code;
        show(subscriber, site, 1, (&raw mut code).cast());
    }
}

fn is_enabled(number: u32) -> bool {
    ENABLED.get(number as usize).is_some_and(|enabled| enabled.load(Ordering::Acquire))
}

fn show(subscriber: &Subscriber, site: &mut Site, place: u32, result: *mut c_void) {
    let data = CallbackData {
        site: place,
        function_name: site.function.name.as_ptr(),
        parameters: site.parameters,
        result,
        symbol_name: ptr::null(),
        context: site.context,
        context_number: (site.context / 0x10) as u32,
        correlation: &raw mut site.correlation,
        correlation_number: site.number,
    };
    let user = ptr::with_exposed_provenance_mut(subscriber.user);
    INSIDE.set(true);
    // SAFETY: the subscriber gave a callback of this type, which lives until it unsubscribes, and that waits for the lock that is held.
    unsafe { (subscriber.callback)(user, DRIVER, site.function.cbid, (&raw const data).cast()) };
    INSIDE.set(false);
}

/// Shows the subscriber that a context is about to end.
pub(crate) fn context_ends(context: Option<usize>) {
    if let Some(context) = context {
        show_resource(CONTEXT_DESTROY_STARTING, context, 0);
    }
}

/// Shows the subscriber that a stream was made.
pub(crate) fn stream_made(context: usize, stream: usize) {
    show_resource(STREAM_CREATED, context, stream);
}

/// Shows the subscriber that a stream is about to be destroyed.
pub(crate) fn stream_ends(context: usize, stream: usize) {
    show_resource(STREAM_DESTROY_STARTING, context, stream);
}

fn show_resource(number: u32, context: usize, handle: usize) {
    if INSIDE.get() || !RESOURCES.get(number as usize).is_some_and(|enabled| enabled.load(Ordering::Acquire)) {
        return;
    }
    let subscriber = SUBSCRIBER.read().unwrap_or_else(PoisonError::into_inner);
    let Some(subscriber) = subscriber.as_ref() else { return };
    let data = ResourceData { context, handle, descriptor: ptr::null() };
    let user = ptr::with_exposed_provenance_mut(subscriber.user);
    INSIDE.set(true);
    // SAFETY: as in `show`.
    unsafe { (subscriber.callback)(user, RESOURCE, number, (&raw const data).cast()) };
    INSIDE.set(false);
}

/// What every function passes through: it is counted, may be told to fail, and answers in place of a panic that would cross the C border.
fn answer(name: &'static str, body: impl FnOnce() -> Answer + std::panic::UnwindSafe) -> Answer {
    let passed = catch_unwind(|| {
        let told_to_fail = state::lock().begin_call(name);
        told_to_fail.map_or_else(body, |code| code.0)
    });
    passed.unwrap_or_else(|panic| {
        log::broken(name, panic.as_ref());
        UNKNOWN
    })
}

/// What `cuptiSubscribe_v2` may be given, as far as it is read.
type SubscriberParameters = c_void;

fn subscribe(place: Out<usize>, callback: Option<Callback>, user: usize) -> Answer {
    let Some(callback) = callback.filter(|_| place.given().is_ok()) else { return INVALID_PARAMETER };
    if INSIDE.get() {
        return INVALID_OPERATION;
    }
    let mut subscriber = SUBSCRIBER.write().unwrap_or_else(PoisonError::into_inner);
    if subscriber.is_some() {
        return MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
    }
    let handle = 0x5200_0000_0000 + NEXT.fetch_add(1, Ordering::Relaxed) as usize * 0x10;
    enable_all(false);
    *subscriber = Some(Subscriber { handle, callback, user });
    place.set_if_given(handle);
    SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cuptiSubscribe(place: Out<usize>, callback: Option<Callback>, user: *mut c_void) -> Answer {
    let user = user.expose_provenance();
    answer("cuptiSubscribe", move || subscribe(place, callback, user))
}

#[unsafe(no_mangle)]
extern "C" fn cuptiSubscribe_v2(
    place: Out<usize>,
    callback: Option<Callback>,
    user: *mut c_void,
    _parameters: *mut SubscriberParameters,
) -> Answer {
    let user = user.expose_provenance();
    answer("cuptiSubscribe_v2", move || subscribe(place, callback, user))
}

#[unsafe(no_mangle)]
extern "C" fn cuptiUnsubscribe(handle: usize) -> Answer {
    answer("cuptiUnsubscribe", || {
        if INSIDE.get() {
            return INVALID_OPERATION;
        }
        let mut subscriber = SUBSCRIBER.write().unwrap_or_else(PoisonError::into_inner);
        if subscriber.is_none_or(|subscriber| subscriber.handle != handle) {
            return INVALID_PARAMETER;
        }
        enable_all(false);
        *subscriber = None;
        SUCCESS
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuptiEnableCallback(enable: u32, handle: usize, domain: u32, number: u32) -> Answer {
    answer("cuptiEnableCallback", || match ENABLED.get(number as usize) {
        _ if !is_subscribed(handle) || domain == 0 || domain > LAST_DOMAIN => INVALID_PARAMETER,
        Some(enabled) if domain == DRIVER && number > 0 => {
            enabled.store(enable != 0, Ordering::Release);
            SUCCESS
        }
        Some(_) if domain == RESOURCE => {
            if let Some(enabled) = RESOURCES.get(number as usize) {
                enabled.store(enable != 0, Ordering::Release);
            }
            SUCCESS
        }
        // Nothing else ever happens in the other domains.
        Some(_) if domain != DRIVER => SUCCESS,
        _ => INVALID_PARAMETER,
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuptiEnableDomain(enable: u32, handle: usize, domain: u32) -> Answer {
    answer("cuptiEnableDomain", || {
        if !is_subscribed(handle) || domain == 0 || domain > LAST_DOMAIN {
            return INVALID_PARAMETER;
        }
        if domain == DRIVER {
            enable_all(enable != 0);
        }
        SUCCESS
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuptiGetDeviceId(context: usize, place: Out<u32>) -> Answer {
    answer("cuptiGetDeviceId", || {
        let device = state::lock().context(context).map(|context| context.device as u32);
        if device.and_then(|device| place.set(device)).is_ok() { SUCCESS } else { INVALID_PARAMETER }
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuptiGetVersion(place: Out<u32>) -> Answer {
    answer("cuptiGetVersion", || if place.set(26).is_ok() { SUCCESS } else { INVALID_PARAMETER })
}

#[unsafe(no_mangle)]
extern "C" fn cuptiGetResultString(result: u32, place: Out<*const c_char>) -> Answer {
    let name = match result {
        SUCCESS => Some(c"CUPTI_SUCCESS"),
        INVALID_PARAMETER => Some(c"CUPTI_ERROR_INVALID_PARAMETER"),
        INVALID_OPERATION => Some(c"CUPTI_ERROR_INVALID_OPERATION"),
        14 => Some(c"CUPTI_ERROR_NOT_COMPATIBLE"),
        15 => Some(c"CUPTI_ERROR_NOT_INITIALIZED"),
        35 => Some(c"CUPTI_ERROR_INSUFFICIENT_PRIVILEGES"),
        MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED => Some(c"CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED"),
        UNKNOWN => Some(c"CUPTI_ERROR_UNKNOWN"),
        _ => None,
    };
    answer("cuptiGetResultString", || match name {
        Some(name) if place.set(name.as_ptr()).is_ok() => SUCCESS,
        _ => INVALID_PARAMETER,
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuptiGetCallbackName(domain: u32, number: u32, place: Out<*const c_char>) -> Answer {
    let name = NAMES.iter().find(|(known, _)| domain == DRIVER && *known == number).map(|(_, name)| name.as_ptr());
    answer("cuptiGetCallbackName", || match name {
        Some(name) if place.set(name).is_ok() => SUCCESS,
        _ => INVALID_PARAMETER,
    })
}

fn is_subscribed(handle: usize) -> bool {
    if INSIDE.get() {
        // This thread holds the lock for reading already.
        return true;
    }
    let subscriber = SUBSCRIBER.read().unwrap_or_else(PoisonError::into_inner);
    subscriber.is_some_and(|subscriber| subscriber.handle == handle)
}

fn enable_all(enable: bool) {
    if !enable {
        for enabled in &RESOURCES {
            enabled.store(false, Ordering::Release);
        }
    }
    for enabled in &ENABLED {
        enabled.store(enable, Ordering::Release);
    }
}

/// The functions that are shown, by number.
static NAMES: [(u32, &CStr); 41] = [
    (38, c"cuMemFreeHost"),
    (39, c"cuMemHostAlloc"),
    (89, c"cuArrayDestroy"),
    (243, c"cuMemAlloc_v2"),
    (235, c"cuCtxCreate_v2"),
    (244, c"cuMemAllocPitch_v2"),
    (245, c"cuMemFree_v2"),
    (272, c"cuArrayCreate_v2"),
    (274, c"cuArray3DCreate_v2"),
    (294, c"cuMemAllocHost_v2"),
    (302, c"cuMemHostUnregister"),
    (322, c"cuCtxDestroy_v2"),
    (330, c"cuIpcCloseMemHandle"),
    (347, c"cuMipmappedArrayCreate"),
    (349, c"cuMipmappedArrayDestroy"),
    (371, c"cuMemAllocManaged"),
    (379, c"cuMemHostRegister_v2"),
    (386, c"cuDevicePrimaryCtxRetain"),
    (486, c"cuExternalMemoryGetMappedBuffer"),
    (514, c"cuGraphLaunch"),
    (544, c"cuDevicePrimaryCtxRelease_v2"),
    (545, c"cuDevicePrimaryCtxReset_v2"),
    (547, c"cuMemAddressReserve"),
    (548, c"cuMemAddressFree"),
    (549, c"cuMemCreate"),
    (550, c"cuMemRelease"),
    (551, c"cuMemMap"),
    (552, c"cuMemUnmap"),
    (555, c"cuMemImportFromShareableHandle"),
    (565, c"cuMemRetainAllocationHandle"),
    (567, c"cuIpcOpenMemHandle_v2"),
    (598, c"cuMemAllocAsync"),
    (599, c"cuMemAllocAsync_ptsz"),
    (600, c"cuMemFreeAsync"),
    (601, c"cuMemFreeAsync_ptsz"),
    (607, c"cuMemPoolCreate"),
    (608, c"cuMemPoolDestroy"),
    (611, c"cuMemAllocFromPoolAsync"),
    (638, c"cuGraphAddMemAllocNode"),
    (645, c"cuCtxCreate_v3"),
    (757, c"cuCtxCreate_v4"),
];
