//! All paths of a set of routes in one tree, so that one pass over a body finds the values of all.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::path::Segment;
use crate::limits::MAX_BODY_DEPTH;

/// Index of a node.
pub(crate) type NodeId = u32;

/// The root of every trie.
pub(crate) const ROOT: NodeId = 0;

/// Nodes with more names than this have a hash table.
const LINEAR: usize = 8;

/// A set of paths, each with a slot number.
#[derive(Debug, Clone)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    slots: u32,
}

#[derive(Debug, Clone, Default)]
struct Node {
    slot: Option<u32>,
    names: Names,
    items: Vec<(u32, NodeId)>,
}

#[derive(Debug, Clone)]
enum Names {
    Few(Vec<(Box<str>, NodeId)>),
    Many(HashMap<Box<str>, NodeId>),
}

impl Default for Names {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Default for Trie {
    fn default() -> Self {
        Self { nodes: alloc::vec![Node::default()], slots: 0 }
    }
}

impl Trie {
    /// The slot of a path, which it gets on the first call. A path with a wildcard must not come here.
    pub(crate) fn insert(&mut self, path: &[Segment]) -> u32 {
        let next = self.slots;
        if path.len() > MAX_BODY_DEPTH {
            // No body is deep enough, so nothing is ever found there.
            self.slots += 1;
            return next;
        }
        let mut at = ROOT;
        for segment in path {
            at = match self.child(at, segment) {
                Some(child) => child,
                None => self.grow(at, segment),
            };
        }
        let Some(node) = self.nodes.get_mut(at as usize) else { return next };
        if let Some(slot) = node.slot {
            return slot;
        }
        node.slot = Some(next);
        self.slots += 1;
        next
    }

    /// How many slots there are.
    pub(crate) const fn slots(&self) -> usize {
        self.slots as usize
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn slot(&self, node: NodeId) -> Option<u32> {
        self.nodes.get(node as usize)?.slot
    }

    /// Whether nothing lies below `node`.
    pub(crate) fn is_leaf(&self, node: NodeId) -> bool {
        self.nodes.get(node as usize).is_none_or(|node| node.items.is_empty() && node.names.is_empty())
    }

    pub(crate) fn named(&self, node: NodeId, name: &str) -> Option<NodeId> {
        match &self.nodes.get(node as usize)?.names {
            Names::Few(names) => names.iter().find(|(key, _)| **key == *name).map(|(_, child)| *child),
            Names::Many(names) => names.get(name).copied(),
        }
    }

    pub(crate) fn item(&self, node: NodeId, index: usize) -> Option<NodeId> {
        let items = &self.nodes.get(node as usize)?.items;
        let index = u32::try_from(index).ok()?;
        items
            .binary_search_by_key(&index, |(key, _)| *key)
            .ok()
            .and_then(|at| items.get(at))
            .map(|(_, child)| *child)
    }

    fn child(&self, at: NodeId, segment: &Segment) -> Option<NodeId> {
        match segment {
            Segment::Name(name) => self.named(at, name),
            Segment::Index(index) => self.item(at, *index as usize),
            Segment::All => None,
        }
    }

    fn grow(&mut self, at: NodeId, segment: &Segment) -> NodeId {
        let id = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        self.nodes.push(Node::default());
        if let Some(node) = self.nodes.get_mut(at as usize) {
            match segment {
                Segment::Name(name) => node.names.insert(name.clone(), id),
                Segment::Index(index) => {
                    let place = node.items.partition_point(|(key, _)| key < index);
                    node.items.insert(place, (*index, id));
                }
                Segment::All => {}
            }
        }
        id
    }
}

impl Names {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Few(names) if names.is_empty())
    }

    fn insert(&mut self, name: Box<str>, id: NodeId) {
        match self {
            Self::Few(names) if names.len() < LINEAR => names.push((name, id)),
            Self::Few(names) => {
                let mut many: HashMap<_, _> = core::mem::take(names).into_iter().collect();
                many.insert(name, id);
                *self = Self::Many(many);
            }
            Self::Many(names) => {
                names.insert(name, id);
            }
        }
    }
}
