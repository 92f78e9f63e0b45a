//! The handle by which a test steers the loaded simulator and reads its ledger.
//!
//! A test has a copy of the model that nobody uses; the library has the one that counts. So everything goes through the
//! library's control functions ([`control`](super::control)) and nothing here reads the model itself. All tests of a
//! process share the one driver: what one sets, it takes back ([`reset`](Sim::reset)).
#![expect(unsafe_code, reason = "calls the loaded library's control functions")]
use std::ffi::{CString, c_char};
use std::path::{Path, PathBuf};

use libloading::os::unix::Library;

use crate::base::error::LoadError;
use crate::handle::control::{PHYSICAL, RawBlock};
use crate::model::books::Usage;
use crate::model::kernel::Kernel;

/// The loaded simulator. All copies of it steer the one library of the process.
#[derive(Clone, Copy, Debug)]
pub struct Sim(&'static Loaded);

/// The library's control functions, and where it is.
#[derive(Debug)]
struct Loaded {
    path: PathBuf,
    set_memory: unsafe extern "C" fn(i32, u64),
    grow_devices: unsafe extern "C" fn(u32),
    set_context_bytes: unsafe extern "C" fn(u64),
    use_pools: unsafe extern "C" fn(u32),
    fail_after: unsafe extern "C" fn(u64, *const c_char, u32, u64),
    calls: unsafe extern "C" fn(*const c_char) -> u64,
    devices: unsafe extern "C" fn() -> u32,
    usage: unsafe extern "C" fn(i32, *mut Usage) -> u32,
    blocks: unsafe extern "C" fn(*mut RawBlock, usize) -> usize,
    register_kernel: unsafe extern "C" fn(*const c_char, Kernel),
    all_calls: unsafe extern "C" fn() -> u64,
    close_exported: unsafe extern "C" fn(i32) -> u32,
    import_gives_same: unsafe extern "C" fn(u32),
    no_pinned_bytes: unsafe extern "C" fn(u32),
    reset: unsafe extern "C" fn(),
}

/// The simulator's own ledger, at one moment for each space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Live {
    /// By device: allocated, pooled, arrays, physical memory.
    pub devices: Vec<Usage>,
    /// Page-locked host memory that the driver allocated.
    pub pinned: Usage,
    /// Managed memory.
    pub managed: Usage,
    /// Host memory that was page-locked in place.
    pub registered: Usage,
    /// Memory of others: opened IPC handles, mapped imports.
    pub foreign: Usage,
    /// Memory of devices that launched graphs hold: in no device's own ledger.
    pub graphs: Usage,
}

/// A live block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// Its address, or the handle of physical memory.
    pub address: u64,
    /// Bytes, as requested.
    pub bytes: u64,
    /// Where they are.
    pub space: BlockSpace,
    /// How it came to be.
    pub kind: BlockKind,
}

/// Where a block's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BlockSpace {
    /// The memory of the device of this index.
    Device(u32),
    /// Page-locked host memory that the driver allocated.
    Pinned,
    /// Managed memory.
    Managed,
    /// Host memory that was page-locked in place.
    Registered,
    /// Memory of others.
    Foreign,
    /// Memory of a device that a launched graph holds.
    Graph,
}

/// How a block came to be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BlockKind {
    /// `cuMemAlloc`, `cuMemAllocPitch`
    Device,
    /// `cuMemAllocAsync`, `cuMemAllocFromPoolAsync`
    Pooled,
    /// `cuMemAllocManaged`
    Managed,
    /// `cuMemHostAlloc`, `cuMemAllocHost`
    Pinned,
    /// `cuMemHostRegister`
    Registered,
    /// `cuArrayCreate`, `cuArray3DCreate`
    Array,
    /// `cuIpcOpenMemHandle`
    Ipc,
    /// `cuExternalMemoryGetMappedBuffer`
    Imported,
    /// `cuMemCreate`
    Physical,
    /// A node of a graph that was launched.
    Graph,
}

impl Sim {
    pub(crate) fn new(library: &'static Library, path: PathBuf) -> Result<Self, LoadError> {
        let loaded = Loaded {
            set_memory: function(library, "cuda_sim_set_memory")?,
            grow_devices: function(library, "cuda_sim_grow_devices")?,
            set_context_bytes: function(library, "cuda_sim_set_context_bytes")?,
            use_pools: function(library, "cuda_sim_use_pools")?,
            fail_after: function(library, "cuda_sim_fail_after")?,
            calls: function(library, "cuda_sim_calls")?,
            devices: function(library, "cuda_sim_devices")?,
            usage: function(library, "cuda_sim_usage")?,
            blocks: function(library, "cuda_sim_blocks")?,
            register_kernel: function(library, "cuda_sim_register_kernel")?,
            all_calls: function(library, "cuda_sim_all_calls")?,
            close_exported: function(library, "cuda_sim_close_exported")?,
            import_gives_same: function(library, "cuda_sim_import_gives_same")?,
            no_pinned_bytes: function(library, "cuda_sim_no_pinned_bytes")?,
            reset: function(library, "cuda_sim_reset")?,
            path,
        };
        Ok(Self(Box::leak(Box::new(loaded))))
    }

    /// The library's file. It is CUPTI's too.
    pub fn path(self) -> &'static Path {
        &self.0.path
    }

    /// The memory of every device from now on, in bytes. Blocks that are live stay live, even above it.
    pub fn set_memory_limit(self, bytes: u64) {
        // SAFETY: takes any numbers.
        unsafe { (self.0.set_memory)(-1, bytes) };
    }

    /// The memory of one device from now on, in bytes. Nothing happens if it is not there.
    pub fn set_device_memory(self, device: u32, bytes: u64) {
        let Ok(device) = i32::try_from(device) else { return };
        // SAFETY: takes any numbers.
        unsafe { (self.0.set_memory)(device, bytes) };
    }

    /// Adds devices, each with the memory that the environment says, until there are so many. None ever goes.
    pub fn grow_devices(self, count: u32) {
        // SAFETY: takes any number.
        unsafe { (self.0.grow_devices)(count) };
    }

    /// What every active context takes of its device from now on, in bytes: memory that `cuMemGetInfo` misses and nobody allocated. 0 at first.
    pub fn set_context_bytes(self, bytes: u64) {
        // SAFETY: takes any number.
        unsafe { (self.0.set_context_bytes)(bytes) };
    }

    /// Whether devices have memory pools. cudarc asks when a context is made: with `false` it allocates by `cuMemAlloc`.
    pub fn use_pools(self, yes: bool) {
        // SAFETY: takes any number.
        unsafe { (self.0.use_pools)(u32::from(yes)) };
    }

    /// Whether importing a shareable handle of this process's own gives the handle that it was exported from (as at first), or a new one:
    /// CUDA promises neither.
    pub fn import_gives_same(self, yes: bool) {
        // SAFETY: takes any number.
        unsafe { (self.0.import_gives_same)(u32::from(yes)) };
    }

    /// Whether `cuMemHostAlloc` of 0 bytes succeeds with the null pointer, or is refused (as at first): CUDA's documentation says neither.
    pub fn no_pinned_bytes_are_null(self, yes: bool) {
        // SAFETY: takes any number.
        unsafe { (self.0.no_pinned_bytes)(u32::from(yes)) };
    }

    /// Whether `cuMemHostAlloc` of 0 bytes succeeds with an address, which is freed as any other, or is refused (as at first).
    pub fn no_pinned_bytes_are_a_block(self, yes: bool) {
        // SAFETY: takes any number.
        unsafe { (self.0.no_pinned_bytes)(if yes { 2 } else { 0 }) };
    }

    /// The next `times` calls of a function of the driver or of CUPTI, by its C name such as `cuMemFree_v2`, do nothing and return `code`,
    /// a `CUresult` or `CUptiResult`. Several such orders for one function are carried out in turn.
    pub fn fail_next(self, function: &str, code: u32, times: u64) {
        self.fail_after(0, function, code, times);
    }

    /// As [`fail_next`](Self::fail_next), once `after` more calls of the function have gone by.
    pub fn fail_after(self, after: u64, function: &str, code: u32, times: u64) {
        let Ok(function) = CString::new(function) else { return };
        // SAFETY: a text that ends.
        unsafe { (self.0.fail_after)(after, function.as_ptr(), code, times) };
    }

    /// How often a function of the driver or of CUPTI was called since the last reset, by its C name; refused and failed calls included.
    pub fn calls(self, function: &str) -> u64 {
        let Ok(function) = CString::new(function) else { return 0 };
        // SAFETY: a text that ends.
        unsafe { (self.0.calls)(function.as_ptr()) }
    }

    /// How often functions of the driver and of CUPTI were called since the last reset, all together.
    pub fn all_calls(self) -> u64 {
        // SAFETY: takes nothing.
        unsafe { (self.0.all_calls)() }
    }

    /// Closes a file descriptor that `cuMemExportToShareableHandle` gave, as `close` closes a real one: the memory is not held by it any more.
    /// `false` for one that is not open.
    pub fn close_exported(self, descriptor: i32) -> bool {
        // SAFETY: takes any number.
        unsafe { (self.0.close_exported)(descriptor) != 0 }
    }

    /// The simulator's ledger. Exact when no other thread calls the driver.
    pub fn live(self) -> Live {
        // SAFETY: takes nothing.
        let devices = unsafe { (self.0.devices)() };
        let usage = |space| {
            let mut usage = Usage::default();
            // SAFETY: a place for one value.
            unsafe { (self.0.usage)(space, &raw mut usage) };
            usage
        };
        let devices = (0..devices.cast_signed()).map(usage).collect();
        Live {
            devices,
            pinned: usage(-1),
            managed: usage(-2),
            registered: usage(-3),
            foreign: usage(-4),
            graphs: usage(-5),
        }
    }

    /// The live blocks, by address; physical memory last. Exact when no other thread calls the driver.
    pub fn blocks(self) -> Vec<Block> {
        let mut raw = Vec::new();
        loop {
            let room: usize = raw.len();
            // SAFETY: as many places as are said.
            let count = unsafe { (self.0.blocks)(raw.as_mut_ptr(), room) };
            let is_complete = count <= room;
            raw.resize(count, RawBlock::default());
            if is_complete {
                break;
            }
        }
        raw.into_iter().map(Block::from).collect()
    }

    /// Has a host function stand for the kernel of this name; a later one replaces it. It is called on the launching thread, with the
    /// launch's arguments, and must fit them.
    pub fn register_kernel(self, name: &str, kernel: Kernel) {
        let Ok(name) = CString::new(name) else { return };
        // SAFETY: a text that ends; functions live as long as the process.
        unsafe { (self.0.register_kernel)(name.as_ptr(), kernel) };
    }

    /// Forgets failures on demand, counted calls, peaks and totals, and gives devices back the memory and pools that the environment
    /// says. Live blocks, contexts, streams and kernels stay.
    pub fn reset(self) {
        // SAFETY: takes nothing.
        unsafe { (self.0.reset)() };
    }
}

fn function<F: Copy>(library: &'static Library, name: &str) -> Result<F, LoadError> {
    // SAFETY: the library and this code are one crate: the function of this name has the type of the field.
    let found = unsafe { library.get::<F>(name.as_bytes()) };
    found.map(|function| *function).map_err(|error| LoadError::new(&format!("the simulator has no {name}"), &error))
}

impl From<RawBlock> for Block {
    fn from(raw: RawBlock) -> Self {
        let space = match raw.space {
            -1 => BlockSpace::Pinned,
            -2 => BlockSpace::Managed,
            -3 => BlockSpace::Registered,
            -5 => BlockSpace::Graph,
            device => u32::try_from(device).map_or(BlockSpace::Foreign, BlockSpace::Device),
        };
        let kind = match raw.kind {
            0 => BlockKind::Device,
            1 => BlockKind::Pooled,
            2 => BlockKind::Managed,
            3 => BlockKind::Pinned,
            4 => BlockKind::Registered,
            5 => BlockKind::Array,
            6 => BlockKind::Ipc,
            PHYSICAL => BlockKind::Physical,
            9 => BlockKind::Graph,
            _ => BlockKind::Imported,
        };
        Self { address: raw.address, bytes: raw.bytes, space, kind }
    }
}
