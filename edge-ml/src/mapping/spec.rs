//! A mapping as it is declared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A mapping as it is declared; the [module's documentation](crate::mapping) says what each key means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the module's tables say what each is")]
pub struct MappingSpec {
    #[serde(default)]
    pub inputs: BTreeMap<String, InputSpec>,
    #[serde(default)]
    pub outputs: BTreeMap<String, OutputSpec>,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default)]
    pub on_error: Option<String>,
    #[serde(default)]
    pub key: Option<String>,
    #[serde(default)]
    pub max_keys: Option<usize>,
}

/// What one input of a model is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the module's tables say what each is")]
pub struct InputSpec {
    #[serde(default)]
    pub fields: Option<Vec<PlainOrField>>,
    #[serde(default)]
    pub window: Option<usize>,
    #[serde(default)]
    pub image: Option<ImageSpec>,
    #[serde(default)]
    pub raw: bool,
    #[serde(default)]
    pub shape: Option<Vec<usize>>,
}

/// A field, with or without what is done to its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "the two ways to write a field")]
pub enum PlainOrField {
    /// The field alone.
    Plain(
        /// Its name.
        String,
    ),
    /// The field, and what is done to its value.
    Field(
        /// Both.
        FieldSpec,
    ),
}

/// A field, and what is done to its value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the module's tables say what each is")]
pub struct FieldSpec {
    pub field: String,
    #[serde(default)]
    pub scale: Option<f64>,
    #[serde(default)]
    pub offset: Option<f64>,
    #[serde(default)]
    pub default: Option<f64>,
    #[serde(default)]
    pub count: Option<usize>,
}

/// An image in the body.
///
/// | key | what it says | left out |
/// |---|---|---|
/// | `width`, `height` | the size that the model wants | from its shape |
/// | `layout` | `nchw` or `nhwc` | from its shape |
/// | `fit` | `stretch`, or `crop` (the middle, keeping the proportions) | `stretch` |
/// | `colours` | `rgb`, `bgr` or `grey` | `rgb`, `grey` for one channel |
/// | `scale` | what each of 0 to 255 is multiplied by | 1/255, or 1 for whole numbers |
/// | `mean`, `std` | for each colour, after scaling: `(value − mean) ÷ std` | 0 and 1 |
/// | `max_pixels` | the most that an image may have; a larger one is refused before it is decoded | 16,777,216 |
///
/// Decoding takes at most 8 bytes for each pixel that is allowed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the table above says what each is")]
pub struct ImageSpec {
    #[serde(default)]
    pub width: Option<u32>,
    #[serde(default)]
    pub height: Option<u32>,
    #[serde(default)]
    pub layout: Option<String>,
    #[serde(default)]
    pub fit: Option<String>,
    #[serde(default)]
    pub colours: Option<String>,
    #[serde(default)]
    pub scale: Option<f64>,
    #[serde(default)]
    pub mean: Option<Vec<f64>>,
    #[serde(default)]
    pub std: Option<Vec<f64>>,
    #[serde(default)]
    pub max_pixels: Option<u64>,
}

/// What one result is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the module's tables say what each is")]
pub struct OutputSpec {
    #[serde(default)]
    pub from: Option<String>,
    #[serde(default)]
    pub take: Option<String>,
    #[serde(default)]
    pub index: Option<usize>,
    #[serde(default)]
    pub threshold: Option<f64>,
    #[serde(default)]
    pub labels: Option<Vec<String>>,
    #[serde(default)]
    pub labels_file: Option<String>,
    #[serde(default)]
    pub scale: Option<f64>,
    #[serde(default)]
    pub offset: Option<f64>,
    #[serde(default)]
    pub property: bool,
}

/// What to do with a message that cannot be mapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMapError {
    /// `dead-letter`: refuse it, so that the gateway sets it aside.
    #[default]
    DeadLetter,
    /// `pass`: send it on as it came.
    Pass,
    /// `drop`: drop it, and count it.
    Drop,
}
