//! What a twin may hold, in numbers.

use std::fmt;

use crate::json;
use crate::{Map, Value};

/// The limits of one section of a twin.
///
/// # Units
/// Sizes are bytes of UTF-8; a document is measured as compact JSON without `$metadata` and `$version`. Depth counts
/// objects and arrays below the section itself.
///
/// # Examples
/// ```
/// use edge_twin::{Limits, Patch, PatchError};
///
/// let limits = Limits::default();
/// let error = Patch::parse(br#"{"plant": {"line.7": 1}}"#, &limits).unwrap_err();
/// assert_eq!(error.to_string(), "key \"line.7\" in `plant` holds '.', which is not allowed in a key");
/// ```
///
/// # Source
/// Azure IoT Hub, "Understand and use device twins", "Device twin limits"; Azure IoT Edge checks the same, and besides
/// refuses `#` in keys and null in arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest text that is read at all, with its blanks.
    pub text_bytes: usize,
    /// The largest document, and the largest patch.
    pub document_bytes: usize,
    /// The longest key.
    pub key_bytes: usize,
    /// The longest string.
    pub string_bytes: usize,
    /// How deep objects and arrays may be nested.
    pub depth: usize,
    /// The lowest integer.
    pub lowest_integer: i64,
    /// The highest integer.
    pub highest_integer: i64,
    /// Whether there may be arrays.
    pub arrays: bool,
}

impl Default for Limits {
    /// Returns the limits of desired and of reported properties: 32 KiB, 10 levels, keys of 1 KiB, strings of 4 KiB,
    /// integers of 53 bits.
    fn default() -> Self {
        Self {
            text_bytes: 128 * 1024,
            document_bytes: 32 * 1024,
            key_bytes: 1024,
            string_bytes: 4096,
            depth: 10,
            lowest_integer: -(1 << 52),
            highest_integer: (1 << 52) - 1,
            arrays: true,
        }
    }
}

impl Limits {
    /// Returns the limits of tags: as for properties, but 8 KiB.
    #[must_use]
    pub fn tags() -> Self {
        Self { document_bytes: 8 * 1024, ..Self::default() }
    }

    /// Returns the limits that old releases of Azure IoT Edge had: 8 KiB, 5 levels, keys of 4 KiB, no arrays.
    #[must_use]
    pub fn legacy() -> Self {
        Self { document_bytes: 8 * 1024, key_bytes: 4096, depth: 5, arrays: false, ..Self::default() }
    }

    /// Sets the size of the largest document and of the largest patch.
    #[must_use]
    pub fn with_document_bytes(mut self, document_bytes: usize) -> Self {
        self.document_bytes = document_bytes;
        self.text_bytes = self.text_bytes.max(document_bytes.saturating_mul(2));
        self
    }

    /// Checks the members of a document or a patch.
    ///
    /// # Errors
    /// [`LimitError`] for the first limit that is broken, with the place.
    pub fn check(&self, members: &Map) -> Result<(), LimitError> {
        let bytes = 1 + members
            .iter()
            .map(|(key, value)| json::string_len(key) + 2 + json::len(value))
            .sum::<usize>()
            .max(1);
        if bytes > self.document_bytes {
            return Err(LimitError::new(Limit::DocumentBytes { bytes, max: self.document_bytes }));
        }
        self.members(members, 0, false)
    }

    fn members(&self, members: &Map, depth: usize, in_array: bool) -> Result<(), LimitError> {
        for (key, value) in members {
            self.key(key)?;
            self.value(value, depth + 1, in_array).map_err(|error| error.within(key))?;
        }
        Ok(())
    }

    fn key(&self, key: &str) -> Result<(), LimitError> {
        if key.len() > self.key_bytes {
            let limit = Limit::KeyBytes { key: short(key), bytes: key.len(), max: self.key_bytes };
            return Err(LimitError::new(limit));
        }
        let is_bad = |&c: &char| c.is_control() || c.is_whitespace() || matches!(c, '.' | '$' | '#');
        match key.chars().find(is_bad) {
            Some(found) => Err(LimitError::new(Limit::KeyCharacter { key: short(key), found })),
            None => Ok(()),
        }
    }

    fn value(&self, value: &Value, depth: usize, in_array: bool) -> Result<(), LimitError> {
        let limit = match value {
            Value::Null if in_array => Limit::NullInArray,
            Value::Integer(number) if !(self.lowest_integer..=self.highest_integer).contains(number) => {
                Limit::Integer { number: *number, min: self.lowest_integer, max: self.highest_integer }
            }
            Value::String(text) if text.len() > self.string_bytes => {
                Limit::StringBytes { bytes: text.len(), max: self.string_bytes }
            }
            Value::Array(_) if !self.arrays => Limit::Array,
            Value::Array(_) | Value::Object(_) if depth > self.depth.min(json::MAX_LEVELS) => {
                Limit::Depth { max: self.depth }
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.value(item, depth + 1, true).map_err(|error| error.within(&at.to_string()))?;
                }
                return Ok(());
            }
            Value::Object(members) => return self.members(members, depth, in_array),
            _ => return Ok(()),
        };
        Err(LimitError::new(limit))
    }
}

/// The limits of the three sections of a twin.
///
/// # Examples
/// ```
/// use edge_twin::TwinLimits;
///
/// let limits = TwinLimits::default();
/// assert_eq!((limits.tags.document_bytes, limits.desired.document_bytes), (8192, 32768));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TwinLimits {
    /// Of the tags.
    pub tags: Limits,
    /// Of the desired properties.
    pub desired: Limits,
    /// Of the reported properties.
    pub reported: Limits,
}

impl Default for TwinLimits {
    fn default() -> Self {
        Self { tags: Limits::tags(), desired: Limits::default(), reported: Limits::default() }
    }
}

/// A limit that is broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitError {
    /// The keys that lead there, separated by points and cut when long; empty for the whole document.
    pub path: String,
    /// What is broken.
    pub limit: Limit,
}

impl LimitError {
    /// Returns how large the document is and how large it may be, when that is what is broken.
    #[must_use]
    pub fn bytes_and_max(&self) -> Option<(usize, usize)> {
        match self.limit {
            Limit::DocumentBytes { bytes, max } => Some((bytes, max)),
            _ => None,
        }
    }

    /// Says that the document is a part of another.
    pub(crate) fn below(mut self, part: &str) -> Self {
        let separator = if self.path.is_empty() { "" } else { "." };
        self.path = format!("{part}{separator}{}", self.path);
        self
    }
}

/// What a document or a patch has too much of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// The document or patch is too large.
    DocumentBytes {
        /// How large it is.
        bytes: usize,
        /// The most allowed.
        max: usize,
    },
    /// A key is too long.
    KeyBytes {
        /// The beginning of the key.
        key: String,
        /// How long it is.
        bytes: usize,
        /// The most allowed.
        max: usize,
    },
    /// A key holds a character that it may not hold.
    KeyCharacter {
        /// The key, or its beginning.
        key: String,
        /// The character.
        found: char,
    },
    /// A string is too long.
    StringBytes {
        /// How long it is.
        bytes: usize,
        /// The most allowed.
        max: usize,
    },
    /// An integer is out of range.
    Integer {
        /// The integer.
        number: i64,
        /// The lowest allowed.
        min: i64,
        /// The highest allowed.
        max: i64,
    },
    /// Objects or arrays are nested too deep.
    Depth {
        /// The most levels allowed.
        max: usize,
    },
    /// Null in an array, or in an object in an array.
    NullInArray,
    /// An array, where none are allowed.
    Array,
}

impl LimitError {
    fn new(limit: Limit) -> Self {
        Self { path: String::new(), limit }
    }

    /// Puts a key in front of the path.
    fn within(mut self, key: &str) -> Self {
        const MAX_PATH_BYTES: usize = 512;
        if self.path.len() < MAX_PATH_BYTES {
            let separator = if self.path.is_empty() { "" } else { "." };
            self.path = format!("{}{separator}{}", short(key), self.path);
        }
        self
    }
}

/// Returns the beginning of a key, for a message.
fn short(key: &str) -> String {
    const MAX_CHARS: usize = 40;
    match key.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", key.get(..end).unwrap_or_default()),
        None => key.to_owned(),
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        let place = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
        match &self.limit {
            Limit::DocumentBytes { bytes, max } => {
                write!(f, "document has {bytes} bytes, at most {max} are allowed")
            }
            Limit::KeyBytes { key, bytes, max } => {
                write!(f, "key {key:?}{place} has {bytes} bytes, at most {max} are allowed")
            }
            Limit::KeyCharacter { key, found } => {
                write!(f, "key {key:?}{place} holds {found:?}, which is not allowed in a key")
            }
            Limit::StringBytes { bytes, max } => {
                write!(f, "string at `{path}` has {bytes} bytes, at most {max} are allowed")
            }
            Limit::Integer { number, min, max } => {
                write!(f, "integer at `{path}` is {number}, from {min} to {max} is allowed")
            }
            Limit::Depth { max } => write!(f, "value at `{path}` is nested deeper than {max} levels"),
            Limit::NullInArray => write!(f, "null at `{path}` is in an array"),
            Limit::Array => write!(f, "value at `{path}` is an array, which is not allowed"),
        }
    }
}

impl std::error::Error for LimitError {}
