//! Why a model could not be loaded.

use std::path::PathBuf;

use edge_core::BoxError;

use crate::engine::Engine;
use crate::onnx::{FileError, Node};

/// A node of a model that cannot be run here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnsupportedNode {
    /// The node's name, or the name of what it gives when it has none.
    pub node: String,
    /// Its operator, with the domain where that is not the default one, for instance `ai.onnx.ml.ZipMap`.
    pub operator: String,
    /// Why it cannot, where an engine knows the operator and would answer wrongly.
    pub reason: Option<&'static str>,
}

impl UnsupportedNode {
    pub(crate) fn of(node: &Node<'_>) -> Self {
        Self::named(node.title(), node.domain, node.operator)
    }

    pub(crate) fn named(name: &str, domain: &str, operator: &str) -> Self {
        let operator = match domain {
            "" | "ai.onnx" => operator.into(),
            domain => format!("{domain}.{operator}"),
        };
        Self { node: name.into(), operator, reason: None }
    }

    #[cfg(any(feature = "ort", feature = "tract"))]
    pub(crate) fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }
}

impl std::fmt::Display for UnsupportedNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.reason {
            Some(reason) => write!(f, "{} ({}: {reason})", self.node, self.operator),
            None => write!(f, "{} ({})", self.node, self.operator),
        }
    }
}

fn listed(nodes: &[UnsupportedNode]) -> String {
    const SHOWN: usize = 8;
    let mut text = nodes.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if let Some(more) = nodes.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text += &format!(" and {more} more");
    }
    text
}

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file is no model file.
    #[error("the file is no ONNX model")]
    File(
        /// What is wrong with it.
        #[from]
        FileError,
    ),
    /// The model has operators that cannot be run.
    #[error("there is nothing here that runs {}", listed(nodes))]
    Unsupported {
        /// The nodes, in the order of the file.
        nodes: Vec<UnsupportedNode>,
    },
    /// An input or an output is of a type that tensors here cannot have.
    #[error("{value:?} is of a type that no tensor has")]
    Type {
        /// The input or output.
        value: String,
    },
    /// The engine needs to know the size of a dimension that the model leaves open.
    #[error("the engine needs the size of {symbol} in {port}")]
    Dimension {
        /// The dimension's symbol.
        symbol: String,
        /// The input that has it.
        port: String,
        /// What the engine said without it.
        #[source]
        source: BoxError,
    },
    /// A constant was given for an input that the model does not have.
    #[error("the model has no input {input:?}")]
    NoInput {
        /// The input.
        input: String,
    },
    /// This build has not the engine that was asked for.
    #[error("the engine {engine} is not built in")]
    NotBuiltIn {
        /// The engine.
        engine: Engine,
    },
    /// The engine cannot specialise a model.
    #[error("the engine {engine} takes neither sizes nor constants")]
    Options {
        /// The engine.
        engine: Engine,
    },
    /// The library of the engine cannot be loaded.
    #[error("the library {path:?} cannot be used")]
    Library {
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
    /// The engine refuses the model.
    #[error("the engine refuses the model while {stage}")]
    Engine {
        /// What it was doing.
        stage: &'static str,
        /// What it said.
        #[source]
        source: BoxError,
    },
    /// The engine panicked.
    #[error("the engine panicked while {stage}: {message}")]
    Panicked {
        /// What it was doing.
        stage: &'static str,
        /// What the panic said.
        message: String,
    },
}
