//! Graphs are made, instantiated and launched.
//!
//! A node's memory has its address from when it is added, and bytes of its device from a launch on; what is freed stays
//! in reserve for the next launch until it is trimmed. It counts in a space of its own, apart from its device's.

use std::sync::Arc;

use super::block::{Block, Kind};
use super::books::Space;
use super::graph::{Executable, Graph, Node};
use super::state::State;
use crate::base::abi::{Code, Done};

impl State {
    /// Adds memory to the graph that a capture makes; gives its address. No memory is taken before the graph is launched.
    pub(crate) fn add_allocation(&mut self, capture: usize, bytes: u64, device: usize) -> Result<u64, Code> {
        let graph = self.captures.get(&capture).ok_or(Code::INVALID_VALUE)?.graph;
        self.add_memory(graph, bytes, device)
    }

    /// Adds memory to a graph; gives its address.
    pub(crate) fn add_memory(&mut self, graph: usize, bytes: u64, device: usize) -> Result<u64, Code> {
        if bytes == 0 {
            return Err(Code::INVALID_VALUE);
        }
        let address = match self.graph(graph)?.expected_address() {
            Some(address) => address,
            None => self.devices[device].arena.take(bytes).ok_or(Code::OUT_OF_MEMORY)?,
        };
        self.graph(graph)?.push(Node::Allocate { address, bytes, device })?;
        Ok(address)
    }

    /// "This function results in the creation of a free node and must therefore be passed the address of a graph allocation" (cuda.h 13.5,
    /// `cuMemFreeAsync`).
    pub(crate) fn add_free_to_capture(&mut self, stream: usize, address: u64) -> Done {
        let capture = self.capturing(stream)?;
        let graph = capture.and_then(|capture| self.captures.get(&capture)).ok_or(Code::INVALID_VALUE)?.graph;
        self.add_free(graph, address).map_err(|code| self.refuse_captured(capture, code).err().unwrap_or(code))
    }

    /// Adds a free to a graph. "Will return `CUDA_ERROR_INVALID_VALUE` if the user attempts to free: an allocation twice in the same graph; an
    /// address that was not returned by an allocation node" (cuda.h 13.5, `cuGraphAddMemFreeNode`). "If the allocation is freed in the same
    /// graph, a free node cannot be added to another graph. If the allocation is freed in another graph, a free node can no longer be added to
    /// the owning graph" (`cuGraphAddMemAllocNode`).
    pub(crate) fn add_free(&mut self, graph: usize, address: u64) -> Done {
        let owner = self.graphs.iter().find(|(_, graph)| graph.allocates(address)).map(|(&handle, _)| handle);
        let owner = owner.ok_or(Code::INVALID_VALUE)?;
        let mut frees = self.graphs.iter().filter(|(_, graph)| graph.frees(address)).map(|(&handle, _)| handle);
        if frees.any(|other| other == graph || other == owner || graph == owner) {
            return Err(Code::INVALID_VALUE);
        }
        self.graph(graph)?.push(Node::Free(address))
    }

    /// Does work on a stream now, or adds it to the graph that the stream is captured into.
    pub(crate) fn enqueue(&mut self, stream: usize, work: impl Fn(&mut Self) -> Done + Send + Sync + 'static) -> Done {
        self.stream_context(stream)?;
        let Some(capture) = self.capturing(stream)? else { return work(self) };
        let graph = self.captures.get(&capture).ok_or(Code::INVALID_VALUE)?.graph;
        self.graph(graph)?.push(Node::Work(Arc::new(work)))
    }

    pub(crate) fn graph(&mut self, graph: usize) -> Result<&mut Graph<Self>, Code> {
        self.graphs.get_mut(&graph).ok_or(Code::INVALID_VALUE)
    }

    pub(crate) fn create_graph(&mut self) -> usize {
        let handle = self.handle();
        self.graphs.insert(handle, Graph::new());
        handle
    }

    pub(crate) fn destroy_graph(&mut self, graph: usize) -> Done {
        self.graphs.remove(&graph).ok_or(Code::INVALID_VALUE)?;
        self.give_handle(graph);
        Ok(())
    }

    /// "If `hGraph` contains any allocation or free nodes, there can be at most one executable graph in existence for that graph at a time"
    /// (cuda.h 13.5, `cuGraphInstantiate`).
    pub(crate) fn instantiate(&mut self, graph: usize, flags: u64) -> Result<usize, Code> {
        const AUTO_FREE_ON_LAUNCH: u64 = 1; // cuda: CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH
        let known = self.graph(graph)?;
        if known.has_memory() && known.executable.is_some() {
            return Err(Code::INVALID_VALUE);
        }
        let nodes = known.nodes.clone();
        let handle = self.handle();
        self.graph(graph)?.executable = Some(handle);
        let frees_on_launch = flags & AUTO_FREE_ON_LAUNCH != 0;
        self.executables.insert(handle, Executable { graph, nodes, frees_on_launch });
        Ok(handle)
    }

    pub(crate) fn destroy_executable(&mut self, executable: usize) -> Done {
        let gone = self.executables.remove(&executable).ok_or(Code::INVALID_VALUE)?;
        if let Some(graph) = self.graphs.get_mut(&gone.graph).filter(|graph| graph.executable == Some(executable)) {
            graph.executable = None;
        }
        self.give_handle(executable);
        Ok(())
    }

    /// "If any allocations created by `hGraphExec` remain unfreed (from a previous launch) and `hGraphExec` was not instantiated with
    /// `CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH`, the launch will fail with `CUDA_ERROR_INVALID_VALUE`" (cuda.h 13.5:23413).
    pub(crate) fn launch_graph(&mut self, executable: usize) -> Done {
        let known = self.executables.get(&executable).ok_or(Code::INVALID_VALUE)?;
        let (nodes, frees_on_launch) = (known.nodes.clone(), known.frees_on_launch);
        let allocated =
            |node: &Node<Self>| if let Node::Allocate { address, .. } = node { Some(*address) } else { None };
        let unfreed: Vec<u64> =
            nodes.iter().filter_map(allocated).filter(|address| self.blocks.contains_key(address)).collect();
        if !unfreed.is_empty() && !frees_on_launch {
            return Err(Code::INVALID_VALUE);
        }
        for address in unfreed {
            self.release(address);
        }
        for node in nodes {
            match node {
                Node::Allocate { address, bytes, device } => self.take_for_graph(address, bytes, device)?,
                Node::Free(address) => self.free(address, |kind| kind == Kind::Graph)?,
                Node::Work(work) => work(self)?,
            }
        }
        Ok(())
    }

    fn take_for_graph(&mut self, address: u64, bytes: u64, device: usize) -> Done {
        let used = self.devices[device].graphs_used + bytes;
        let missing = used.saturating_sub(self.devices[device].graphs_reserved);
        self.fits(device, missing)?;
        let of_device = &mut self.devices[device];
        of_device.graphs_reserved += missing;
        of_device.graphs_used = used;
        self.insert(address, Block { bytes, kind: Kind::Graph, space: Space::Graph, context: 0, device });
        Ok(())
    }

    /// "Blocks which are not in use by a graph that is either currently executing or scheduled to execute are freed back to the operating
    /// system" (cuda.h 13.5, `cuDeviceGraphMemTrim`).
    pub(crate) fn trim_graphs(&mut self, device: i32) -> Done {
        let device = self.index(device)?;
        self.devices[device].graphs_reserved = self.devices[device].graphs_used;
        Ok(())
    }
}
