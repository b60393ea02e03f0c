//! The smallest model: a factor and a summand for each column.

use std::sync::Arc;

use crate::model::{InferenceModel, RunError};
use crate::signature::{Dim, Port, Signature};
use crate::tensor::{ElementType, Tensor, TensorView};

/// Multiplies each column of `x: f32[batch, n]` by a factor and adds a summand, into `y: f32[batch, n]`.
///
/// It is the reference model: what the gateway does with any model can be tried with it, without an engine.
///
/// # Examples
/// ```
/// use edge_ml::{Affine, InferenceModel};
///
/// let model = Affine::new(&[1.8], &[32.0])?;
/// assert_eq!(model.signature().to_string(), "x: f32[batch, 1] -> y: f32[batch, 1]");
/// # Ok::<(), edge_ml::AffineError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Affine {
    signature: Signature,
    columns: Arc<[(f32, f32)]>,
}

/// Why there is no such [`Affine`] model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{factors} factors and {summands} summands do not make columns")]
#[non_exhaustive]
pub struct AffineError {
    /// How many factors were given.
    pub factors: usize,
    /// How many summands were given.
    pub summands: usize,
}

impl Affine {
    /// Returns the model with these factors and summands, one of each for a column.
    ///
    /// # Errors
    /// [`AffineError`] when there are none, or not as many of both.
    pub fn new(factors: &[f32], summands: &[f32]) -> Result<Self, AffineError> {
        if factors.is_empty() || factors.len() != summands.len() {
            return Err(AffineError { factors: factors.len(), summands: summands.len() });
        }
        let dims = vec![Dim::Symbol("batch".into()), Dim::Fixed(factors.len())];
        let port = |name: &str| Port::new(name, ElementType::F32, dims.clone());
        let columns = factors.iter().copied().zip(summands.iter().copied()).collect();
        Ok(Self { signature: Signature::new(vec![port("x")], vec![port("y")]), columns })
    }
}

impl InferenceModel for Affine {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
        self.signature.check_inputs(inputs)?;
        let Some((input, values)) = inputs.first().and_then(|input| Some((input, input.values::<f32>()?)))
        else {
            return Ok(Vec::new());
        };
        let columns = self.columns.iter().cycle();
        let answer =
            values.iter().zip(columns).map(|(value, (factor, summand))| value * factor + summand).collect();
        let tensor = Tensor::new(input.shape(), answer).map_err(|error| RunError::Engine(error.into()))?;
        Ok(vec![tensor])
    }

    fn fork(&self) -> Box<dyn InferenceModel> {
        Box::new(self.clone())
    }
}
