//! CUPTI's exported functions.
//!
//! Each is counted, may be told to fail, and never unwinds into its caller. Inside a callback subscribing,
//! unsubscribing and enabling are refused, so a mistake of a subscriber is a status and no deadlock. What is shown, and
//! to whom, is left to [`subscribers`](super::subscribers).
#![expect(unsafe_code, reason = "exports CUPTI functions")]

use std::ffi::{CStr, c_char, c_void};
use std::panic::catch_unwind;

use super::numbers;
use super::subscribers::{Callback, DRIVER, RESOURCE, Subscriber, all, all_mut, is_inside};
use crate::base::abi::{In, Out};
use crate::base::log;
use crate::model::state;

/// The last of the domains.
const LAST_DOMAIN: u32 = 6;

/// A CUPTI result.
type Answer = u32;
const SUCCESS: Answer = 0; // cuda: CUPTI_SUCCESS
const INVALID_PARAMETER: Answer = 1; // cuda: CUPTI_ERROR_INVALID_PARAMETER
const INVALID_OPERATION: Answer = 7; // cuda: CUPTI_ERROR_INVALID_OPERATION
const MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED: Answer = 39; // cuda: CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED
const UNKNOWN: Answer = 999; // cuda: CUPTI_ERROR_UNKNOWN

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

/// `CUpti_SubscriberParams`
#[repr(C)]
#[derive(Clone, Copy)]
struct SubscriberParameters {
    size: usize,
    name: In<c_char>,
    other: Out<c_char>,
    other_size: usize,
    allow_others: u8,
    padding: [u8; 7],
}

/// "A CUPTI client [..] Only a single subscriber can be registered at a time"; with `cuptiSubscribe_v2` several, if each of them allows it:
/// "`cuptiSubscribe_v2` will return `CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED` if the request cannot be fulfilled", and writes "the name of
/// [..] the existing CUPTI subscriber" (`cupti_callbacks.h` 13.5:789, 847, 862).
fn subscribe(place: Out<usize>, callback: Option<Callback>, user: usize, wish: Option<SubscriberParameters>) -> Answer {
    let Some(callback) = callback.filter(|_| place.given().is_ok()) else { return INVALID_PARAMETER };
    if is_inside() {
        return INVALID_OPERATION;
    }
    let shares = wish.is_some_and(|wish| wish.allow_others == 1);
    let mut subscribers = all_mut();
    if let Some(first) = subscribers.first()
        && !(shares && subscribers.iter().all(|other| other.shares))
    {
        if let Some(wish) = wish {
            let _not_wanted = wish
                .other
                .set_text(&format!("CUPTI for {}", first.name), i32::try_from(wish.other_size).unwrap_or(i32::MAX));
        }
        return MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
    }
    let name = wish.and_then(|wish| wish.name.text().ok()).unwrap_or_else(|| "somebody".to_owned());
    let subscriber = Subscriber::new(callback, user, shares, name);
    place.set_if_given(subscriber.handle);
    subscribers.push(subscriber);
    SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cuptiSubscribe(place: Out<usize>, callback: Option<Callback>, user: *mut c_void) -> Answer {
    let user = user.expose_provenance();
    answer("cuptiSubscribe", move || subscribe(place, callback, user, None))
}

/// "`CUPTI_ERROR_INVALID_PARAMETER` if: `pParams.structSize` is not filled with the size of the structure" (`cupti_callbacks.h` 13.5:897).
#[unsafe(no_mangle)]
extern "C" fn cuptiSubscribe_v2(
    place: Out<usize>,
    callback: Option<Callback>,
    user: *mut c_void,
    parameters: In<SubscriberParameters>,
) -> Answer {
    let user = user.expose_provenance();
    answer("cuptiSubscribe_v2", move || {
        let wish = parameters.get().ok();
        if wish.is_some_and(|wish| wish.size != size_of::<SubscriberParameters>()) {
            return INVALID_PARAMETER;
        }
        subscribe(place, callback, user, wish)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuptiUnsubscribe(handle: usize) -> Answer {
    answer("cuptiUnsubscribe", || {
        if is_inside() {
            return INVALID_OPERATION;
        }
        let mut subscribers = all_mut();
        let Some(place) = subscribers.iter().position(|subscriber| subscriber.handle == handle) else {
            return INVALID_PARAMETER;
        };
        subscribers.remove(place).enable_all(false);
        SUCCESS
    })
}

/// Numbers that no function has are refused.
#[unsafe(no_mangle)]
extern "C" fn cuptiEnableCallback(enable: u32, handle: usize, domain: u32, number: u32) -> Answer {
    answer("cuptiEnableCallback", || {
        with_subscriber(handle, domain, |subscriber| match domain {
            DRIVER if !numbers::is_named(number) => INVALID_PARAMETER,
            DRIVER => {
                subscriber.enable(number, enable != 0);
                SUCCESS
            }
            RESOURCE => {
                subscriber.enable_resource(number, enable != 0);
                SUCCESS
            }
            // Nothing ever happens in the other domains.
            _ => SUCCESS,
        })
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuptiEnableDomain(enable: u32, handle: usize, domain: u32) -> Answer {
    answer("cuptiEnableDomain", || {
        with_subscriber(handle, domain, |subscriber| {
            if domain == DRIVER {
                subscriber.enable_all(enable != 0);
            }
            SUCCESS
        })
    })
}

fn with_subscriber(handle: usize, domain: u32, work: impl FnOnce(&Subscriber) -> Answer) -> Answer {
    if domain == 0 || domain > LAST_DOMAIN {
        return INVALID_PARAMETER;
    }
    // In a callback, this thread holds the lock for reading already: taken for reading once more, it may wait for a writer who waits for it.
    if is_inside() {
        return INVALID_OPERATION;
    }
    all().iter().find(|subscriber| subscriber.handle == handle).map_or(INVALID_PARAMETER, work)
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
        27 => Some(c"CUPTI_ERROR_NOT_SUPPORTED"),
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

/// Functions by number: those that are shown, and some others.
static NAMES: [(u32, &CStr); 57] = [
    (38, c"cuMemFreeHost"),
    (39, c"cuMemHostAlloc"),
    (89, c"cuArrayDestroy"),
    (235, c"cuCtxCreate_v2"),
    (243, c"cuMemAlloc_v2"),
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
    (497, c"cuStreamEndCapture"),
    (514, c"cuGraphLaunch"),
    (516, c"cuGraphExecDestroy"),
    (517, c"cuGraphDestroy"),
    (539, c"cuStreamBeginCapture_v2"),
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
    (606, c"cuDeviceGetDefaultMemPool"),
    (607, c"cuMemPoolCreate"),
    (608, c"cuMemPoolDestroy"),
    (610, c"cuDeviceGetMemPool"),
    (611, c"cuMemAllocFromPoolAsync"),
    (638, c"cuGraphAddMemAllocNode"),
    (639, c"cuGraphAddMemFreeNode"),
    (640, c"cuDeviceGraphMemTrim"),
    (643, c"cuGraphInstantiateWithFlags"),
    (645, c"cuCtxCreate_v3"),
    (712, c"cuGraphAddNode"),
    (720, c"cuStreamBeginCaptureToGraph"),
    (723, c"cuGraphAddNode_v2"),
    (757, c"cuCtxCreate_v4"),
    (801, c"cuMemGetDefaultMemPool"),
    (802, c"cuMemGetMemPool"),
    (846, c"cuStreamBeginRecaptureToGraph"),
    (863, c"cuGraphAddNode_v3"),
];
