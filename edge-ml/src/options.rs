//! What an engine is told beside the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::engine::Engine;
use crate::onnx::FileLimits;
use crate::tensor::Tensor;

/// What the file does not say, what runs it, and how much it may cost.
///
/// The same options mean the same with every engine.
///
/// # Examples
/// ```
/// use edge_ml::{Engine, ReadOptions, Tensor};
///
/// // A model of speech that takes its sampling rate as an input, and sound of any length.
/// let options = ReadOptions::default().with_dim("samples", 512).with_constant("sr", Tensor::scalar(16_000i64));
/// // The same, by the other engine.
/// let options = options.with_engine(Engine::OnnxRuntime).with_library("/usr/lib/libonnxruntime.so");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until a model is read with them"]
pub struct ReadOptions {
    pub(crate) limits: FileLimits,
    pub(crate) dims: BTreeMap<String, usize>,
    pub(crate) shapes: BTreeMap<String, Vec<usize>>,
    pub(crate) constants: BTreeMap<String, Tensor>,
    pub(crate) engine: Option<Engine>,
    pub(crate) library: Option<PathBuf>,
}

impl ReadOptions {
    /// Sets what the file may cost.
    pub fn with_limits(mut self, limits: FileLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the size of a symbolic dimension, wherever the symbol stands.
    pub fn with_dim(mut self, symbol: impl Into<String>, size: usize) -> Self {
        self.dims.insert(symbol.into(), size);
        self
    }

    /// Sets the shape of an input, for models that leave its dimensions without a name.
    pub fn with_shape(mut self, input: impl Into<String>, shape: impl Into<Vec<usize>>) -> Self {
        self.shapes.insert(input.into(), shape.into());
        self
    }

    /// Makes an input a constant: it leaves the signature, and what depends on it alone is computed once.
    pub fn with_constant(mut self, input: impl Into<String>, value: Tensor) -> Self {
        self.constants.insert(input.into(), value);
        self
    }

    /// Sets what runs the model; without it, [`read`](crate::read) chooses.
    pub fn with_engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Sets where the library of ONNX Runtime is; without it, the system looks for `libonnxruntime` where it looks for
    /// libraries. A process has one such library: the first that is named stays.
    pub fn with_library(mut self, path: impl AsRef<Path>) -> Self {
        self.library = Some(path.as_ref().into());
        self
    }

    /// Returns whether there is nothing in the options that specialises a model.
    pub(crate) fn is_plain(&self) -> bool {
        self.dims.is_empty() && self.shapes.is_empty() && self.constants.is_empty()
    }
}
