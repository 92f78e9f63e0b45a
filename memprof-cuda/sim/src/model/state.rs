//! All that the simulated driver knows, under one lock.
//!
//! Every driver function takes the lock for as long as it works, and lets it go before it calls out: to a kernel, a host function, a CUPTI
//! callback. Nothing else is taken while it is held. The CUPTI subscriber has a lock of its own ([`crate::cupti`]), taken only without this one.
use std::collections::{BTreeMap, HashMap};
use std::ffi::c_int;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::arena::Arena;
use super::block::Block;
use super::books::{Books, Space};
use super::capture::Capture;
use super::context::Context;
use super::current::current;
use super::device::Device;
use super::external::External;
use super::graph::{Executable, Graph};
use super::kernel::Kernels;
use super::mapping::Virtual;
use super::pool::{Place, Pool};
use super::stream::{Event, Stream};
use crate::base::abi::{Code, Done};
use crate::base::settings::settings;

/// A failure on demand.
struct Failure {
    function: String,
    /// Calls that go by before it.
    after: u64,
    code: Code,
    times: u64,
}

/// What 0 pinned bytes are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPinnedBytes {
    Refused,
    Null,
    /// A block of no bytes.
    Block,
}

/// What CUDA's documentation leaves open, as a test has it.
#[derive(Clone, Copy)]
pub(crate) struct Choices {
    /// Whether importing a handle of this process's own gives that handle.
    pub(crate) import_gives_same: bool,
    pub(crate) no_pinned_bytes: NoPinnedBytes,
}

impl Default for Choices {
    fn default() -> Self {
        Self { import_gives_same: true, no_pinned_bytes: NoPinnedBytes::Refused }
    }
}

/// What the simulated driver knows.
pub(crate) struct State {
    pub(crate) initialised: bool,
    /// The process ends: the driver has taken down what it had.
    pub(crate) is_gone: bool,
    pub(crate) choices: Choices,
    pub(crate) pools_supported: bool,
    pub(crate) devices: Vec<Device>,
    pub(crate) contexts: BTreeMap<usize, Context>,
    pub(crate) streams: BTreeMap<usize, Stream>,
    pub(crate) events: BTreeMap<usize, Event>,
    pub(crate) captures: BTreeMap<usize, Capture>,
    pub(crate) graphs: BTreeMap<usize, Graph<Self>>,
    pub(crate) executables: BTreeMap<usize, Executable<Self>>,
    /// The default pools of host and of managed memory.
    pub(crate) host_pool: usize,
    pub(crate) managed_pool: usize,
    pub(crate) pools: BTreeMap<usize, Pool>,
    pub(crate) virtuals: Virtual,
    pub(crate) external: External,
    pub(crate) kernels: Kernels,
    /// Live blocks by address.
    pub(crate) blocks: BTreeMap<u64, Block>,
    /// Addresses of pinned and managed memory.
    pub(crate) host: Arena,
    pub(crate) books: Books,
    calls: HashMap<&'static str, u64>,
    failures: Vec<Failure>,
    next_handle: usize,
    /// Handles of what is gone, given out again before any new one: the newest first.
    spare_handles: Vec<usize>,
    next_capture: usize,
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(|| Mutex::new(State::new()));

/// The state, locked. A panic elsewhere does not close it: the simulator goes on.
pub(crate) fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn new() -> Self {
        let settings = settings();
        let mut state = Self {
            initialised: false,
            is_gone: false,
            choices: Choices::default(),
            pools_supported: settings.pools,
            devices: Vec::new(),
            contexts: BTreeMap::new(),
            streams: BTreeMap::new(),
            events: BTreeMap::new(),
            captures: BTreeMap::new(),
            graphs: BTreeMap::new(),
            executables: BTreeMap::new(),
            host_pool: 0,
            managed_pool: 0,
            pools: BTreeMap::new(),
            virtuals: Virtual::new(),
            external: External::default(),
            kernels: Kernels::default(),
            blocks: BTreeMap::new(),
            host: Arena::new(),
            books: Books::default(),
            calls: HashMap::new(),
            failures: Vec::new(),
            next_handle: 0,
            spare_handles: Vec::new(),
            next_capture: 0,
        };
        state.grow_devices(settings.devices);
        (state.host_pool, state.managed_pool) = (state.handle(), state.handle());
        state.pools.insert(state.host_pool, Pool::new(Place::Host, 0));
        state.pools.insert(state.managed_pool, Pool::new(Place::Managed, 0));
        state
    }

    /// Adds devices until there are so many.
    pub(crate) fn grow_devices(&mut self, count: usize) {
        for index in self.devices.len()..count {
            let primary = self.handle();
            let pool = self.handle();
            self.contexts.insert(primary, Context::primary(index));
            self.pools.insert(pool, Pool::new(Place::Device(index), 0));
            self.devices.push(Device::new(settings().bytes, primary, pool));
            self.books.add_device();
        }
    }

    /// A handle that no object has now: the one that was given back last, whatever it was of. Nothing promises that a driver gives out
    /// no handle twice, and a pointer into its own memory it does. It leads nowhere: nobody may follow it.
    pub(crate) fn handle(&mut self) -> usize {
        self.spare_handles.pop().unwrap_or_else(|| {
            self.next_handle += 1;
            0x5100_0000_0000 + self.next_handle * 0x10
        })
    }

    /// What had this handle is gone.
    pub(crate) fn give_handle(&mut self, handle: usize) {
        self.spare_handles.push(handle);
    }

    /// A number that no capture has had before: events keep those of captures that are over.
    pub(crate) fn capture_number(&mut self) -> usize {
        self.next_capture += 1;
        self.next_capture
    }

    /// Counts a call, and says whether it was told to fail.
    pub(crate) fn begin_call(&mut self, function: &'static str) -> Option<Code> {
        *self.calls.entry(function).or_default() += 1;
        let index = self.failures.iter().position(|failure| failure.function == function)?;
        let failure = &mut self.failures[index];
        if failure.after > 0 {
            failure.after -= 1;
            return None;
        }
        let code = failure.code;
        failure.times -= 1;
        if failure.times == 0 {
            self.failures.remove(index);
        }
        Some(code)
    }

    /// Once `after` calls of the function have gone by, the next `times` fail: after those that were told to before.
    pub(crate) fn fail_after(&mut self, after: u64, function: String, code: Code, times: u64) {
        if times > 0 {
            self.failures.push(Failure { function, after, code, times });
        }
    }

    /// How often a function was called, failures and refusals included.
    pub(crate) fn calls(&self, function: &str) -> u64 {
        self.calls.get(function).copied().unwrap_or(0)
    }

    /// How often functions were called, all together.
    pub(crate) fn all_calls(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Forgets failures on demand, calls, peaks and totals; the device limits of the settings are back. What is live stays live.
    pub(crate) fn reset(&mut self) {
        self.calls.clear();
        self.failures.clear();
        self.books.restart();
        self.pools_supported = settings().pools;
        self.choices = Choices::default();
        for device in &mut self.devices {
            device.bytes = settings().bytes;
            device.context_bytes = 0;
        }
    }

    /// The index of a device that a caller names, if it is there.
    pub(crate) fn index(&self, ordinal: c_int) -> Result<usize, Code> {
        let index = usize::try_from(ordinal).ok().filter(|&index| index < self.devices.len());
        index.ok_or(Code::INVALID_DEVICE)
    }

    /// The device that a caller names.
    pub(crate) fn device(&self, ordinal: c_int) -> Result<&Device, Code> {
        Ok(&self.devices[self.index(ordinal)?])
    }

    /// The calling thread's context and its device.
    pub(crate) fn current(&self) -> Result<(usize, usize), Code> {
        let current = current();
        if current == 0 {
            return Err(Code::INVALID_CONTEXT);
        }
        match self.contexts.get(&current) {
            Some(context) if context.is_active() => Ok((current, context.device)),
            _ => Err(Code::CONTEXT_IS_DESTROYED),
        }
    }

    /// Bytes of a device that are taken: by blocks, by what pools have reserved, by contexts.
    pub(crate) fn device_used(&self, device: usize) -> u64 {
        let pools = self.pools.values().filter(|pool| pool.place == Place::Device(device));
        let reserve: u64 = pools.map(|pool| pool.reserved.now - pool.used.now).sum();
        let contexts = self.contexts.values().filter(|context| context.device == device && context.is_active()).count();
        let of_device = &self.devices[device];
        let own = self.books.usage(Space::Device(device)).bytes + contexts as u64 * of_device.context_bytes;
        own + reserve + of_device.graphs_reserved
    }

    /// That so many more bytes fit on the device.
    pub(crate) fn fits(&self, device: usize, bytes: u64) -> Done {
        match self.device_used(device).checked_add(bytes) {
            Some(used) if used <= self.devices[device].bytes => Ok(()),
            _ => Err(Code::OUT_OF_MEMORY),
        }
    }
}
