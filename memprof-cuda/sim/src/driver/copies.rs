//! Copies and fills, bounds-checked on the device's side, done at once.
//!
//! On a stream that is captured the work becomes a node and is done at each launch. What is read and written, and the
//! checks, are left to [`model/copies`](crate::model::copies).
#![expect(unsafe_code, reason = "exports driver functions")]
use std::ffi::{c_uchar, c_uint, c_ushort};

use crate::base::abi::Done;
use crate::driver::gate::{self, driver};
use crate::model::state::State;

/// A synchronous call: it needs a current context.
fn now(body: impl FnOnce(&mut State) -> Done) -> Done {
    gate::with(|state| {
        state.current()?;
        state.refuse_if_capturing()?;
        body(state)
    })
}

/// A call on a stream.
fn on(stream: usize, work: impl Fn(&mut State) -> Done + Send + Sync + 'static) -> Done {
    gate::with(|state| state.enqueue(stream, work))
}

driver! {
    fn cuMemcpy(to: u64, from: u64, bytes: usize) {
        now(|state| state.copy_unified(to, from, bytes))
    }

    fn cuMemcpyAsync(to: u64, from: u64, bytes: usize, stream: usize) {
        on(stream, move |state| state.copy_unified(to, from, bytes))
    }

    fn cuMemcpyHtoD_v2(to: u64, from: u64, bytes: usize) {
        now(|state| state.copy_in(to, from, bytes))
    }

    fn cuMemcpyHtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: usize) {
        on(stream, move |state| state.copy_in(to, from, bytes))
    }

    fn cuMemcpyDtoH_v2(to: u64, from: u64, bytes: usize) {
        now(|state| state.copy_out(to, from, bytes))
    }

    fn cuMemcpyDtoHAsync_v2(to: u64, from: u64, bytes: usize, stream: usize) {
        on(stream, move |state| state.copy_out(to, from, bytes))
    }

    fn cuMemcpyDtoD_v2(to: u64, from: u64, bytes: usize) {
        now(|state| state.copy_inside(to, from, bytes))
    }

    fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: usize) {
        on(stream, move |state| state.copy_inside(to, from, bytes))
    }

    fn cuMemcpyPeer(to: u64, to_context: usize, from: u64, from_context: usize, bytes: usize) {
        now(|state| {
            state.context(to_context)?;
            state.context(from_context)?;
            state.copy_inside(to, from, bytes)
        })
    }

    fn cuMemcpyPeerAsync(to: u64, to_context: usize, from: u64, from_context: usize, bytes: usize, stream: usize) {
        on(stream, move |state| {
            state.context(to_context)?;
            state.context(from_context)?;
            state.copy_inside(to, from, bytes)
        })
    }

    fn cuMemsetD8_v2(address: u64, value: c_uchar, count: usize) {
        now(|state| state.fill(address, &[value], count))
    }

    fn cuMemsetD8Async(address: u64, value: c_uchar, count: usize, stream: usize) {
        on(stream, move |state| state.fill(address, &[value], count))
    }

    fn cuMemsetD16_v2(address: u64, value: c_ushort, count: usize) {
        now(|state| state.fill(address, &value.to_ne_bytes(), count))
    }

    fn cuMemsetD16Async(address: u64, value: c_ushort, count: usize, stream: usize) {
        on(stream, move |state| state.fill(address, &value.to_ne_bytes(), count))
    }

    fn cuMemsetD32_v2(address: u64, value: c_uint, count: usize) {
        now(|state| state.fill(address, &value.to_ne_bytes(), count))
    }

    fn cuMemsetD32Async(address: u64, value: c_uint, count: usize, stream: usize) {
        on(stream, move |state| state.fill(address, &value.to_ne_bytes(), count))
    }

    fn cuMemsetD2D8_v2(address: u64, pitch: usize, value: c_uchar, width: usize, height: usize) {
        now(|state| state.fill_rows(address, pitch, &[value], width, height))
    }

    fn cuMemsetD2D8Async(address: u64, pitch: usize, value: c_uchar, width: usize, height: usize, stream: usize) {
        on(stream, move |state| state.fill_rows(address, pitch, &[value], width, height))
    }
}
