//! Modules and kernels: a kernel is a host function that a test has registered by the kernel's name.
//!
//! A registered function outlives modules and contexts, as it belongs to the test; modules and their functions go with
//! their context. That it fits the arguments of a launch is the test's promise, made where it is registered.
#![expect(unsafe_code, reason = "reads the arguments of a launch for the host functions that stand for kernels")]

use std::collections::{BTreeMap, HashMap};
use std::ffi::c_void;

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
    pub(crate) registered: HashMap<String, Kernel>,
    /// The context of each module.
    pub(crate) modules: BTreeMap<usize, usize>,
    /// Module and name of each function.
    pub(crate) functions: BTreeMap<usize, (usize, String)>,
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
