//! JSON values as twins hold them.

use std::collections::BTreeMap;
use std::fmt;

use crate::json;
use crate::json::JsonError;

/// The members of a JSON object, by rising key.
pub type Map = BTreeMap<Box<str>, Value>;

/// A JSON value that keeps integers and other numbers apart: `1` and `1.0` differ.
///
/// # Examples
/// ```
/// use edge_twin::Value;
///
/// let value = Value::parse(br#"{"b": [1, 1.0], "a": null}"#)?;
/// assert_eq!(value.to_string(), r#"{"a":null,"b":[1,1.0]}"#);
/// assert_ne!(Value::parse(b"1")?, Value::parse(b"1.0")?);
/// # Ok::<(), edge_twin::JsonError>(())
/// ```
///
/// # Source
/// RFC 8259. That `1` and `1.0` differ is how Azure IoT Edge compares twins.
#[derive(Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "JSON has these values and no others")]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number written without a point and an exponent.
    Integer(i64),
    /// A number written with a point or an exponent; always finite.
    Float(f64),
    /// A text.
    String(Box<str>),
    /// A list.
    Array(Vec<Self>),
    /// An object.
    Object(Map),
}

impl Value {
    /// Reads a JSON text of at most 64 levels; of members with the same key the last one counts.
    ///
    /// # Errors
    /// [`JsonError`] when the text is no JSON, is deeper, or has a number that cannot be held.
    pub fn parse(text: &[u8]) -> Result<Self, JsonError> {
        json::read(text)
    }

    /// Returns the members of an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Map> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Returns the text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value of an integer.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the value of a member of an object.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// Writes the value as compact JSON behind what is in `out`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        json::write(self, out);
    }
}

impl fmt::Display for Value {
    /// Writes compact JSON, members by rising key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        json::write(self, &mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<Map> for Value {
    fn from(members: Map) -> Self {
        Self::Object(members)
    }
}
