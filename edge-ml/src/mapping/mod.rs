//! From messages to tensors and back, declared and not coded.
//!
//! ```toml
//! [inputs.x]                       # the model's input `x`: f32[n, 32, 2]
//! window = 32                      # the last 32 readings of each device, the oldest first
//! fields = ["$body.rms", { field = "$body.bar", scale = 0.1, offset = -1.0, default = 0.0 }]
//!
//! [outputs.score]                  # the field `score` of the result
//! from = "y"                       # the model's output `y`
//! [outputs.alarm]
//! from = "y"
//! take = "above"
//! threshold = 0.8
//! ```
//!
//! A mapping is checked against a model's [`Signature`] when it is loaded
//! ([`MappingSpec::check`]), with all mistakes at once and the signature shown.
//!
//! # Inputs
//! | key | what it says | left out |
//! |---|---|---|
//! | `fields` | fields of the message, each a text or a table `{ field, scale, offset, default, count }`; a number becomes `(number + offset) × scale`; `count` is how many numbers an array at the field has | |
//! | `window` | so many messages of each key, the oldest first | 1: this message only |
//! | `image` | the body is a JPEG or PNG, see [`ImageSpec`] | |
//! | `raw` | `true`: the body is the tensor's elements, little-endian | |
//! | `shape` | the tensor's shape | that of the model, with 1 where it is open |
//!
//! # Outputs
//! | key | what it says | left out |
//! |---|---|---|
//! | `from` | the model's output | the only one |
//! | `take` | `value` (the element at `index`), `all`, `argmax` (where the largest is, or its label), `max`, `above` (whether the element at `index` is above `threshold`) | `value` |
//! | `index` | which element | 0 |
//! | `threshold` | for `above` | 0.5 |
//! | `labels`, `labels_file` | names for `argmax`: a list, or a file with one a line | |
//! | `scale`, `offset` | a number becomes `(number + offset) × scale` | 1, 0 |
//! | `property` | `true`: an application property, and not a member of the body | `false` |
//!
//! # The message
//! | `message` | body of the result |
//! |---|---|
//! | `replace` (left out) | a JSON object of the results |
//! | `extend` | the JSON object that came, with the results added |
//! | `keep` | the body that came; all results are properties |
//!
//! Properties stay. `key` is the field by which windows are told apart (the device, or device and module, when left
//! out), and `max_keys` how many are kept (10000); the one that was silent longest is forgotten, which is counted.

mod check;
mod error;
#[cfg(feature = "image")]
mod image;
mod input;
mod numbers;
mod output;
mod spec;
mod windows;

use edge_core::fields::FieldSet;
use edge_core::{Message, MessageBuilder};

pub use error::{MapError, MappingMistakes};
pub use spec::{FieldSpec, ImageSpec, InputSpec, MappingSpec, OnMapError, OutputSpec, PlainOrField};
pub use windows::MappingWindows;

use crate::{Signature, Tensor};

/// A mapping that fits a model.
///
/// # Examples
/// ```
/// use edge_core::{Message, Source};
/// use edge_ml::mapping::{MappingSpec, MappingWindows};
/// use edge_ml::{Affine, InferenceModel};
///
/// let mut model = Affine::new(&[2.0], &[1.0])?;
/// let spec: MappingSpec = serde_json::from_str(
///     r#"{"inputs": {"x": {"fields": ["$body.t"]}}, "outputs": {"y": {"from": "y"}}}"#,
/// )?;
/// let mapping = spec.check(model.signature(), std::path::Path::new("."))?;
/// let message = Message::builder(&Source::telemetry()).body(br#"{"t": 20.5}"#).build();
/// let mut windows = MappingWindows::new(&mapping);
/// let inputs = mapping.inputs(&message, &mut windows)?.ok_or("the window is not full")?;
/// let views: Vec<_> = inputs.iter().map(|tensor| tensor.view()).collect();
/// let result = mapping.result(&message, &model.run(&views)?)?.build();
/// assert_eq!(result.body(), br#"{"y":42}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mapping {
    pub(crate) set: FieldSet,
    pub(crate) fields: Vec<edge_core::fields::Field>,
    pub(crate) inputs: Vec<input::Input>,
    pub(crate) outputs: Vec<output::Output>,
    pub(crate) body: output::Body,
    pub(crate) key: windows::Key,
    pub(crate) max_keys: usize,
    pub(crate) on_error: Option<OnMapError>,
    pub(crate) signature: Signature,
}

impl Mapping {
    /// Returns the tensors for a message, in the order of the model's inputs; `None` while a window is not full yet.
    ///
    /// The message is in its windows from then on: a message is given once.
    ///
    /// # Errors
    /// [`MapError`] when the message does not have what the mapping asks for; windows have not changed.
    pub fn inputs(
        &self,
        message: &Message,
        windows: &mut MappingWindows,
    ) -> Result<Option<Vec<Tensor>>, MapError> {
        let found = self.set.read(message).map_err(MapError::Body)?;
        let rows = self
            .inputs
            .iter()
            .map(|input| input.row(message, &found, self))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(rows) = windows.push(self, &found, rows)? else { return Ok(None) };
        let tensors = self.inputs.iter().zip(rows).map(|(input, row)| input.tensor(row));
        tensors.collect::<Result<_, _>>().map(Some)
    }

    /// Returns the message of a model's outputs: what came, with what the mapping makes of it.
    ///
    /// # Errors
    /// [`MapError`] when the outputs are not as the model's signature says, or a result is no number.
    pub fn result(&self, message: &Message, outputs: &[Tensor]) -> Result<MessageBuilder, MapError> {
        output::result(self, message, outputs)
    }

    /// Returns what to do with a message that cannot be mapped.
    #[must_use]
    pub fn on_error(&self) -> OnMapError {
        self.on_error.unwrap_or_default()
    }

    /// Returns what to do with a message that cannot be mapped, if the mapping says it.
    #[must_use]
    pub fn declared_on_error(&self) -> Option<OnMapError> {
        self.on_error
    }

    /// Returns the signature that the mapping was checked against.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }
}
