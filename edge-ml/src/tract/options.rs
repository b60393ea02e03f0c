//! What the engine is told beside the file.

use std::collections::BTreeMap;

use crate::FileLimits;
use crate::tensor::Tensor;

/// What the file does not say, and how much it may cost.
///
/// # Examples
/// ```
/// use edge_ml::{Tensor, TractOptions};
///
/// // A model of speech that takes its sampling rate as an input, and sound of any length.
/// let options = TractOptions::default().with_dim("samples", 512).with_constant("sr", Tensor::scalar(16_000i64));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until a model is read with them"]
pub struct TractOptions {
    pub(crate) limits: FileLimits,
    pub(crate) dims: BTreeMap<String, usize>,
    pub(crate) shapes: BTreeMap<String, Vec<usize>>,
    pub(crate) constants: BTreeMap<String, Tensor>,
}

impl TractOptions {
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
}
