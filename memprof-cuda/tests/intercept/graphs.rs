//! Memory that a program puts into graphs itself, as nodes: known from the node's making, counted by nobody, whoever frees it and however often
//! the graph is launched. What is captured is in `../intercept_capture.rs`.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaStream, DriverError, sys};
use memprof_core::{Space, Totals};
use memprof_cuda_sim::{Sim, Usage};

use crate::ground::{self, Tried, agree, alone, totals};

const DEVICE: fn() -> Space = || Space::device(0);
const OUT_OF_MEMORY: u32 = 2;
/// What graphs hold when none has memory.
const NOTHING: (u64, u64) = (0, 0);

/// The functions that add a node of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `cuGraphAddMemAllocNode`, `cuGraphAddMemFreeNode`
    Own,
    /// `cuGraphAddNode`
    Any,
    /// `cuGraphAddNode_v2`, `cuGraphAddNode_v3`
    AnyWithEdges(&'static str),
}

const WAYS: [Way; 4] =
    [Way::Own, Way::Any, Way::AnyWithEdges("cuGraphAddNode_v2"), Way::AnyWithEdges("cuGraphAddNode_v3")];

impl Way {
    /// The function that adds memory.
    fn function(self) -> &'static str {
        match self {
            Self::Own => "cuGraphAddMemAllocNode",
            Self::Any => "cuGraphAddNode",
            Self::AnyWithEdges(function) => function,
        }
    }
}

/// A place for the node, the graph, dependencies and their number, the description.
type AddNode = unsafe extern "C" fn(*mut sys::CUgraphNode, sys::CUgraph, *const c_void, usize, *mut u64) -> u32;
/// As that, with the dependencies' edges before their number.
type AddNodeWithEdges =
    unsafe extern "C" fn(*mut sys::CUgraphNode, sys::CUgraph, *const c_void, *const c_void, usize, *mut u64) -> u32;

/// The words of a node's description: memory of the first device, and where its address is written.
const PINNED: u64 = 1;
const DEVICE_ZERO: u64 = 1;
const BYTES: usize = 13;
const ADDRESS: usize = 14;
/// Words before them in the description of a node of any kind, whose first is the kind.
const HEAD: usize = 2;
const ALLOCATES: u64 = 10;
const FREES: u64 = 11;

/// A graph that is destroyed when this is dropped.
struct Graph {
    handle: sys::CUgraph,
    /// The driver: cudarc has not every version of a function.
    driver: libloading::Library,
}

impl Graph {
    fn new(sim: Sim) -> Tried<Self> {
        let mut handle = std::ptr::null_mut();
        // SAFETY: a place for the result.
        unsafe { sys::cuGraphCreate(&raw mut handle, 0) }.result()?;
        // SAFETY: it is loaded already.
        Ok(Self { handle, driver: unsafe { libloading::Library::new(sim.path()) }? })
    }

    /// Adds a node of any kind, whose description is these words.
    fn add(&self, way: Way, words: &mut [u64; 32]) -> Tried {
        let (mut node, none, is_memory) = (MaybeUninit::uninit(), std::ptr::null::<c_void>(), words[0] == ALLOCATES);
        let (node, graph, freed) = (node.as_mut_ptr(), self.handle, words[HEAD]);
        let code = |result: sys::CUresult| result as u32;
        let status = match way {
            Way::Own if is_memory => {
                let words = words[HEAD..].as_mut_ptr().cast();
                // SAFETY: a place for the node, a graph, no dependencies, and a description of its size.
                code(unsafe { sys::cuGraphAddMemAllocNode(node, graph, none.cast(), 0, words) })
            }
            // SAFETY: as above; a wrong address is refused.
            Way::Own => code(unsafe { sys::cuGraphAddMemFreeNode(node, graph, none.cast(), 0, freed) }),
            Way::Any => {
                // SAFETY: `cuda.h` declares it so.
                let add = unsafe { self.driver.get::<AddNode>(way.function()) }?;
                // SAFETY: as above.
                unsafe { add(node, graph, none, 0, words.as_mut_ptr()) }
            }
            Way::AnyWithEdges(function) => {
                // SAFETY: `cuda.h` declares it so.
                let add = unsafe { self.driver.get::<AddNodeWithEdges>(function) }?;
                // SAFETY: as above.
                unsafe { add(node, graph, none, none, 0, words.as_mut_ptr()) }
            }
        };
        if status == 0 { Ok(()) } else { Err(format!("{}: {status}", way.function()).into()) }
    }

    /// Memory of the first device; gives its address.
    fn add_memory(&self, way: Way, bytes: u64) -> Tried<u64> {
        let mut words = [0; 32];
        (words[0], words[HEAD], words[HEAD + 1], words[HEAD + BYTES]) = (ALLOCATES, PINNED, DEVICE_ZERO, bytes);
        self.add(way, &mut words)?;
        Ok(words[HEAD + ADDRESS])
    }

    fn add_free(&self, way: Way, address: u64) -> Tried {
        let mut words = [0; 32];
        (words[0], words[HEAD]) = (FREES, address);
        self.add(way, &mut words)
    }

    /// Instantiated, with a launch that frees what the one before has left, or without.
    fn instantiate(&self, frees_on_launch: bool) -> Tried<Executable> {
        let mut executable = std::ptr::null_mut();
        // SAFETY: a place for the result, and a graph.
        unsafe { sys::cuGraphInstantiateWithFlags(&raw mut executable, self.handle, u64::from(frees_on_launch)) }
            .result()?;
        Ok(Executable(executable))
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: made above, and not used again.
        let _refused = unsafe { sys::cuGraphDestroy(self.handle) };
    }
}

/// An executable graph that is destroyed when this is dropped.
struct Executable(sys::CUgraphExec);

impl Executable {
    fn launch(&self, stream: &CudaStream) -> Result<(), DriverError> {
        // SAFETY: both are alive.
        unsafe { sys::cuGraphLaunch(self.0, stream.cu_stream()) }.result()
    }
}

impl Drop for Executable {
    fn drop(&mut self) {
        // SAFETY: made above, and not used again.
        let _refused = unsafe { sys::cuGraphExecDestroy(self.0) };
    }
}

/// The first device under interception, and what is recorded of it at first.
struct Watched {
    sim: Sim,
    stream: Arc<CudaStream>,
    _context: Arc<CudaContext>,
    before: Totals,
    _guard: memprof_cuda::Intercepted,
}

impl Watched {
    fn begin(sim: Sim) -> Tried<Self> {
        let context = memprof_cuda::context(0)?;
        let (guard, stream) = (memprof_cuda::intercept()?, context.new_stream()?);
        Ok(Self { sim, stream, _context: context, before: totals(DEVICE()), _guard: guard })
    }

    /// That graphs hold this much, and the books have nothing of it: no block came or went, none failed, no free was unknown.
    #[track_caller]
    fn holds(&self, graphs: (u64, u64), when: &str) {
        let (now, before) = (totals(DEVICE()), &self.before);
        let Usage { bytes, blocks, .. } = self.sim.live().graphs;
        assert_eq!((bytes, blocks), graphs, "{when}: what graphs hold");
        assert_eq!((now.live, now.live_blocks, now.blocks_total), (0, 0, before.blocks_total), "{when}: counted");
        assert_eq!(
            (now.failed, now.unknown_frees, now.missed_frees),
            (before.failed, before.unknown_frees, before.missed_frees),
            "{when}"
        );
        agree(self.sim);
    }
}

/// What the device's line says that nobody accounts for.
fn unattributed() -> Option<i64> {
    let snapshot = memprof_core::snapshot();
    let line = snapshot.devices().iter().find(|device| device.space == "cuda:0")?;
    Some(line.unattributed)
}

#[test]
fn memory_of_a_node_is_in_no_number_from_its_making_to_its_last_free() -> Tried {
    for way in WAYS {
        let (_alone, sim) = alone()?;
        let watched = Watched::begin(sim)?;
        let stream = &watched.stream;
        let graph = Graph::new(sim)?;
        let address = graph.add_memory(way, 1000)?;
        watched.holds(NOTHING, "before a launch");
        let executable = graph.instantiate(false)?;
        watched.holds(NOTHING, "instantiated");
        executable.launch(stream)?;
        watched.holds((1000, 1), "launched");
        assert_eq!(unattributed(), Some(1000), "{way:?}: the driver has it in use");
        assert!(executable.launch(stream).is_err(), "{way:?}: what it allocated is not freed");
        watched.holds((1000, 1), "a launch that was refused");

        ground::free(address)?;
        watched.holds(NOTHING, "freed by cuMemFree");
        assert!(ground::free(address).is_err(), "{way:?}: a double free");
        watched.holds(NOTHING, "freed twice");
        executable.launch(stream)?;
        watched.holds((1000, 1), "launched again, at the same address");
        ground::free_async(address, stream.cu_stream())?;
        watched.holds(NOTHING, "freed by cuMemFreeAsync");
        drop(executable);

        let automatic = graph.instantiate(true)?;
        automatic.launch(stream)?;
        automatic.launch(stream)?;
        watched.holds((1000, 1), "freed by the second launch, and allocated");

        let other = Graph::new(sim)?;
        other.add_free(way, address)?;
        watched.holds((1000, 1), "a free node is no free");
        let frees = other.instantiate(false)?;
        frees.launch(stream)?;
        watched.holds(NOTHING, "freed by another graph's node");
        assert!(graph.add_free(way, address).is_err(), "{way:?}: another graph frees it");
        drop((automatic, frees));
        drop((graph, other));
        assert_eq!(unattributed(), Some(1000), "{way:?}: kept for the next launch");
        // SAFETY: the first device.
        unsafe { sys::cuDeviceGraphMemTrim(0) }.result()?;
        assert_eq!(unattributed(), Some(0), "{way:?}: trimmed");
        watched.holds(NOTHING, "trimmed");
    }
    Ok(())
}

#[test]
fn memory_that_its_own_graph_frees_is_in_no_number_however_often_it_is_launched() -> Tried {
    for way in WAYS {
        let (_alone, sim) = alone()?;
        let watched = Watched::begin(sim)?;
        let graph = Graph::new(sim)?;
        let address = graph.add_memory(way, 1000)?;
        graph.add_free(way, address)?;
        assert!(graph.add_free(way, address).is_err(), "{way:?}: twice in one graph");
        assert!(Graph::new(sim)?.add_free(way, address).is_err(), "{way:?}: its own graph frees it");
        assert!(graph.add_free(way, address + 1).is_err(), "{way:?}: no node's address");
        watched.holds(NOTHING, "before a launch");
        let executable = graph.instantiate(false)?;
        for _ in 0..3 {
            executable.launch(&watched.stream)?;
            watched.holds(NOTHING, "launched");
        }
        assert!(ground::free(address).is_err(), "{way:?}: freed by its graph");
        watched.holds(NOTHING, "a free that the driver refuses");
    }
    Ok(())
}

#[test]
fn a_node_that_cannot_be_added_is_no_failed_allocation_of_the_device() -> Tried {
    let (_alone, sim) = alone()?;
    let watched = Watched::begin(sim)?;
    let graph = Graph::new(sim)?;
    for way in WAYS {
        sim.fail_next(way.function(), OUT_OF_MEMORY, 1);
        assert!(graph.add_memory(way, 1000).is_err());
        watched.holds(NOTHING, way.function());
    }
    Ok(())
}

/// Destroyed while interception is off, a graph gives its address back unseen, and a wrapper's block may come to lie there.
#[test]
fn a_block_that_comes_where_a_graph_had_memory_is_freed_as_any_other() -> Tried {
    use memprof_core::{__allocator::release, record_alloc};

    let (_alone, sim) = alone()?;
    let watched = Watched::begin(sim)?;
    let graph = Graph::new(sim)?;
    let address = graph.add_memory(Way::Own, 1000)?;
    let executable = graph.instantiate(false)?;
    executable.launch(&watched.stream)?;
    // As a wrapper records it: the simulator gives the address to nobody else.
    record_alloc(DEVICE(), address, 1000);
    assert_eq!(totals(DEVICE()).live, 1000);
    ground::free(address)?;
    assert_eq!((totals(DEVICE()).live, totals(DEVICE()).unknown_frees), (0, watched.before.unknown_frees));
    assert!(release(DEVICE(), address).is_none());
    Ok(())
}
