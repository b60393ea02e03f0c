//! What was found at a field.

use std::borrow::Cow;

/// What a message has at a field, not yet read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldValue<'m> {
    /// Nothing.
    #[default]
    Missing,
    /// A property's text.
    Text(&'m str),
    /// A value of the body, as its JSON text.
    Json(&'m str),
}

/// A value that is no object and no array.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Scalar<'m> {
    /// Nothing was found, or a property without a value.
    Missing,
    /// JSON's `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; one beyond the range of a double is infinite.
    Number(f64),
    /// A text.
    Text(Cow<'m, str>),
    /// An object or an array.
    Structured,
}

impl Scalar<'_> {
    /// Returns what kind of value it is, in a word for messages to people.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Bool(_) => "a truth value",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Structured => "an object or array",
        }
    }
}

impl<'m> FieldValue<'m> {
    /// Returns the value as a scalar. A property's text stays a text; see [`FieldValue::number`].
    ///
    /// # Examples
    /// ```
    /// use edge_core::fields::{FieldValue, Scalar};
    ///
    /// assert_eq!(FieldValue::Json("21.5").scalar(), Scalar::Number(21.5));
    /// assert_eq!(FieldValue::Json(r#""a\n""#).scalar(), Scalar::Text("a\n".into()));
    /// ```
    #[must_use]
    pub fn scalar(self) -> Scalar<'m> {
        match self {
            Self::Missing => Scalar::Missing,
            Self::Text(text) => Scalar::Text(Cow::Borrowed(text)),
            Self::Json(json) => match json.as_bytes().first() {
                Some(b'n') => Scalar::Null,
                Some(b't') => Scalar::Bool(true),
                Some(b'f') => Scalar::Bool(false),
                Some(b'"') => text(json),
                Some(b'{' | b'[') | None => Scalar::Structured,
                Some(_) => json.parse().map_or(Scalar::Structured, Scalar::Number),
            },
        }
    }

    /// Returns the value as a number: a JSON number, or the number that a property's text says.
    ///
    /// # Errors
    /// The scalar that it is instead. A number that is infinite or not a number is returned as it is: whoever wants
    /// a finite one checks.
    ///
    /// # Examples
    /// ```
    /// use edge_core::fields::{FieldValue, Scalar};
    ///
    /// assert_eq!(FieldValue::Text("7.5").number(), Ok(7.5));
    /// assert_eq!(FieldValue::Json(r#""7.5""#).number(), Err(Scalar::Text("7.5".into())));
    /// ```
    pub fn number(self) -> Result<f64, Scalar<'m>> {
        match self.scalar() {
            Scalar::Number(number) => Ok(number),
            Scalar::Text(text) if matches!(self, Self::Text(_)) => {
                text.trim().parse().map_err(|_| Scalar::Text(text))
            }
            other => Err(other),
        }
    }
}

fn text(json: &str) -> Scalar<'_> {
    let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or_default();
    if !inner.contains('\\') {
        return Scalar::Text(Cow::Borrowed(inner));
    }
    // Half a surrogate pair is the one escape that the pass over the body lets through.
    serde_json::from_str::<String>(json).map_or(Scalar::Structured, |text| Scalar::Text(Cow::Owned(text)))
}
