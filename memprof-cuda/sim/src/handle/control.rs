//! What a test asks of the loaded library: C functions, so that the copy of this crate inside the test reaches the library's state.
//!
//! [`crate::Sim`] calls them; nothing else should.
#![expect(unsafe_code, reason = "exports the control functions")]
use std::ffi::c_char;
use std::panic::{UnwindSafe, catch_unwind};

use crate::base::abi::{Code, In, Out, ordinal};
use crate::base::log;
use crate::model::books::Usage;
use crate::model::kernel::Kernel;
use crate::model::state::{self, NoPinnedBytes, State};

/// A live block, as it crosses the C border.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RawBlock {
    pub(crate) address: u64,
    pub(crate) bytes: u64,
    pub(crate) space: i32,
    pub(crate) kind: u32,
}

/// The kind of physical memory, which lies at no address.
pub(crate) const PHYSICAL: u32 = 8;

/// Runs a control function's body; 0 for a panic.
fn control<T: Default>(name: &str, body: impl FnOnce(&mut State) -> T + UnwindSafe) -> T {
    catch_unwind(|| body(&mut state::lock())).unwrap_or_else(|panic| {
        log::broken(name, panic.as_ref());
        T::default()
    })
}

fn blocks(state: &State) -> Vec<RawBlock> {
    let blocks = state.blocks.iter().map(|(&address, block)| RawBlock {
        address,
        bytes: block.bytes,
        space: block.space.number(),
        kind: block.kind.number(),
    });
    let own = state.virtuals.physical.iter().filter(|(_, physical)| physical.of.is_none());
    let physical = own.map(|(&handle, physical)| RawBlock {
        address: handle,
        bytes: physical.bytes,
        space: ordinal(physical.device),
        kind: PHYSICAL,
    });
    blocks.chain(physical).collect()
}

/// The memory of a device, or of all for -1.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_set_memory(device: i32, bytes: u64) {
    control("cuda_sim_set_memory", |state| {
        for (index, known) in state.devices.iter_mut().enumerate() {
            if device < 0 || usize::try_from(device) == Ok(index) {
                known.bytes = bytes;
            }
        }
    });
}

/// Adds devices until there are so many.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_grow_devices(count: u32) {
    control("cuda_sim_grow_devices", |state| state.grow_devices(count as usize));
}

/// What each context takes of its device.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_set_context_bytes(bytes: u64) {
    control("cuda_sim_set_context_bytes", |state| {
        for device in &mut state.devices {
            device.context_bytes = bytes;
        }
    });
}

/// Whether devices have memory pools.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_use_pools(yes: u32) {
    control("cuda_sim_use_pools", |state| state.pools_supported = yes != 0);
}

/// Whether an import of a handle of our own gives the same one.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_import_gives_same(yes: u32) {
    control("cuda_sim_import_gives_same", |state| state.choices.import_gives_same = yes != 0);
}

/// What 0 pinned bytes are: refused, the null pointer for 1, a block for 2.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_no_pinned_bytes(what: u32) {
    control("cuda_sim_no_pinned_bytes", |state| {
        state.choices.no_pinned_bytes = match what {
            1 => NoPinnedBytes::Null,
            2 => NoPinnedBytes::Block,
            _ => NoPinnedBytes::Refused,
        }
    });
}

/// Once `after` calls of a function have gone by, the next `times` fail with `code`.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_fail_after(after: u64, function: In<c_char>, code: u32, times: u64) {
    control("cuda_sim_fail_after", |state| {
        if let Ok(function) = function.text() {
            state.fail_after(after, function, Code(code), times);
        }
    });
}

/// How often a function was called.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_calls(function: In<c_char>) -> u64 {
    control("cuda_sim_calls", |state| function.text().map_or(0, |function| state.calls(&function)))
}

/// How often functions were called, all together.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_all_calls() -> u64 {
    control("cuda_sim_all_calls", |state| state.all_calls())
}

/// Closes a file descriptor of exported memory. 1: it was open.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_close_exported(descriptor: i32) -> u32 {
    control("cuda_sim_close_exported", |state| {
        let descriptor = usize::try_from(descriptor).unwrap_or_default();
        u32::from(state.close_exported(descriptor).is_ok())
    })
}

/// How many devices there are.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_devices() -> u32 {
    control("cuda_sim_devices", |state| state.devices.len() as u32)
}

/// The ledger of a space. 1: there is such a space.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_usage(space: i32, place: Out<Usage>) -> u32 {
    control("cuda_sim_usage", |state| {
        let usage = state.books.by_number(space);
        u32::from(usage.is_some_and(|usage| place.set(usage).is_ok()))
    })
}

/// Writes up to `room` live blocks, and says how many there are.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_blocks(place: Out<RawBlock>, room: usize) -> usize {
    control("cuda_sim_blocks", |state| {
        let blocks = blocks(state);
        for (index, block) in blocks.iter().take(room).enumerate() {
            place.at(index).set_if_given(*block);
        }
        blocks.len()
    })
}

/// Has a host function stand for the kernel of this name.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_register_kernel(name: In<c_char>, kernel: Kernel) {
    control("cuda_sim_register_kernel", |state| {
        if let Ok(name) = name.text() {
            state.kernels.register(name, kernel);
        }
    });
}

/// Forgets failures, calls, peaks and totals, and restores what the environment says of memory and pools.
#[unsafe(no_mangle)]
extern "C" fn cuda_sim_reset() {
    control("cuda_sim_reset", State::reset);
}
