//! What CUPTI calls before and after each watched function of the driver, on the thread that calls it.
//!
//! Allocations are recorded after the call, frees before it: between the two another thread may already be given the
//! same address. A free that the driver refuses is taken back after the call. Nothing here unwinds or calls CUDA, but for
//! [two questions](super::questions), and what it allocates for itself is in no number.

#![expect(unsafe_code, reason = "reads what CUPTI points to")]

use core::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use memprof_core::Space;

use super::blocks::{self, Held, Key};
use super::calls::{self, Call};
use super::contexts;
use super::ffi::{self, Arguments, CallbackData, Cupti, ResourceData};
use super::pending::{self, Ended, Free, Undo};
use super::physical;
use super::questions;
use super::request::{self, Request, Until};
use crate::ending::{self, Step};
use crate::{captures, events, oom, pools, spaces};

const OUT_OF_MEMORY: u32 = 2; // cuda: CUDA_ERROR_OUT_OF_MEMORY
/// The driver is being unloaded, and all memory with it.
const DEINITIALIZED: u32 = 4; // cuda: CUDA_ERROR_DEINITIALIZED
/// A capture that another stream began, or another thread: its end is refused, and it goes on. Whatever else is said of an end,
/// the stream is captured no longer.
const UNMATCHED: u32 = 903; // cuda: CUDA_ERROR_STREAM_CAPTURE_UNMATCHED
const WRONG_THREAD: u32 = 908; // cuda: CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD

/// The callback that is given to CUPTI.
///
/// # Safety
/// * `cupti` is null or a [`Cupti`] that lives as long as the program.
/// * `data` is null or what CUPTI gives for `domain`: a [`CallbackData`] of the function `id`, whose arguments, result
///   and shared number it points to, or a [`ResourceData`].
pub(super) unsafe extern "C" fn callback(cupti: *mut c_void, domain: u32, id: u32, data: *const c_void) {
    let work = || {
        // SAFETY: the caller's promise.
        let cupti = unsafe { cupti.cast_const().cast::<Cupti>().as_ref() };
        match domain {
            // SAFETY: the caller's promise for this domain.
            ffi::DRIVER_API => unsafe { driver_call(cupti, id, data) },
            // SAFETY: the caller's promise for this domain.
            ffi::RESOURCE => unsafe { resource(id, data) },
            _ => {}
        }
    };
    // It never unwinds into the driver. What a panic carries is left: dropping it may panic again.
    if let Err(payload) = events::in_callback(|| catch_unwind(AssertUnwindSafe(work))) {
        Box::leak(payload);
    }
}

/// A context that ends, whoever ended it, also where no watched call says so; a stream that comes or goes.
///
/// # Safety
/// * `data` is null or points to a [`ResourceData`].
unsafe fn resource(id: u32, data: *const c_void) {
    // SAFETY: the caller's promise.
    let data = unsafe { data.cast::<ResourceData>().as_ref() };
    let Some(data) = data else { return };
    let (context, stream) = (data.context.addr() as u64, data.handle.addr() as u64);
    match id {
        ffi::CONTEXT_DESTROY_STARTING => {
            drop(end_of(context));
            contexts::forget_streams_of(context);
        }
        ffi::STREAM_CREATED => {
            // Its handle may be that of one that went unseen.
            captures::stream_gone(stream);
            contexts::learn_stream(stream, context);
        }
        ffi::STREAM_DESTROY_STARTING => {
            captures::stream_gone(stream);
            contexts::forget_stream(stream);
        }
        _ => {}
    }
}

/// # Safety
/// * `data` is null or points to a [`CallbackData`] of the function `id`, with all that it points to.
unsafe fn driver_call(cupti: Option<&Cupti>, id: u32, data: *const c_void) {
    // SAFETY: the caller's promise.
    let Some(data) = (unsafe { data.cast::<CallbackData>().as_ref() }) else { return };
    let Some(watched) = calls::watched_by(id) else { return };
    // SAFETY: the table says how many bytes the arguments of this function have at least.
    let arguments = unsafe { Arguments::copy(data.arguments, watched.bytes) };
    let context = data.context.addr() as u64;
    if data.site == 0 {
        if let Some(undo) = before(watched.call, &arguments, context, cupti) {
            // SAFETY: null or a number that CUPTI keeps for this call.
            match unsafe { data.shared.as_mut() } {
                Some(shared) => *shared = pending::keep(undo),
                None => undo.settle(true),
            }
        }
        return;
    }
    // SAFETY: null or the call's result, which is there after the call.
    let result = unsafe { data.result.as_ref() }.copied().unwrap_or_default();
    // SAFETY: null or a number that CUPTI keeps for this call.
    let shared = unsafe { data.shared.as_ref() }.copied().unwrap_or_default();
    if let Some(undo) = pending::take(shared) {
        let is_done = match &undo {
            Undo::Captured(_) => !matches!(result, UNMATCHED | WRONG_THREAD),
            _ => result == 0 || result == DEINITIALIZED,
        };
        undo.settle(is_done);
        return;
    }
    // SAFETY: arguments of a call of `watched.call` that is over.
    let request = unsafe { request::of(watched.call, &arguments, context, cupti) };
    match request {
        Some(request) if result != 0 => failed(&request, context, result),
        _ if result != 0 => {}
        // SAFETY: the call succeeded, so its results are where its arguments point to.
        Some(request) => allocated(request, watched.call, unsafe { given(&request, &arguments) }),
        // SAFETY: as above.
        None => unsafe { succeeded(watched.call, &arguments, context) },
    }
}

/// A call begins that may free something: its free is recorded. What takes that back, if it is one.
fn before(call: Call, arguments: &Arguments, context: u64, cupti: Option<&Cupti>) -> Option<Undo> {
    let device = arguments.half(0);
    if !events::is_intercepted() && !is_always_followed(call) {
        return None;
    }
    let here = || contexts::space_of(context, cupti);
    match call {
        Call::Free => free(Key::address(arguments.word(0)), here).map(Undo::Free),
        Call::FreeShort => free(Key::address(u64::from(arguments.half(0))), here).map(Undo::Free),
        // "During stream capture, this function results in the creation of a free node" (`cuda.h` 13.5, cuMemFreeAsync): nothing is freed.
        Call::FreeAsync if captures::is_capturing(arguments.word(1), context) => None,
        Call::FreeAsync => {
            let there = || contexts::space_of(contexts::context_of_stream(arguments.word(1), context), cupti);
            free(Key::address(arguments.word(0)), there).map(Undo::Free)
        }
        Call::FreePinned => free(Key::address(arguments.word(0)), || Space::PINNED).map(Undo::Free),
        Call::FreeArray => {
            let (shown, ended) = physical::array_going(arguments.word(0));
            let freed = blocks::free_all(ended.into_iter().map(Key::physical));
            Some(Undo::Arrays { shown, freed, array: free(Key::array(arguments.word(0)), here) })
        }
        // SAFETY: a call begins, with as many descriptions as its arguments say.
        Call::MapArrays => Some(unsafe { map_arrays(arguments) }),
        Call::EndCapture => captures::ending(arguments.word(0), context).map(Undo::Captured),
        Call::CloseIpc => {
            let key = Key::address(arguments.word(0));
            blocks::closing(key).map(Free::Known).or_else(|| free(key, here)).map(Undo::Free)
        }
        Call::ReleasePhysical => {
            let handle = arguments.word(0);
            let ends = physical::releasing(handle);
            Some(Undo::Physical { handle, free: if ends { free(Key::physical(handle), here) } else { None } })
        }
        Call::Unmap => {
            let (mappings, ended) = physical::unmapping(arguments.word(0), arguments.word(1));
            Some(Undo::Unmap { mappings, freed: blocks::free_all(ended.into_iter().map(Key::physical)) })
        }
        Call::ResetPrimary => {
            let context = contexts::primary(device)?;
            Some(Undo::Reset { ended: end_of(context) })
        }
        Call::DestroyPool => Some(Undo::Pool { pool: arguments.word(0), space: pools::goes(arguments.word(0)) }),
        Call::DestroyContext => {
            let context = arguments.word(0);
            Some(Undo::Context { context, ended: end_of(context) })
        }
        _ => None,
    }
}

/// Calls whose effect must stay known also while nothing is recorded on this thread, or any more.
fn is_always_followed(call: Call) -> bool {
    matches!(call, Call::EndCapture | Call::ResetPrimary | Call::DestroyContext)
}

/// A context ends, and the captures of its streams. Records that what ends with it is freed, unless nothing is recorded, or it is the
/// process that ends.
fn end_of(context: u64) -> Ended {
    let is_recorded = events::is_intercepted() && !ending::has_begun();
    let freed = if is_recorded { blocks::free_all_of(context) } else { Vec::new() };
    Ended { freed, captures: captures::context_ending(context) }
}

/// Records a free; a null pointer is none. A block that was never seen may be one that a wrapper recorded before
/// interception began. A resource may know it by another address or in another space, and records its free itself.
fn free(key: Key, space: impl FnOnce() -> Space) -> Option<Free> {
    if key == Key::address(0) {
        return None;
    }
    let space = space();
    let likely = [space].into_iter().chain(spaces::seen()).chain([Space::MANAGED, Space::PINNED]);
    let unknown = (!events::frees_known()).then_some(Free::Unknown(space));
    blocks::free(key, likely).map(Free::Known).or(unknown)
}

/// The driver has allocated at this address, or under this handle. The null pointer, for which it gives no memory and
/// takes none back, is no block.
fn allocated(mut request: Request, call: Call, address: Option<u64>) {
    let Some(address) = address.filter(|_| events::is_intercepted()) else { return };
    let key = (request.key)(address);
    if key == Key::address(0) {
        return;
    }
    if let Some(pool) = request.unknown_pool {
        let asked = questions::of_pool(pool, address);
        request.space = asked.or(request.space);
        // Asked once, also where the driver does not say: then it is taken for one of its stream's device.
        request.space.into_iter().for_each(|space| contexts::learn_pool(pool, space));
    }
    let stays = request.until == Until::Ever;
    let held = Held { space: request.space, context: request.context, opens: 0, stays };
    match request.until {
        // It takes no memory, so it ends no burst of failures.
        Until::Closed => return blocks::opened(key, held, request.bytes),
        // Somebody holds it already: the same memory, held once more.
        Until::Unheld if call == Call::ImportPhysical && physical::imported(address) => return,
        Until::Unheld if call == Call::ImportPhysical => {}
        Until::Unheld => physical::created(address),
        Until::Ever => {}
        Until::Freed => events::block_seen(address, request.bytes),
    }
    blocks::allocated(key, held, request.bytes);
    ending::watch(Step::Memory);
    request.space.into_iter().for_each(oom::succeeded);
}

/// The driver could not allocate.
fn failed(request: &Request, context: u64, result: u32) {
    // Without a context a call is no attempt on any device, unless it says which.
    let is_attempt = context != 0 || request.is_located;
    let counted = request.space.filter(|_| is_attempt && events::is_intercepted());
    let Some(space) = counted else { return };
    events::failure_seen(space, request.bytes);
    if result == OUT_OF_MEMORY {
        oom::seen_by_interception(space, request.bytes);
    }
}

/// The address or handle that a call gave.
///
/// # Safety
/// * `arguments` are those of the call that `request` is of, which succeeded.
unsafe fn given(request: &Request, arguments: &Arguments) -> Option<u64> {
    if request.address_bytes == 4 {
        // SAFETY: it gives an address of 32 bits there, as the caller says.
        return unsafe { arguments.pointee::<u32>(request.place, request.offset) }.map(u64::from);
    }
    // SAFETY: it gives one of 64 bits there, as the caller says.
    unsafe { arguments.pointee(request.place, request.offset) }
}

/// A call that neither allocates nor frees has succeeded.
///
/// # Safety
/// * `arguments` are those of a call of `call` that succeeded.
unsafe fn succeeded(call: Call, arguments: &Arguments, context: u64) {
    // SAFETY: what these functions give, they write as one word to where their first argument points.
    let given = || unsafe { arguments.pointee::<u64>(0, 0) }.unwrap_or_default();
    match call {
        Call::RetainPrimary => {
            ending::watch(Step::Context);
            contexts::learn_primary(arguments.half(2), given());
        }
        // CUPTI has told of its end before it ended, unless it does not show ends: then nobody else may have told. What another thread was
        // given at the same address meanwhile is of another context, and its own block by now.
        Call::ReleasePrimary => {
            let device = arguments.half(0);
            let context = contexts::primary(device).filter(|_| questions::is_primary_inactive(device));
            drop(context.map(end_of));
        }
        Call::CreateContext { device } => {
            ending::watch(Step::Context);
            contexts::learn(given(), arguments.half(device));
        }
        Call::CreateGreen => contexts::learn(given(), arguments.half(4)),
        Call::FromGreen => contexts::learn_from(given(), arguments.word(1)),
        Call::CreatePool => {
            // SAFETY: the second argument points to the properties of the pool.
            let properties = unsafe { arguments.pointee::<contexts::Properties>(1, 0) };
            if let Some(space) = properties.and_then(|properties| properties.space()) {
                contexts::learn_pool(given(), space);
                pools::made(given(), space);
            }
        }
        Call::PoolOfDevice => contexts::learn_pool_of_device(given(), arguments.half(2)),
        Call::PoolOfLocation => {
            // SAFETY: the second argument points to a location.
            let location = unsafe { arguments.pointee::<[u32; 2]>(1, 0) };
            let space = location.and_then(|[location, id]| {
                contexts::Properties::new(arguments.half(4), location, id.cast_signed()).space()
            });
            if let Some(space) = space {
                contexts::learn_pool(given(), space);
            }
        }
        Call::BeginCapture => {
            let stream = arguments.word(0);
            captures::begun(stream, contexts::context_of_stream(stream, context));
        }
        Call::RetainPhysical => physical::retained(given()),
        Call::Map => physical::mapped(arguments.word(0), arguments.word(1), arguments.word(3)),
        _ => {}
    }
}

/// `CUarrayMapInfo`.
#[repr(C)]
#[derive(Clone, Copy)]
struct ArrayMapping {
    resource_type: u32,
    resource: u64,
    part_type: u32,
    part: [u64; 4],
    operation: u32,
    handle_type: u32,
    handle: u64,
    offset: u64,
    device_mask: u32,
    flags: u32,
    reserved: [u32; 2],
}

/// What ends a mapping into an array; all else begins one.
const UNMAP: u32 = 2; // cuda: CU_MEM_OPERATION_TYPE_UNMAP

/// Physical memory is about to be mapped into parts of sparse arrays, or away from them. The driver does so in the order of a stream (`cuda.h`
/// 13.5:13659, `cuMemMapArrayAsync`); what counts is its call, as of `cuMemFreeAsync`, and of that the beginning, as of every free.
///
/// # Safety
/// * `arguments` are those of a call of `cuMemMapArrayAsync`.
unsafe fn map_arrays(arguments: &Arguments) -> Undo {
    let (mut shown, mut freed) = (Vec::new(), Vec::new());
    for index in 0..arguments.half(2) as usize {
        let offset = index * size_of::<ArrayMapping>();
        // SAFETY: the first argument points to as many descriptions as the second says.
        let Some(mapping) = (unsafe { arguments.pointee::<ArrayMapping>(0, offset) }) else { break };
        let [first, second, third, fourth] = mapping.part;
        let part = [u64::from(mapping.part_type), first, second, third, fourth];
        let handle = if mapping.operation == UNMAP { 0 } else { mapping.handle };
        let (before, ended) = physical::tile_mapping((mapping.resource, part), handle);
        shown.push(before);
        freed.extend(blocks::free_all(ended.into_iter().map(Key::physical)));
    }
    Undo::Arrays { shown, freed, array: None }
}

#[cfg(test)]
mod tests;
