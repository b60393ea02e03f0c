//! Changes of a section.

use std::fmt;

use bytes::Bytes;

use crate::merge::{Nulls, diff_members, merge_members};
use crate::{JsonError, LimitError, Limits, Map, Value, json};

/// The keys that a client may send along and that mean nothing in a patch.
const METADATA: [&str; 2] = ["$metadata", "$version"];

/// A change of a section: members to set, and nulls for members to remove.
///
/// A patch is within the limits that it was parsed with; it cannot be made otherwise.
///
/// # Examples
/// ```
/// use edge_twin::{Limits, Patch};
///
/// let patch = Patch::parse(br#"{"fan": {"rpm": 900, "mode": null}, "$version": 7}"#, &Limits::default())?;
/// assert_eq!(patch.stated_version(), Some(7));
/// assert_eq!(patch.to_json(), r#"{"fan":{"mode":null,"rpm":900}}"#);
/// assert_eq!(patch.to_json_with_version(8), r#"{"fan":{"mode":null,"rpm":900},"$version":8}"#);
/// # Ok::<(), edge_twin::PatchError>(())
/// ```
///
/// # Source
/// RFC 7396, and Azure IoT Hub: `$version` and `$metadata` that a client sends are ignored.
#[derive(Clone, Default, PartialEq)]
pub struct Patch {
    members: Map,
    stated_version: Option<u64>,
}

/// Why a text is no patch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// The text is too long to be read.
    #[error("text has {bytes} bytes, at most {max} are read")]
    TextTooLong {
        /// How long it is.
        bytes: usize,
        /// The most that are read.
        max: usize,
    },
    /// The text is no JSON.
    #[error("no JSON")]
    Json(#[from] JsonError),
    /// The text is JSON, and no object.
    #[error("{what} is no object")]
    NotAnObject {
        /// What should be one.
        what: &'static str,
    },
    /// A limit is broken.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

impl PatchError {
    /// Returns whether the text or the document is too large, which services answer with 413 where others get 400.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.bytes_and_max().is_some()
    }

    /// Returns how large the text or the document is and how large it may be, when it is too large.
    #[must_use]
    pub fn bytes_and_max(&self) -> Option<(usize, usize)> {
        match self {
            Self::TextTooLong { bytes, max } => Some((*bytes, *max)),
            Self::Limit(error) => error.bytes_and_max(),
            _ => None,
        }
    }

    /// Says that the text was that of a part of a document.
    pub(crate) fn below(self, part: &str) -> Self {
        match self {
            Self::Limit(error) => Self::Limit(error.below(part)),
            other => other,
        }
    }
}

impl Patch {
    /// Reads a patch, or a whole section, and checks it.
    ///
    /// # Errors
    /// [`PatchError`] says what is wrong, where, and what the limit is.
    pub fn parse(text: &[u8], limits: &Limits) -> Result<Self, PatchError> {
        if text.len() > limits.text_bytes {
            return Err(PatchError::TextTooLong { bytes: text.len(), max: limits.text_bytes });
        }
        Self::from_value(Value::parse(text)?, limits)
    }

    /// Makes a patch of an object, and checks it.
    ///
    /// # Errors
    /// [`PatchError`] says what is wrong, where, and what the limit is.
    pub fn from_value(value: Value, limits: &Limits) -> Result<Self, PatchError> {
        let Value::Object(mut members) = value else {
            return Err(PatchError::NotAnObject { what: "the patch" });
        };
        let stated = members.get("$version").and_then(Value::as_integer);
        for key in METADATA {
            members.remove(key);
        }
        limits.check(&members)?;
        Ok(Self { members, stated_version: stated.and_then(|version| version.try_into().ok()) })
    }

    /// Returns the patch that makes `to` of `from`, both within limits: see [`diff`](crate::diff()).
    #[must_use]
    pub fn between(from: &Map, to: &Map) -> Self {
        Self { members: diff_members(from, to), stated_version: None }
    }

    /// Returns the patch that sets what `self` sets and removes all else that `from` has.
    ///
    /// Whoever merges it into `from` has `self` without its nulls; whoever takes it for a whole document has that too,
    /// and nulls.
    pub(crate) fn replacing(&self, from: &Map) -> Self {
        let mut whole = Value::Object(Map::new());
        crate::merge(&mut whole, &Value::Object(self.members.clone()), Nulls::Purge);
        let Value::Object(mut whole) = whole else { return self.clone() };
        let gone = diff_members(from, &whole);
        merge_members(&mut whole, &gone, Nulls::Keep);
        Self { members: whole, stated_version: None }
    }

    /// Returns the one patch that does what `self` and then `later` do.
    ///
    /// That holds with one exception, which a patch cannot say: when `self` removes or replaces an object and `later`
    /// brings an object there, members of the old object that neither names stay. Where that matters, compare the
    /// documents before and after with [`Patch::between`].
    #[must_use]
    pub fn then(mut self, later: &Self) -> Self {
        merge_members(&mut self.members, &later.members, Nulls::Keep);
        self.stated_version = later.stated_version.or(self.stated_version);
        self
    }

    /// Returns what the patch sets, and nulls for what it removes.
    #[must_use]
    pub fn members(&self) -> &Map {
        &self.members
    }

    /// Returns whether the patch says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns the `$version` that the text had, when it was a whole number.
    #[must_use]
    pub fn stated_version(&self) -> Option<u64> {
        self.stated_version
    }

    /// Returns the patch as compact JSON.
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        let mut out = Vec::new();
        self.write(&mut out);
        out.push(b'}');
        out.into()
    }

    /// Returns the patch as compact JSON with the section's `$version`: what a device is told of a desired change.
    #[must_use]
    pub fn to_json_with_version(&self, version: u64) -> Bytes {
        let mut out = Vec::new();
        self.write(&mut out);
        if !self.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(format!("\"$version\":{version}}}").as_bytes());
        out.into()
    }

    /// Writes all but the closing brace.
    fn write(&self, out: &mut Vec<u8>) {
        let mut separator = b'{';
        for (key, value) in &self.members {
            out.push(separator);
            json::write_string(key, out);
            out.push(b':');
            json::write(value, out);
            separator = b',';
        }
        if self.is_empty() {
            out.push(b'{');
        }
    }
}

impl fmt::Debug for Patch {
    /// Says how many members there are, and none of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patch")
            .field("members", &self.members.len())
            .field("stated_version", &self.stated_version)
            .finish()
    }
}
