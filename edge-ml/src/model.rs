//! The engine behind a model, as the gateway sees it.

use std::fmt;
use std::time::Duration;

use edge_core::BoxError;

use crate::signature::{MisfitError, Signature};
use crate::tensor::{Tensor, TensorView};

/// Why a model did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The inputs are not what the model takes.
    #[error("the inputs are not what the model takes")]
    Input(
        /// What does not fit.
        #[source]
        MisfitError,
    ),
    /// The inputs fit the signature, and the model has no answer for them.
    #[error("the model has no answer: {reason}")]
    Failed {
        /// Why, as the engine says it.
        reason: String,
    },
    /// The engine failed.
    #[error("the engine failed")]
    Engine(
        /// What it said.
        #[source]
        BoxError,
    ),
    /// The engine panicked; the model must not be used any more.
    #[error("the engine panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The model did not answer in time; it must not be used any more.
    #[error("no answer came within {} ms", after.as_millis())]
    TimedOut {
        /// How long it was given.
        after: Duration,
    },
    /// The model was marked bad earlier.
    #[error("the model is bad: {reason}")]
    Bad {
        /// What it did.
        reason: String,
    },
}

impl RunError {
    /// Returns whether the model must not be used any more: not only these inputs are at fault.
    #[must_use]
    pub const fn is_bad(&self) -> bool {
        matches!(self, Self::Panicked { .. } | Self::TimedOut { .. } | Self::Bad { .. })
    }

    /// Returns the name of the cause, as metrics label it.
    #[must_use]
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Input(_) => "input",
            Self::Failed { .. } => "failed",
            Self::Engine(_) => "engine",
            Self::Panicked { .. } => "panicked",
            Self::TimedOut { .. } => "timed_out",
            Self::Bad { .. } => "bad",
        }
    }
}

impl From<MisfitError> for RunError {
    fn from(error: MisfitError) -> Self {
        Self::Input(error)
    }
}

/// A loaded model: tensors in, tensors out. It is synchronous and used by one thread at a time.
///
/// # Contract
/// - `signature` MUST always say the same.
/// - `run` MUST refuse inputs that do not fit the signature with [`RunError::Input`], and MUST answer later inputs as
///   if it had not been called. A device's malformed message would stop the model for all others otherwise.
/// - `run` MUST return one tensor for each output of the signature, in its order, of its type and dimensions; a symbol
///   that also stands in the inputs has the inputs' size.
/// - What `run` returns MUST depend on its inputs alone: not on earlier calls, not on time. A message is run again
///   after a crash, and a candidate is compared with what it replaces.
/// - When [`Signature::is_batched`], each row of an answer MUST depend on the same row of the inputs alone, up to the
///   rounding of the engine: rows of different messages are run together.
/// - `fork` MUST return a model with the same signature and the same answers, which shares nothing that a run changes.
/// - `run` MUST NOT panic on any values: not on NaN, not on infinities, not on zero rows.
///
/// The conformance kit is `edge_ml::testing::model`, behind the feature `testing`.
///
/// # Examples
/// ```
/// use edge_ml::{Dim, ElementType, InferenceModel, Port, RunError, Signature, Tensor, TensorView};
///
/// #[derive(Debug, Clone)]
/// struct Doubled(Signature);
///
/// impl InferenceModel for Doubled {
///     fn signature(&self) -> &Signature {
///         &self.0
///     }
///
///     fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
///         self.0.check_inputs(inputs)?;
///         let values = inputs[0].values::<f32>().unwrap_or_default();
///         let doubled = values.iter().map(|value| value * 2.0).collect();
///         Ok(vec![Tensor::new(inputs[0].shape(), doubled).map_err(|error| RunError::Engine(error.into()))?])
///     }
///
///     fn fork(&self) -> Box<dyn InferenceModel> {
///         Box::new(self.clone())
///     }
/// }
///
/// let port = Port::new("x", ElementType::F32, vec![Dim::Symbol("n".into())]);
/// let mut model = Doubled(Signature::new(vec![port.clone()], vec![port]));
/// let answer = model.run(&[TensorView::new(&[2], &[1.0f32, 2.0])?])?;
/// assert_eq!(answer[0].values::<f32>(), Some(&[2.0, 4.0][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait InferenceModel: fmt::Debug + Send + 'static {
    /// Returns what the model takes and gives.
    fn signature(&self) -> &Signature;

    /// Runs the model on one tensor for each input of the signature, in its order.
    ///
    /// # Errors
    /// [`RunError`] when there is no answer.
    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError>;

    /// Returns another instance of the same model, for another thread; weights may be shared.
    fn fork(&self) -> Box<dyn InferenceModel>;
}

impl<M: InferenceModel + ?Sized> InferenceModel for Box<M> {
    fn signature(&self) -> &Signature {
        (**self).signature()
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
        (**self).run(inputs)
    }

    fn fork(&self) -> Box<dyn InferenceModel> {
        (**self).fork()
    }
}

const _: Option<&dyn InferenceModel> = None;
