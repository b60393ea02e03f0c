//! One part of a twin: its tags, its desired or its reported properties.

use std::fmt;

use bytes::Bytes;
use edge_core::Timestamp;

use crate::stored::{self, Node, Stamp};
use crate::{Limit, LimitError, Limits, Map, Patch, Value};

/// The version that a section begins with.
///
/// # Source
/// Azure IoT Hub: a new twin shows `$version` 1 in both sections.
pub const FIRST_VERSION: u64 = 1;

/// Properties, the number of their last change, and for each of them when it was changed.
///
/// A section is cheap to clone. It is kept in its stored form: a change copies what it does not touch and rebuilds
/// nothing.
///
/// # Examples
/// ```
/// use edge_core::Timestamp;
/// use edge_twin::{Limits, Patch, Section, Value, View};
///
/// let limits = Limits::default();
/// let section = Section::new(Timestamp::from_unix_ms(0));
/// let patch = Patch::parse(br#"{"fan": {"rpm": 900}}"#, &limits)?;
/// let section = section.apply(&patch, &limits, Timestamp::from_unix_ms(1000))?;
///
/// assert_eq!(section.value_at(["fan", "rpm"]), Some(Value::Integer(900)));
/// assert_eq!(section.to_json(View::Versioned), r#"{"fan":{"rpm":900},"$version":2}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Section {
    version: u64,
    /// An object in its stored form.
    root: Bytes,
}

/// What of a section is written as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum View {
    /// The properties: how a service sees tags.
    Plain,
    /// The properties and `$version`: how a device sees its sections.
    Versioned,
    /// Besides `$metadata` with `$lastUpdated` for each property: how a service sees reported properties.
    Dated,
    /// Besides `$lastUpdatedVersion` for each property: how a service sees desired properties.
    DatedAndNumbered,
}

impl Section {
    /// Returns an empty section of version 1.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self::with_version(&Map::new(), FIRST_VERSION, now)
    }

    /// Returns a section with these properties and this version, all changed `now`; nulls are left out.
    #[must_use]
    pub fn with_version(properties: &Map, version: u64, now: Timestamp) -> Self {
        let mut out = Vec::new();
        stored::put_object(properties, Stamp { at: now, version }, &mut out);
        Self { version, root: out.into() }
    }

    /// Returns the number of the last change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns when the section was last changed.
    #[must_use]
    pub fn last_updated(&self) -> Timestamp {
        self.node().map(|root| root.stamp.at).unwrap_or_default()
    }

    /// Returns whether there are no properties.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.node().is_none_or(|root| root.body.is_empty())
    }

    /// Returns the length of the properties as compact JSON, in bytes.
    #[must_use]
    pub fn json_bytes(&self) -> usize {
        self.node().map_or(2, |root| stored::object_json_len(root.weight) as usize)
    }

    /// Returns the properties as an object.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.node().map_or(Value::Null, |root| stored::to_value(&root))
    }

    /// Returns the properties as the members of an object.
    #[must_use]
    pub fn to_map(&self) -> Map {
        match self.to_value() {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    /// Returns the property that the keys lead to, without looking at the others.
    #[must_use]
    pub fn value_at<'k>(&self, path: impl IntoIterator<Item = &'k str>) -> Option<Value> {
        self.find(path).map(|node| stored::to_value(&node))
    }

    /// Returns when the property that the keys lead to was changed last, and by which version.
    #[must_use]
    pub fn updated_at<'k>(&self, path: impl IntoIterator<Item = &'k str>) -> Option<(Timestamp, u64)> {
        self.find(path).map(|node| (node.stamp.at, node.stamp.version))
    }

    /// Returns the section after a patch: nulls remove, objects merge, everything else replaces.
    ///
    /// The version rises by one, unless the patch is empty. Everything that the patch names counts as changed now, and
    /// so does what is around it.
    ///
    /// # Errors
    /// [`LimitError`] when the document would be larger than the limit.
    pub fn apply(&self, patch: &Patch, limits: &Limits, now: Timestamp) -> Result<Self, LimitError> {
        if patch.is_empty() {
            return Ok(self.clone());
        }
        self.advance(limits, |stamp, out| {
            // Room for what the patch may add; a little too much does no harm.
            out.reserve(self.root.len() + 1024);
            match self.node() {
                Some(root) => stored::apply(&root, patch.members(), Stamp { at: now, ..stamp }, out),
                None => stored::put_object(patch.members(), Stamp { at: now, ..stamp }, out),
            }
        })
    }

    /// Returns the section after a patch by somebody who counts the versions, such as a parent.
    #[must_use]
    pub fn follow(&self, patch: &Patch, version: u64, now: Timestamp) -> Self {
        let mut out = Vec::with_capacity(self.root.len() + 256);
        if let Some(root) = self.node() {
            stored::apply(&root, patch.members(), Stamp { at: now, version }, &mut out);
        }
        Self { version, root: out.into() }
    }

    /// Returns the section with other properties instead of all that it has; the version rises by one.
    ///
    /// # Errors
    /// [`LimitError`] when the document would be larger than the limit.
    pub fn replace(&self, whole: &Patch, limits: &Limits, now: Timestamp) -> Result<Self, LimitError> {
        self.advance(limits, |stamp, out| {
            stored::put_object(whole.members(), Stamp { at: now, ..stamp }, out)
        })
    }

    fn advance(
        &self,
        limits: &Limits,
        write: impl FnOnce(Stamp, &mut Vec<u8>) -> u32,
    ) -> Result<Self, LimitError> {
        let version = self.version.saturating_add(1);
        let mut out = Vec::new();
        let bytes = write(Stamp { at: Timestamp::default(), version }, &mut out) as usize;
        if bytes > limits.document_bytes {
            return Err(LimitError::document(bytes, limits.document_bytes));
        }
        Ok(Self { version, root: out.into() })
    }

    /// Returns the section as JSON.
    #[must_use]
    pub fn to_json(&self, view: View) -> Bytes {
        let mut out = Vec::with_capacity(self.json_bytes() + 24);
        self.write_json(view, &mut out);
        out.into()
    }

    /// Writes the section as JSON behind what is in `out`.
    pub fn write_json(&self, view: View, out: &mut Vec<u8>) {
        out.push(b'{');
        if let Some(root) = self.node() {
            let is_any = stored::write_members(&root, out);
            if is_any && view != View::Plain {
                out.push(b',');
            }
            if matches!(view, View::Dated | View::DatedAndNumbered) {
                out.extend_from_slice(b"\"$metadata\":");
                stored::write_metadata(&root, view == View::DatedAndNumbered, out);
                out.push(b',');
            }
        }
        if view != View::Plain {
            out.extend_from_slice(format!("\"$version\":{}", self.version).as_bytes());
        }
        out.push(b'}');
    }

    /// Takes stored bytes whose checksum was right.
    pub(crate) fn from_checked(version: u64, root: Bytes) -> Self {
        Self { version, root }
    }

    /// Takes stored bytes that come from elsewhere; `None` when they are damaged.
    pub(crate) fn from_stored(version: u64, root: Bytes) -> Option<Self> {
        stored::check(&root)?;
        Some(Self { version, root })
    }

    pub(crate) fn stored(&self) -> &Bytes {
        &self.root
    }

    fn node(&self) -> Option<Node<'_>> {
        Node::read(&self.root).map(|(root, _)| root)
    }

    fn find<'k>(&self, path: impl IntoIterator<Item = &'k str>) -> Option<Node<'_>> {
        path.into_iter().try_fold(self.node()?, |node, key| {
            let mut members = node.members();
            members
                .find(|member| member.key >= key.as_bytes())
                .filter(|member| member.key == key.as_bytes())
                .map(|member| member.node)
        })
    }
}

impl LimitError {
    fn document(bytes: usize, max: usize) -> Self {
        Self { path: String::new(), limit: Limit::DocumentBytes { bytes, max } }
    }
}

impl fmt::Debug for Section {
    /// Says how large the section is, and none of its properties.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section")
            .field("version", &self.version)
            .field("json_bytes", &self.json_bytes())
            .finish()
    }
}
