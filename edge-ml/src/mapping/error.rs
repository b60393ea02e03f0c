//! What is wrong with a mapping, and with a message.

use std::fmt;

use edge_core::fields::BodyError;

/// All that is wrong with a mapping, with the signature of the model that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingMistakes {
    pub(super) signature: String,
    pub(super) mistakes: Vec<(String, String)>,
}

impl MappingMistakes {
    /// Returns the mistakes: which key, and what is wrong with it.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.mistakes.iter().map(|(key, what)| (key.as_str(), what.as_str()))
    }
}

impl fmt::Display for MappingMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, what) in &self.mistakes {
            writeln!(f, "{key}: {what}")?;
        }
        write!(f, "the model is {}", self.signature)
    }
}

impl std::error::Error for MappingMistakes {}

/// Why a message cannot be mapped, or a model's outputs cannot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// The body could not be looked into.
    #[error("a field is in the body, which cannot be read")]
    Body(
        /// Why.
        #[source]
        BodyError,
    ),
    /// There is no value at a field, and no default.
    #[error("there is nothing at `{field}`, which has no default")]
    Missing {
        /// The field.
        field: String,
    },
    /// The value at a field is of the wrong kind.
    #[error("`{field}` is {found}, where {wanted} is wanted")]
    Kind {
        /// The field.
        field: String,
        /// What was found.
        found: String,
        /// What the model takes.
        wanted: &'static str,
    },
    /// An array has the wrong length.
    #[error("`{field}` has {found} numbers, where {wanted} are wanted")]
    Count {
        /// The field.
        field: String,
        /// How many were found.
        found: usize,
        /// How many are wanted.
        wanted: usize,
    },
    /// A number cannot be said in the model's type of elements.
    #[error("`{field}` is {number}, which is no {element}")]
    Range {
        /// The field.
        field: String,
        /// The number, after scaling.
        number: String,
        /// The type of elements.
        element: &'static str,
    },
    /// A raw body has the wrong length.
    #[error("the body has {found} bytes, where the tensor has {wanted}")]
    RawLength {
        /// How many were found.
        found: usize,
        /// How many are wanted.
        wanted: usize,
    },
    /// A raw body holds what is no element.
    #[error("the body holds a number that is not finite, or a truth value that is neither 0 nor 1")]
    RawValue,
    /// The body is no image that can be decoded.
    #[error("the body is no image: {reason}")]
    Image {
        /// What the decoder said.
        reason: String,
    },
    /// The image is too large.
    #[error("the image has {pixels} pixels, of at most {limit}")]
    ImageSize {
        /// How many it has.
        pixels: u64,
        /// How many it may have.
        limit: u64,
    },
    /// A model gave something else than its signature says.
    #[error("the model gave no {wanted} for `{result}`")]
    Output {
        /// The name of the result.
        result: String,
        /// What was expected.
        wanted: &'static str,
    },
    /// A model's output is not a number that JSON can hold.
    #[error("`{result}` is not a finite number")]
    NotFinite {
        /// The name of the result.
        result: String,
    },
    /// The body that results are added to is no JSON object.
    #[error("the body is no JSON object that results could be added to")]
    NotAnObject,
}
