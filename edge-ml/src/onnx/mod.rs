//! Reading ONNX files: what is in them, without any engine, and without trusting them.
//!
//! # Source
//! The ONNX specification, `onnx.proto` and "Open Neural Network Exchange Intermediate Representation".

mod constant;
mod graph;
mod sizes;
mod wire;

pub(crate) use constant::element_type;
pub(crate) use graph::{Attribute, Graph, Node, ValueInfo, ValueKind};

use wire::Wire;

use std::collections::HashMap;

/// What a model file may cost.
///
/// # Units
/// Bytes and counts, as the names say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileLimits {
    /// The most bytes of a file.
    pub max_file_bytes: usize,
    /// The most nodes, over all graphs of the file.
    pub max_nodes: usize,
    /// How deep graphs may lie in graphs.
    pub max_depth: usize,
    /// The most elements that a node may make of constants alone, before anything is run.
    pub max_made_elements: usize,
}

impl Default for FileLimits {
    /// 512 MiB, 50,000 nodes, 8 graphs deep, 64 million elements.
    fn default() -> Self {
        Self { max_file_bytes: 512 << 20, max_nodes: 50_000, max_depth: 8, max_made_elements: 64 << 20 }
    }
}

/// Why a file is no model file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file is larger than allowed.
    #[error("{bytes} bytes are more than the {limit} allowed")]
    TooLarge {
        /// The size of the file.
        bytes: usize,
        /// The most allowed.
        limit: usize,
    },
    /// The file ends too early.
    #[error("it ends in the middle of a field")]
    Truncated,
    /// The file is not in the format.
    #[error("it has {what}")]
    Malformed {
        /// What is in it that does not belong there.
        what: String,
    },
    /// There is no graph in it.
    #[error("there is no graph in it")]
    NoGraph,
    /// More nodes than allowed.
    #[error("it has more than {limit} nodes")]
    TooManyNodes {
        /// The most allowed.
        limit: usize,
    },
    /// Graphs lie deeper in each other than allowed.
    #[error("its graphs lie more than {limit} deep in each other")]
    TooDeep {
        /// The deepest allowed.
        limit: usize,
    },
    /// A tensor's elements are in another file.
    #[error("the elements of {tensor:?} are in another file")]
    External {
        /// The tensor.
        tensor: String,
    },
    /// A node takes what no input, constant or other node gives, or the nodes form a circle.
    #[error("node {node:?} takes {value:?}, which nothing before it gives")]
    Dangling {
        /// The node.
        node: String,
        /// What it takes.
        value: String,
    },
    /// A constant declares more elements than it has.
    #[error("the constant {tensor:?} declares {declared} elements, and has {given}")]
    Declares {
        /// The constant.
        tensor: String,
        /// What its shape says.
        declared: u128,
        /// What is in the file at most.
        given: usize,
    },
    /// A node makes more elements of constants than allowed.
    #[error("node {node:?} makes {elements} elements of constants, of at most {limit}")]
    Allocates {
        /// The node.
        node: String,
        /// How many it makes at least.
        elements: u128,
        /// The most allowed.
        limit: usize,
    },
    /// Two nodes give a value of the same name.
    #[error("{value:?} is given twice")]
    GivenTwice {
        /// The value.
        value: String,
    },
}

/// A model file, read; it borrows from the file's bytes.
#[derive(Debug)]
pub(crate) struct OnnxFile<'a> {
    /// The sets of operators that the file uses, by domain.
    pub(crate) opsets: Vec<(&'a str, i64)>,
    pub(crate) graph: Graph<'a>,
}

impl<'a> OnnxFile<'a> {
    /// Reads a file.
    pub(crate) fn read(bytes: &'a [u8], limits: &FileLimits) -> Result<Self, FileError> {
        if bytes.len() > limits.max_file_bytes {
            return Err(FileError::TooLarge { bytes: bytes.len(), limit: limits.max_file_bytes });
        }
        let mut budget = graph::Budget { nodes: limits.max_nodes, limits: *limits };
        let (mut opsets, mut graph) = (Vec::new(), None);
        let mut wire = Wire::new(bytes);
        while let Some((number, field)) = wire.field()? {
            match number {
                7 => graph = Some(Graph::read(field.bytes()?, 1, &mut budget)?),
                8 => opsets.push(opset(field.bytes()?)?),
                _ => {}
            }
        }
        let graph = graph.ok_or(FileError::NoGraph)?;
        graph.check(&[])?;
        sizes::check(&graph, &HashMap::new(), limits)?;
        Ok(Self { opsets, graph })
    }

    /// Returns the version of the set of operators of a domain; "" and "ai.onnx" are the same.
    pub(crate) fn opset(&self, domain: &str) -> Option<i64> {
        let plain = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        let mut all = self.opsets.iter();
        all.find(|(name, _)| *name == domain || plain(name) && plain(domain)).map(|(_, version)| *version)
    }
}

fn opset(bytes: &[u8]) -> Result<(&str, i64), FileError> {
    let (mut domain, mut version) = ("", 0);
    let mut wire = Wire::new(bytes);
    while let Some((number, field)) = wire.field()? {
        match number {
            1 => domain = field.text()?,
            2 => version = field.signed()?,
            _ => {}
        }
    }
    Ok((domain, version))
}
