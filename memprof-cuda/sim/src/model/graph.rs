//! What graphs and executable graphs are.

use std::sync::Arc;

use crate::base::abi::Done;

/// A node; `S` is what its work is done on. Nodes are carried out in the order in which they were added, which is one that their dependencies allow.
pub(crate) enum Node<S> {
    /// Memory, at an address that "remains fixed across instantiations and launches" (cuda.h 13.5, `cuGraphAddMemAllocNode`).
    Allocate {
        address: u64,
        bytes: u64,
        device: usize,
    },
    Free(u64),
    /// Work of a stream that was captured: done at each launch.
    Work(Arc<dyn Fn(&mut S) -> Done + Send + Sync>),
}

/// A graph.
pub(crate) struct Graph<S> {
    pub(crate) nodes: Vec<Node<S>>,
    /// The executable graph of it, if there is one.
    pub(crate) executable: Option<usize>,
}

impl<S> Clone for Node<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Allocate { address, bytes, device } => {
                Self::Allocate { address: *address, bytes: *bytes, device: *device }
            }
            Self::Free(address) => Self::Free(*address),
            Self::Work(work) => Self::Work(Arc::clone(work)),
        }
    }
}

impl<S> Graph<S> {
    pub(crate) fn new() -> Self {
        Self { nodes: Vec::new(), executable: None }
    }

    pub(crate) fn has_memory(&self) -> bool {
        self.nodes.iter().any(|node| !matches!(node, Node::Work(_)))
    }

    pub(crate) fn allocates(&self, address: u64) -> bool {
        self.nodes.iter().any(|node| matches!(node, Node::Allocate { address: known, .. } if *known == address))
    }

    pub(crate) fn frees(&self, address: u64) -> bool {
        self.nodes.iter().any(|node| matches!(node, Node::Free(known) if *known == address))
    }
}

/// An executable graph.
pub(crate) struct Executable<S> {
    pub(crate) graph: usize,
    pub(crate) nodes: Vec<Node<S>>,
    /// `CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH`
    pub(crate) frees_on_launch: bool,
}
