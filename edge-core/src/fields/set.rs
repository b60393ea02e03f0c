//! Many fields in one pass over a message.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::path::{Place, Step};
use super::{Field, FieldValue};
use crate::{Message, SystemKey};

/// Why a body could not be looked into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not JSON at line {line}, column {column}")]
#[non_exhaustive]
pub struct BodyError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1.
    pub column: usize,
}

/// Fields that are read together: the body is passed over once, and nothing is built of what is not asked for.
///
/// # Examples
/// ```
/// use edge_core::fields::{FieldSet, FieldValue};
/// use edge_core::{Message, Source};
///
/// let set = FieldSet::new(["$body.t".parse()?, "line".parse()?, "$body.x.y".parse()?]);
/// let message = Message::builder(&Source::telemetry()).property("line", "7").body(br#"{"t": 21.5}"#).build();
/// let values = set.read(&message)?;
/// assert_eq!(values.at(0).number(), Ok(21.5));
/// assert_eq!(values.at(1).number(), Ok(7.0));
/// assert_eq!(values.at(2), FieldValue::Missing);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FieldSet {
    outside: Vec<(usize, Outside)>,
    body: Node,
    len: usize,
}

#[derive(Clone, Debug)]
enum Outside {
    System(SystemKey),
    Property(Box<str>),
}

/// Paths into the body, as a tree.
#[derive(Clone, Debug, Default)]
struct Node {
    slots: Vec<usize>,
    names: Vec<(Box<str>, Self)>,
    items: Vec<(usize, Self)>,
}

/// What a message has at the fields of a set, in their order.
#[derive(Clone, Debug, Default)]
pub struct FieldValues<'m>(Vec<FieldValue<'m>>);

impl<'m> FieldValues<'m> {
    /// Returns the value of the field at `index` of the set.
    #[must_use]
    pub fn at(&self, index: usize) -> FieldValue<'m> {
        self.0.get(index).copied().unwrap_or_default()
    }
}

impl FieldSet {
    /// Returns the set of these fields; a field may be in it more than once.
    #[must_use]
    pub fn new(fields: impl IntoIterator<Item = Field>) -> Self {
        let mut set = Self::default();
        for field in fields {
            match field.0 {
                Place::Body(steps) => set.body.grow(&steps).slots.push(set.len),
                Place::System(key) => set.outside.push((set.len, Outside::System(key))),
                Place::Property(name) => set.outside.push((set.len, Outside::Property(name))),
            }
            set.len += 1;
        }
        set
    }

    /// Returns how many fields are in the set.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads all fields of a message. The body is not looked at when no field is in it.
    ///
    /// Of equal names in an object the last counts. Names of application properties are compared as routes compare
    /// them.
    ///
    /// # Errors
    /// [`BodyError`] when a field is in the body, and the body is not JSON, or nested deeper than 128.
    pub fn read<'m>(&self, message: &'m Message) -> Result<FieldValues<'m>, BodyError> {
        let mut out = vec![FieldValue::Missing; self.len];
        for (slot, field) in &self.outside {
            let text = match field {
                Outside::System(key) => message.system().value(*key),
                Outside::Property(name) => message.properties().value_ignoring_case(name).flatten(),
            };
            if let (Some(text), Some(out)) = (text, out.get_mut(*slot)) {
                *out = FieldValue::Text(text);
            }
        }
        if !self.body.is_empty() {
            let mut json = serde_json::Deserializer::from_slice(message.body());
            let read = Walk { node: &self.body, out: &mut out }.deserialize(&mut json);
            read.and_then(|()| json.end())
                .map_err(|error| BodyError { line: error.line(), column: error.column() })?;
        }
        Ok(FieldValues(out))
    }
}

impl Node {
    fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.is_leaf()
    }

    fn is_leaf(&self) -> bool {
        self.names.is_empty() && self.items.is_empty()
    }

    fn grow(&mut self, steps: &[Step]) -> &mut Self {
        let Some((step, rest)) = steps.split_first() else { return self };
        let child = match step {
            Step::Name(name) => child(&mut self.names, name, |known| known == name),
            Step::Index(index) => child(&mut self.items, index, |known| known == index),
        };
        child.grow(rest)
    }

    /// Forgets what was found at and below the node: a later member of the same name takes its place.
    fn clear(&self, out: &mut [FieldValue<'_>]) {
        for slot in &self.slots {
            if let Some(out) = out.get_mut(*slot) {
                *out = FieldValue::Missing;
            }
        }
        self.names.iter().for_each(|(_, node)| node.clear(out));
        self.items.iter().for_each(|(_, node)| node.clear(out));
    }
}

fn child<'n, K: Clone>(all: &'n mut Vec<(K, Node)>, key: &K, same: impl Fn(&K) -> bool) -> &'n mut Node {
    let at = all.iter().position(|(known, _)| same(known)).unwrap_or(all.len());
    if at == all.len() {
        all.push((key.clone(), Node::default()));
    }
    &mut all[at].1
}

/// Reads the value of one node.
struct Walk<'a, 'm> {
    node: &'a Node,
    out: &'a mut [FieldValue<'m>],
}

impl<'m> DeserializeSeed<'m> for Walk<'_, 'm> {
    type Value = ();

    fn deserialize<D: Deserializer<'m>>(self, json: D) -> Result<(), D::Error> {
        self.node.clear(self.out);
        if self.node.slots.is_empty() {
            return json.deserialize_any(self);
        }
        let raw = <&RawValue>::deserialize(json)?.get();
        for slot in &self.node.slots {
            if let Some(out) = self.out.get_mut(*slot) {
                *out = FieldValue::Json(raw);
            }
        }
        if self.node.is_leaf() {
            return Ok(());
        }
        serde_json::Deserializer::from_str(raw).deserialize_any(self).map_err(D::Error::custom)
    }
}

impl<'m> Visitor<'m> for Walk<'_, 'm> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'m>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(found) = map.next_key_seed(Name(self.node))? {
            match found {
                Some(node) => map.next_value_seed(Walk { node, out: self.out })?,
                None => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'m>>(self, mut seq: A) -> Result<(), A::Error> {
        for index in 0.. {
            let more = match self.node.items.iter().find(|(known, _)| *known == index) {
                Some((_, node)) => seq.next_element_seed(Walk { node, out: self.out })?.is_some(),
                None => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Finds the node that a member's name leads to.
struct Name<'n>(&'n Node);

impl<'m, 'n> DeserializeSeed<'m> for Name<'n> {
    type Value = Option<&'n Node>;

    fn deserialize<D: Deserializer<'m>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Name<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.names.iter().find(|(known, _)| **known == *name).map(|(_, node)| node))
    }
}
