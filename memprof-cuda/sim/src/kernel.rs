//! Modules and kernels. Any module loads; a kernel is a host function that a test has registered by the kernel's name.
#![expect(unsafe_code, reason = "exports driver functions, and calls the host functions that stand for kernels")]

use std::collections::{BTreeMap, HashMap};
use std::ffi::{c_char, c_int, c_uint, c_void};

use crate::abi::{Code, Done, In, Out};
use crate::gate::{self, driver};
use crate::state::{self, State};

/// Blocks of a grid, or threads of a block.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dimensions {
    /// Along x.
    pub x: u32,
    /// Along y.
    pub y: u32,
    /// Along z.
    pub z: u32,
}

/// A host function that stands for a kernel: it does the work of the whole grid. It is given what the launch was given: pointers to the
/// arguments, in order ([`parameter`], [`buffer`] read them), and the dimensions of grid and block. Device memory is read and written as it is.
pub type Kernel = unsafe extern "C" fn(parameters: *const *mut c_void, grid: Dimensions, block: Dimensions);

/// The argument of a launch at an index, for a [`Kernel`].
///
/// # Safety
///
/// * `parameters` is what the kernel was given.
/// * The launch gave an argument at `index`, of type `T` in C's sense.
pub unsafe fn parameter<T: Copy>(parameters: *const *mut c_void, index: usize) -> T {
    // SAFETY: there is an argument at this index, as the caller says.
    let place = unsafe { parameters.add(index) };
    // SAFETY: as above.
    let argument = unsafe { place.read() };
    // SAFETY: it is a `T`, as the caller says.
    unsafe { argument.cast::<T>().read_unaligned() }
}

/// The device memory that an argument of a launch points to, for a [`Kernel`].
///
/// # Safety
///
/// * As for [`parameter`]: the argument at `index` is a device pointer.
/// * At it are `count` values of type `T`, which nobody else uses while the kernel runs, and any bytes are a `T`.
pub unsafe fn buffer<'a, T>(parameters: *const *mut c_void, index: usize, count: usize) -> &'a mut [T] {
    // SAFETY: a device pointer, as the caller says.
    let address = unsafe { parameter::<u64>(parameters, index) };
    if count == 0 {
        return &mut [];
    }
    // SAFETY: so many values that are ours alone, as the caller says.
    unsafe { std::slice::from_raw_parts_mut(std::ptr::with_exposed_provenance_mut(address as usize), count) }
}

/// What is loaded and what is registered.
#[derive(Default)]
pub(crate) struct Kernels {
    registered: HashMap<String, Kernel>,
    /// The context of each module.
    modules: BTreeMap<usize, usize>,
    /// Module and name of each function.
    functions: BTreeMap<usize, (usize, String)>,
}

impl Kernels {
    pub(crate) fn register(&mut self, name: String, kernel: Kernel) {
        self.registered.insert(name, kernel);
    }

    /// A context is gone, and its modules.
    pub(crate) fn forget(&mut self, context: usize) {
        self.modules.retain(|_, owner| *owner != context);
        let modules = &self.modules;
        self.functions.retain(|_, (module, _)| modules.contains_key(module));
    }
}

impl State {
    fn load_module(&mut self, place: Out<usize>) -> Done {
        place.given()?;
        let (context, _device) = self.current()?;
        let handle = self.handle();
        self.kernels.modules.insert(handle, context);
        place.set(handle)
    }

    fn function(&self, handle: usize) -> Result<&str, Code> {
        self.kernels.functions.get(&handle).map(|(_, name)| name.as_str()).ok_or(Code::INVALID_HANDLE)
    }
}

fn launch(function: usize, grid: Dimensions, block: Dimensions, stream: usize, parameters: *const *mut c_void) -> Done {
    let state = state::lock();
    state.stream_context(stream)?;
    let name = state.function(function)?.to_owned();
    if [grid, block].iter().any(|size| size.x == 0 || size.y == 0 || size.z == 0) {
        return Err(Code::INVALID_VALUE);
    }
    let kernel = state.kernels.registered.get(&name).copied();
    drop(state);
    let Some(kernel) = kernel else {
        gate::say(&format!("no host function is registered for the kernel {name:?}"));
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
        gate::with(|state| state.load_module(place))
    }

    fn cuModuleLoadData(place: Out<usize>, image: In<u8>) {
        image.get()?;
        gate::with(|state| state.load_module(place))
    }

    fn cuModuleLoadDataEx(place: Out<usize>, image: In<u8>, _options: c_uint, _names: In<c_uint>, _values: In<usize>) {
        image.get()?;
        gate::with(|state| state.load_module(place))
    }

    fn cuModuleLoadFatBinary(place: Out<usize>, image: In<u8>) {
        image.get()?;
        gate::with(|state| state.load_module(place))
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
        gate::say(&format!("modules have no globals: {:?} is not found", name.text()?));
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
