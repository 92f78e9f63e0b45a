//! Streams and events. All work is done when it is asked for, so a stream is always idle and an event always complete.
//!
//! Waiting returns at once, and has pools let go what is above their threshold. A host function that is enqueued runs
//! on the calling thread, without the state's lock; streams that are made and destroyed are shown to CUPTI's
//! subscribers likewise.
#![expect(unsafe_code, reason = "exports driver functions, and calls a host function that a program enqueues")]
use std::ffi::{c_int, c_uint, c_void};

use crate::base::abi::{Code, Done, Out, ordinal};
use crate::cupti;
use crate::driver::gate::{self, driver};

/// A host function that a program enqueues.
type HostFunction = Option<unsafe extern "C" fn(*mut c_void)>;

/// Makes a stream, and shows it to CUPTI's subscriber without the state's lock.
fn create(place: Out<usize>, flags: c_uint, priority: c_int) -> Done {
    let (mut context, mut stream) = (0, 0);
    gate::with(|state| {
        place.given()?;
        (context, stream) = state.create_stream(flags, priority)?;
        place.set(stream)
    })?;
    cupti::stream_made(context, stream);
    Ok(())
}

driver! {
    fn cuStreamCreate(place: Out<usize>, flags: c_uint) {
        create(place, flags, 0)
    }

    fn cuStreamCreateWithPriority(place: Out<usize>, flags: c_uint, priority: c_int) {
        create(place, flags, priority.clamp(-5, 0))
    }

    fn cuStreamDestroy_v2(stream: usize) {
        let mut context = 0;
        gate::with(|state| {
            context = state.streams.get(&stream).ok_or(Code::INVALID_HANDLE)?.context;
            Ok(())
        })?;
        cupti::stream_ends(context, stream);
        gate::with(|state| {
            state.streams.remove(&stream).ok_or(Code::INVALID_HANDLE)?;
            state.stream_gone(stream);
            Ok(())
        })
    }

    fn cuStreamSynchronize(stream: usize) {
        gate::with(|state| {
            let (_context, device) = state.stream_context(stream)?;
            state.refuse_captured(state.capturing(stream)?, Code::CAPTURE_UNSUPPORTED)?;
            state.refuse_if_capturing()?;
            state.synchronized(device);
            Ok(())
        })
    }

    fn cuStreamQuery(stream: usize) {
        gate::with(|state| {
            state.stream_context(stream)?;
            state.refuse_captured(state.capturing(stream)?, Code::CAPTURE_UNSUPPORTED)?;
            state.refuse_if_capturing()
        })
    }

    fn cuStreamWaitEvent(stream: usize, event: usize, _flags: c_uint) {
        gate::with(|state| state.wait(stream, event))
    }

    fn cuStreamGetCtx(stream: usize, place: Out<usize>) {
        gate::with(|state| place.set(state.stream_context(stream)?.0))
    }

    fn cuStreamGetDevice(stream: usize, place: Out<c_int>) {
        gate::with(|state| place.set(ordinal(state.stream_context(stream)?.1)))
    }

    fn cuStreamGetFlags(stream: usize, place: Out<c_uint>) {
        gate::with(|state| place.set(state.streams.get(&stream).map_or(0, |stream| stream.flags)))
    }

    fn cuStreamGetPriority(stream: usize, place: Out<c_int>) {
        gate::with(|state| place.set(state.streams.get(&stream).map_or(0, |stream| stream.priority)))
    }

    fn cuStreamGetId(stream: usize, place: Out<u64>) {
        gate::with(|state| {
            state.stream_context(stream)?;
            place.set(stream as u64)
        })
    }

    fn cuStreamAttachMemAsync(stream: usize, address: u64, _bytes: usize, _flags: c_uint) {
        gate::with(|state| {
            state.stream_context(stream)?;
            state.reachable(address, 1)
        })
    }

    fn cuLaunchHostFunc(stream: usize, function: HostFunction, data: *mut c_void) {
        let function = function.ok_or(Code::INVALID_VALUE)?;
        gate::with(|state| {
            state.stream_context(stream)?;
            // Host functions in graphs are not simulated.
            state.refuse_captured(state.capturing(stream)?, Code::NOT_SUPPORTED)
        })?;
        // SAFETY: the program promises the driver that this call is sound. The lock is not held.
        unsafe { function(data) };
        Ok(())
    }

    fn cuEventCreate(place: Out<usize>, _flags: c_uint) {
        gate::with(|state| {
            place.given()?;
            place.set(state.create_event()?)
        })
    }

    fn cuEventDestroy_v2(event: usize) {
        gate::with(|state| {
            state.events.remove(&event).ok_or(Code::INVALID_HANDLE)?;
            state.give_handle(event);
            Ok(())
        })
    }

    fn cuEventRecord(event: usize, stream: usize) {
        gate::with(|state| state.record(event, stream))
    }

    fn cuEventRecordWithFlags(event: usize, stream: usize, _flags: c_uint) {
        gate::with(|state| state.record(event, stream))
    }

    fn cuEventQuery(event: usize) {
        gate::with(|state| {
            let capture = state.event(event)?.capture;
            state.refuse_captured(capture, Code::CAPTURED_EVENT)?;
            state.refuse_if_capturing()
        })
    }

    fn cuEventSynchronize(event: usize) {
        gate::with(|state| {
            let capture = state.event(event)?.capture;
            state.refuse_captured(capture, Code::CAPTURED_EVENT)?;
            state.refuse_if_capturing()?;
            let context = state.event(event)?.context;
            let device = state.context(context)?.device;
            state.synchronized(device);
            Ok(())
        })
    }

    fn cuEventElapsedTime(milliseconds: Out<f32>, start: usize, end: usize) {
        gate::with(|state| milliseconds.set(state.elapsed(start, end)?))
    }

    fn cuEventElapsedTime_v2(milliseconds: Out<f32>, start: usize, end: usize) {
        gate::with(|state| milliseconds.set(state.elapsed(start, end)?))
    }

    fn cuProfilerStart() {
        Ok(())
    }

    fn cuProfilerStop() {
        Ok(())
    }
}
