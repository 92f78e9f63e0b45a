//! Devices: how many, their names, attributes and memory.
//!
//! All devices are alike, of a version and attributes that a program finds usable; only their memory is made real. Here
//! the driver starts too, and registers what takes it down when the process ends.
#![expect(unsafe_code, reason = "exports driver functions")]
use std::ffi::{c_char, c_int, c_uint};

use crate::base::abi::{Code, Done, Out, ordinal};
use crate::base::{log, settings};
use crate::cupti;
use crate::driver::gate::{self, driver};
use crate::model::state::{self, State};

/// The driver version that is simulated: 12.8.
const VERSION: c_int = 12_080;

fn uuid(device: usize) -> [u8; 16] {
    let mut uuid = *b"simulated gpu  \0";
    uuid[15] = device as u8;
    uuid
}

/// The attributes that programs ask for; 0 for the others, which means "no" for most.
fn attribute(state: &State, number: c_uint) -> c_int {
    match number {
        1..=3 | 111 => 1 << 10, // threads of a block, in all and by x, y; shared memory of a block that is taken
        4 => 64,                // .. by z
        5 | 11 => c_int::MAX,   // blocks of a grid by x; bytes of a pitch
        6 | 7 => 65_535,        // blocks of a grid by y, z
        8 => 48 << 10,          // shared memory of a block
        9 | 12 | 82 => 64 << 10, // constant memory; registers of a block, of a multiprocessor
        10 | 51 | 106 => 32,    // threads of a warp; alignment of a texture's pitch; blocks of a multiprocessor
        13 | 36 => 1_000_000,   // clocks, kHz
        14 | 30 => 512,         // alignment of textures and surfaces
        16 | 75 => 8,           // multiprocessors; compute capability, major
        37 => 256,              // bus width
        38 => 4 << 20,          // L2 cache
        39 => 2048,             // threads of a multiprocessor
        81 => 100 << 10,        // shared memory of a multiprocessor
        97 => 99 << 10,         // shared memory of a block that asks for more
        115 => c_int::from(state.pools_supported),
        // can map host memory, concurrent kernels, engines, unified addresses, stream priorities, caches, managed memory and its
        // concurrent access, host registration, cooperative launch, virtual memory
        15 | 19 | 31 | 40 | 41 | 78 | 79 | 80 | 83 | 89 | 91 | 95 | 99 | 102 => 1,
        _ => 0,
    }
}

/// The process ends: the driver takes down what it has. That libcuda does so in a handler of exit that it registers when it starts, that CUPTI
/// shows contexts going then, and that calls are answered with `CUDA_ERROR_DEINITIALIZED` afterwards, is believed: the code's own text is "This
/// indicates that the CUDA driver is in the process of shutting down" (cuda.h 13.5, `CUDA_ERROR_DEINITIALIZED`).
extern "C" fn take_down() {
    let contexts: Vec<usize> = {
        let state = state::lock();
        state.contexts.iter().filter(|(_, context)| context.is_active()).map(|(&handle, _)| handle).collect()
    };
    for context in contexts {
        cupti::context_ends(Some(context));
    }
    state::lock().is_gone = true;
}

driver! {
    fn cuInit(flags: c_uint) {
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
        }
        if let Err(problem) = settings::read() {
            log::say(problem);
            return Err(Code::INVALID_VALUE);
        }
        if !std::mem::replace(&mut state::lock().initialised, true) {
            // SAFETY: a function that does not unwind, in a library that stays loaded.
            unsafe { libc::atexit(take_down) };
        }
        Ok(())
    }

    fn cuDriverGetVersion(version: Out<c_int>) {
        version.set(VERSION)
    }

    fn cuDeviceGetCount(count: Out<c_int>) {
        gate::with(|state| count.set(ordinal(state.devices.len())))
    }

    fn cuDeviceGet(device: Out<c_int>, ordinal: c_int) {
        gate::with(|state| {
            state.device(ordinal)?;
            device.set(ordinal)
        })
    }

    fn cuDeviceGetName(name: Out<c_char>, room: c_int, device: c_int) {
        gate::with(|state| {
            state.device(device)?;
            name.set_text(&format!("Simulated GPU {device}"), room)
        })
    }

    fn cuDeviceGetPCIBusId(name: Out<c_char>, room: c_int, device: c_int) {
        gate::with(|state| {
            state.device(device)?;
            name.set_text(&format!("0000:{device:02x}:00.0"), room)
        })
    }

    fn cuDeviceGetUuid(place: Out<[u8; 16]>, device: c_int) {
        device_uuid(place, device)
    }

    fn cuDeviceGetUuid_v2(place: Out<[u8; 16]>, device: c_int) {
        device_uuid(place, device)
    }

    fn cuDeviceTotalMem_v2(bytes: Out<usize>, device: c_int) {
        gate::with(|state| bytes.set(state.device(device)?.bytes as usize))
    }

    fn cuDeviceGetAttribute(value: Out<c_int>, number: c_uint, device: c_int) {
        gate::with(|state| {
            state.device(device)?;
            value.set(attribute(state, number))
        })
    }

    fn cuDeviceComputeCapability(major: Out<c_int>, minor: Out<c_int>, device: c_int) {
        gate::with(|state| {
            state.device(device)?;
            major.set(8)?;
            minor.set(0)
        })
    }

    fn cuDeviceCanAccessPeer(answer: Out<c_int>, device: c_int, peer: c_int) {
        gate::with(|state| {
            state.device(device)?;
            state.device(peer)?;
            answer.set(0)
        })
    }

    fn cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>) {
        gate::with(|state| {
            let (_context, device) = state.current()?;
            let bytes = state.devices[device].bytes;
            free.set(bytes.saturating_sub(state.device_used(device)) as usize)?;
            total.set(bytes as usize)
        })
    }
}

fn device_uuid(place: Out<[u8; 16]>, device: c_int) -> Done {
    gate::with(|state| place.set(uuid(state.index(device)?)))
}
