//! Graphs: streams that are captured, nodes of memory, launches.
//!
//! Nodes of memory and work of captured streams are simulated, all else in a graph is refused. What a capture prohibits
//! is left to [`model/captures`](crate::model::captures), what a launch does to [`model/graphs`](crate::model::graphs).
#![expect(unsafe_code, reason = "exports driver functions")]

use std::ffi::{c_int, c_uint, c_void};

use crate::base::abi::{Code, Done, In, Out};
use crate::driver::gate::{self, driver};
use crate::model::capture::{RELAXED, exchange_mode};
use crate::model::state::State;

/// Words of `CUDA_MEM_ALLOC_NODE_PARAMS`, in 8 bytes: after the properties of a pool, whose kind and location are the first two.
const BYTES: usize = 13; // cuda: offsetof(CUDA_MEM_ALLOC_NODE_PARAMS, bytesize) / 8
const ADDRESS: usize = 14; // cuda: offsetof(CUDA_MEM_ALLOC_NODE_PARAMS, dptr) / 8

/// Words of `CUgraphNodeParams` before those of the node's own kind.
const HEAD: usize = 2; // cuda 12.6: offsetof(CUgraphNodeParams, alloc) / 8

/// `CUgraphNodeType`
const ALLOCATES: u64 = 10; // cuda: CU_GRAPH_NODE_TYPE_MEM_ALLOC
const FREES: u64 = 11; // cuda: CU_GRAPH_NODE_TYPE_MEM_FREE

/// Adds memory to a graph, as the words of a node's description say, whose address is written there.
fn add_memory(state: &mut State, graph: usize, words: Out<u64>) -> Done {
    let [location, bytes] = [1, BYTES].map(|word| words.given_there().at(word));
    // The location's kind and the device.
    let device = state.index((location? >> 32) as c_int)?;
    let address = state.add_memory(graph, bytes?, device)?;
    words.at(ADDRESS).set(address)
}

fn add_node(place: Out<usize>, graph: usize, words: Out<u64>) -> Done {
    gate::with(|state| {
        place.given()?;
        let kind = words.given_there().get()? & u64::from(u32::MAX);
        match kind {
            ALLOCATES => add_memory(state, graph, words.at(HEAD))?,
            FREES => {
                let address = words.given_there().at(HEAD)?;
                state.add_free(graph, address)?;
            }
            _ => return Err(Code::NOT_SUPPORTED),
        }
        let node = state.handle();
        place.set(node)
    })
}

driver! {
    fn cuThreadExchangeStreamCaptureMode(mode: Out<c_uint>) {
        let wanted = mode.given_there().get()?;
        if wanted > RELAXED {
            return Err(Code::INVALID_VALUE);
        }
        mode.set(exchange_mode(wanted))
    }

    fn cuStreamBeginCapture_v2(stream: usize, mode: c_uint) [539] {
        gate::with(|state| state.begin_capture(stream, mode, None))
    }

    fn cuStreamBeginCaptureToGraph(
        stream: usize, graph: usize, _needs: In<usize>, _edges: In<c_void>, _count: usize, mode: c_uint,
    ) [720] {
        gate::with(|state| state.begin_capture(stream, mode, Some(graph)))
    }

    fn cuStreamBeginRecaptureToGraph(
        stream: usize, mode: c_uint, graph: usize, _mismatch: In<c_void>, _user: In<c_void>,
    ) [846] {
        gate::with(|state| state.begin_recapture(stream, mode, graph))
    }

    fn cuStreamEndCapture(stream: usize, place: Out<usize>) [497] {
        gate::with(|state| {
            place.set(0)?;
            place.set(state.end_capture(stream)?)
        })
    }

    fn cuStreamIsCapturing(stream: usize, status: Out<c_uint>) {
        gate::with(|state| {
            state.stream_context(stream)?;
            status.set(state.capture_status(stream))
        })
    }

    fn cuGraphCreate(place: Out<usize>, _flags: c_uint) {
        gate::with(|state| {
            place.given()?;
            place.set(state.create_graph())
        })
    }

    fn cuGraphDestroy(graph: usize) [517] {
        gate::with(|state| state.destroy_graph(graph))
    }

    fn cuGraphAddMemAllocNode(place: Out<usize>, graph: usize, _needs: In<usize>, _count: usize, words: Out<u64>) [638] {
        gate::with(|state| {
            place.given()?;
            add_memory(state, graph, words)?;
            let node = state.handle();
            place.set(node)
        })
    }

    fn cuGraphAddMemFreeNode(place: Out<usize>, graph: usize, _needs: In<usize>, _count: usize, address: u64) [639] {
        gate::with(|state| {
            place.given()?;
            state.add_free(graph, address)?;
            let node = state.handle();
            place.set(node)
        })
    }

    fn cuGraphAddNode(place: Out<usize>, graph: usize, _needs: In<usize>, _count: usize, words: Out<u64>) [712] {
        add_node(place, graph, words)
    }

    fn cuGraphAddNode_v2(
        place: Out<usize>, graph: usize, _needs: In<usize>, _edges: In<c_void>, _count: usize, words: Out<u64>,
    ) [723] {
        add_node(place, graph, words)
    }

    fn cuGraphAddNode_v3(
        place: Out<usize>, graph: usize, _needs: In<usize>, _edges: In<c_void>, _count: usize, words: Out<u64>,
    ) [863] {
        add_node(place, graph, words)
    }

    fn cuGraphInstantiateWithFlags(place: Out<usize>, graph: usize, flags: u64) [643] {
        gate::with(|state| {
            place.given()?;
            place.set(state.instantiate(graph, flags)?)
        })
    }

    fn cuGraphExecDestroy(executable: usize) [516] {
        gate::with(|state| state.destroy_executable(executable))
    }

    fn cuGraphUpload(executable: usize, _stream: usize) {
        gate::with(|state| state.executables.get(&executable).map(|_| ()).ok_or(Code::INVALID_VALUE))
    }

    fn cuGraphLaunch(executable: usize, stream: usize) [514] {
        gate::with(|state| {
            state.stream_context(stream)?;
            // A launch that is captured becomes a node of the other graph.
            state.enqueue(stream, move |state| state.launch_graph(executable))
        })
    }

    fn cuDeviceGraphMemTrim(device: c_int) [640] {
        gate::with(|state| state.trim_graphs(device))
    }

    fn cuDeviceGetGraphMemAttribute(device: c_int, attribute: c_uint, place: Out<u64>) {
        gate::with(|state| {
            let device = state.device(device)?;
            match attribute {
                0 | 1 => place.set(device.graphs_used),
                2 | 3 => place.set(device.graphs_reserved),
                _ => Err(Code::INVALID_VALUE),
            }
        })
    }
}
