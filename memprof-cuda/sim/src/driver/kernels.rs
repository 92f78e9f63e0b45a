//! Modules and kernels. Any module loads; a kernel is a host function that a test has registered by the kernel's name.
//!
//! A host function runs on the calling thread, without the state's lock, and does the work of the whole grid. A kernel
//! that nobody has registered is refused at its launch, with its name on stderr, and not when it is looked up: programs
//! look up more than they launch.
#![expect(unsafe_code, reason = "exports driver functions, and calls the host functions that stand for kernels")]
use std::ffi::{c_char, c_int, c_uint, c_void};

use crate::base::abi::{Code, Done, In, Out};
use crate::base::log;
use crate::driver::gate::{self, driver};
use crate::model::kernel::Dimensions;
use crate::model::state;

fn load(place: Out<usize>) -> Done {
    gate::with(|state| {
        place.given()?;
        place.set(state.load_module()?)
    })
}

fn launch(function: usize, grid: Dimensions, block: Dimensions, stream: usize, parameters: *const *mut c_void) -> Done {
    let mut state = state::lock();
    state.stream_context(stream)?;
    // Kernels in graphs are not simulated.
    let capture = state.capturing(stream)?;
    state.refuse_captured(capture, Code::NOT_SUPPORTED)?;
    let name = state.function(function)?.to_owned();
    if [grid, block].iter().any(|size| size.x == 0 || size.y == 0 || size.z == 0) {
        return Err(Code::INVALID_VALUE);
    }
    let kernel = state.kernels.registered.get(&name).copied();
    drop(state);
    let Some(kernel) = kernel else {
        log::say(&format!("no host function is registered for the kernel {name:?}"));
        return Err(Code::NOT_SUPPORTED);
    };
    // SAFETY: whoever registered the function promised that it fits this kernel's arguments; the program gave them. The lock is not held.
    unsafe { kernel(parameters, grid, block) };
    Ok(())
}

/// The part of `CUlaunchConfig` that is simulated.
#[repr(C)]
#[derive(Clone, Copy)]
struct LaunchConfig {
    grid: Dimensions,
    block: Dimensions,
    shared: c_uint,
    stream: usize,
}

driver! {
    fn cuModuleLoad(place: Out<usize>, path: In<c_char>) {
        path.text()?;
        load(place)
    }

    fn cuModuleLoadData(place: Out<usize>, image: In<u8>) {
        image.get()?;
        load(place)
    }

    fn cuModuleLoadDataEx(place: Out<usize>, image: In<u8>, _options: c_uint, _names: In<c_uint>, _values: In<usize>) {
        image.get()?;
        load(place)
    }

    fn cuModuleLoadFatBinary(place: Out<usize>, image: In<u8>) {
        image.get()?;
        load(place)
    }

    fn cuModuleUnload(module: usize) {
        gate::with(|state| {
            state.kernels.modules.remove(&module).ok_or(Code::INVALID_HANDLE)?;
            state.kernels.functions.retain(|_, (owner, _)| *owner != module);
            Ok(())
        })
    }

    fn cuModuleGetFunction(place: Out<usize>, module: usize, name: In<c_char>) {
        gate::with(|state| {
            place.given()?;
            let name = name.text()?;
            if !state.kernels.modules.contains_key(&module) {
                return Err(Code::INVALID_HANDLE);
            }
            let handle = state.handle();
            state.kernels.functions.insert(handle, (module, name));
            place.set(handle)
        })
    }

    fn cuModuleGetGlobal_v2(_place: Out<u64>, _bytes: Out<usize>, _module: usize, name: In<c_char>) {
        log::say(&format!("modules have no globals: {:?} is not found", name.text()?));
        Err(Code::NOT_FOUND)
    }

    fn cuFuncGetModule(place: Out<usize>, function: usize) {
        gate::with(|state| place.set(state.kernels.functions.get(&function).ok_or(Code::INVALID_HANDLE)?.0))
    }

    fn cuFuncGetAttribute(place: Out<c_int>, attribute: c_int, function: usize) {
        gate::with(|state| {
            state.function(function)?;
            // Threads of a block at most; nothing else is known of a host function.
            place.set(if attribute == 0 { 1024 } else { 0 })
        })
    }

    fn cuFuncSetAttribute(function: usize, _attribute: c_int, _value: c_int) {
        gate::with(|state| state.function(function).map(|_| ()))
    }

    fn cuFuncSetCacheConfig(function: usize, _config: c_uint) {
        gate::with(|state| state.function(function).map(|_| ()))
    }

    fn cuLaunchKernel(
        function: usize, grid_x: c_uint, grid_y: c_uint, grid_z: c_uint, block_x: c_uint, block_y: c_uint, block_z: c_uint,
        _shared: c_uint, stream: usize, parameters: *const *mut c_void, _extra: *const *mut c_void,
    ) {
        let grid = Dimensions { x: grid_x, y: grid_y, z: grid_z };
        launch(function, grid, Dimensions { x: block_x, y: block_y, z: block_z }, stream, parameters)
    }

    fn cuLaunchCooperativeKernel(
        function: usize, grid_x: c_uint, grid_y: c_uint, grid_z: c_uint, block_x: c_uint, block_y: c_uint, block_z: c_uint,
        _shared: c_uint, stream: usize, parameters: *const *mut c_void,
    ) {
        let grid = Dimensions { x: grid_x, y: grid_y, z: grid_z };
        launch(function, grid, Dimensions { x: block_x, y: block_y, z: block_z }, stream, parameters)
    }

    fn cuLaunchKernelEx(config: In<LaunchConfig>, function: usize, parameters: *const *mut c_void, _extra: *const *mut c_void) {
        let LaunchConfig { grid, block, stream, .. } = config.get()?;
        launch(function, grid, block, stream, parameters)
    }
}
