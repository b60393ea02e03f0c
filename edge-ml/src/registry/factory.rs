//! How a file becomes a model.

use std::fmt;
use std::sync::Arc;

use edge_core::BoxError;
use serde_json::Value;

use super::{ModelName, VersionName};
use crate::model::InferenceModel;
use crate::serve::Translate;
use crate::tensor::Tensor;

/// The file of a version, checked: what a factory opens.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ModelFile<'a> {
    /// The model.
    pub model: &'a ModelName,
    /// The version.
    pub version: &'a VersionName,
    /// The content.
    pub bytes: &'a [u8],
    /// The mapping that was asked for.
    pub mapping: Option<&'a Value>,
    /// The golden samples that came with the wish.
    pub golden: Option<&'a Value>,
}

/// Inputs with the outputs that the model's makers expect.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Golden {
    /// One tensor for each input.
    pub inputs: Vec<Tensor>,
    /// One tensor for each output.
    pub outputs: Vec<Tensor>,
    /// The largest [`divergence`](crate::rollout::divergence) of what the model answers.
    pub tolerance: f64,
}

impl Golden {
    /// Returns the sample.
    #[must_use]
    pub const fn new(inputs: Vec<Tensor>, outputs: Vec<Tensor>, tolerance: f64) -> Self {
        Self { inputs, outputs, tolerance }
    }
}

/// What a factory makes of a file.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The model.
    pub model: Box<dyn InferenceModel>,
    /// What it must answer before it serves.
    pub golden: Vec<Golden>,
    /// How messages become its inputs, and its outputs messages; `None` when it is not fed by messages.
    pub translate: Option<Arc<dyn Translate>>,
}

impl Opened {
    /// Returns the model without golden samples.
    #[must_use]
    pub fn new(model: Box<dyn InferenceModel>) -> Self {
        Self { model, golden: Vec::new(), translate: None }
    }

    /// Sets how messages become inputs, and outputs messages.
    #[must_use]
    pub fn with_translate(mut self, translate: Arc<dyn Translate>) -> Self {
        self.translate = Some(translate);
        self
    }

    /// Adds golden samples.
    #[must_use]
    pub fn with_golden(mut self, golden: Vec<Golden>) -> Self {
        self.golden = golden;
        self
    }
}

/// Why a file is no model.
#[derive(Debug, thiserror::Error)]
#[error("{file} is no model for this gateway: {reason}")]
#[non_exhaustive]
pub struct OpenError {
    /// Name and version.
    pub file: String,
    /// All that is wrong with it.
    pub reason: String,
    /// What the engine said.
    #[source]
    pub source: Option<BoxError>,
}

impl OpenError {
    /// Returns the refusal of a file.
    #[must_use]
    pub fn new(file: &ModelFile<'_>, reason: impl Into<String>) -> Self {
        Self { file: format!("{} {}", file.model, file.version), reason: reason.into(), source: None }
    }
}

/// An engine, as the life cycle of models sees it: it opens files.
///
/// # Contract
/// - `open` MUST refuse what it cannot run, and a mapping that does not fit, with a reason: it is reported as it is.
/// - `open` MUST give the same model for the same file and mapping: it is opened again after each restart.
/// - `open` MUST NOT keep anything of a file that it refused.
///
/// `open` is called in a thread of its own. A panic of it is caught, and refuses the file; when it does not return in time, the
/// file is refused and the thread left behind.
///
/// # Examples
/// ```
/// use edge_ml::registry::{ModelFactory, ModelFile, OpenError, Opened};
/// use edge_ml::Affine;
///
/// /// A file with one number is a model that multiplies by it.
/// #[derive(Debug)]
/// struct Factors;
///
/// impl ModelFactory for Factors {
///     fn open(&self, file: &ModelFile<'_>) -> Result<Opened, OpenError> {
///         let text = std::str::from_utf8(file.bytes).unwrap_or_default();
///         let factor = text.parse().map_err(|_| OpenError::new(file, "it is no number"))?;
///         let model = Affine::new(&[factor], &[0.0]).map_err(|error| OpenError::new(file, error.to_string()))?;
///         Ok(Opened::new(Box::new(model)))
///     }
/// }
/// ```
pub trait ModelFactory: fmt::Debug + Send + Sync + 'static {
    /// Opens a file as a model; it may take its time, and is called on a thread that may block.
    ///
    /// # Errors
    /// [`OpenError`] when the file is no model that this factory runs.
    fn open(&self, file: &ModelFile<'_>) -> Result<Opened, OpenError>;
}
