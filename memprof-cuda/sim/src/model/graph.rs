//! What graphs and executable graphs are.
//!
//! Plain values: a launch works on the nodes that there were when it was instantiated. While a stream is captured anew,
//! nodes that differ from those of before are refused. What a launch does is left to [`graphs`](super::graphs).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::abi::{Code, Done};

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
    /// While it is captured anew: the nodes of before, which the new ones must equal, those that are still to come.
    pub(crate) expected: Option<VecDeque<Node<S>>>,
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
        Self { nodes: Vec::new(), executable: None, expected: None }
    }

    /// It is captured anew: "The node creation order while recapturing the graph must be identical to the original graph" (cuda.h 13.5:17341,
    /// `cuStreamBeginRecaptureToGraph`).
    pub(crate) fn expect_anew(&mut self) {
        self.expected = Some(std::mem::take(&mut self.nodes).into());
    }

    /// The address that memory has which is added next, if it is that of a capture anew.
    pub(crate) fn expected_address(&self) -> Option<u64> {
        match self.expected.as_ref()?.front()? {
            Node::Allocate { address, .. } => Some(*address),
            _ => None,
        }
    }

    /// Adds a node. "The recapture will fail immediately for: Topology mismatches between the existing graph and the recaptured graph; Parameter
    /// mismatches for memory allocation or free nodes" (cuda.h 13.5:17341); other nodes' parameters are not looked at.
    pub(crate) fn push(&mut self, node: Node<S>) -> Done {
        if let Some(expected) = &mut self.expected {
            let is_same = match (expected.pop_front(), &node) {
                (
                    Some(Node::Allocate { address, bytes, device }),
                    Node::Allocate { address: a, bytes: b, device: d },
                ) => (address, bytes, device) == (*a, *b, *d),
                (Some(Node::Free(address)), Node::Free(new)) => address == *new,
                (Some(Node::Work(_)), Node::Work(_)) => true,
                _ => false,
            };
            if !is_same {
                return Err(Code::INVALID_VALUE);
            }
        }
        self.nodes.push(node);
        Ok(())
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
