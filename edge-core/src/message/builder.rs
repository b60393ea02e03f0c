//! Builds messages in their stored form.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::properties::NULL;
use super::{Message, SystemKey, codec};

/// Builds [`Message`]s; one builder can build many, keeping its buffers.
///
/// A name or key that is set twice keeps the last value.
///
/// # Examples
/// ```
/// use edge_core::{Message, Source};
///
/// let message = Message::builder(&Source::telemetry()).property("a", "1").property("a", "2").body(b"hi").build();
/// assert_eq!(message.properties().value("a"), Some(Some("2")));
/// ```
#[derive(Clone, Debug, Default)]
pub struct MessageBuilder {
    source: String,
    system: Block<u8>,
    properties: Block<Range<usize>>,
    body: Vec<u8>,
}

/// Entries written one after the other, with where each stands and what it is sorted by.
#[derive(Clone, Debug)]
struct Block<K> {
    bytes: Vec<u8>,
    entries: Vec<(K, Range<usize>)>,
    rising: bool,
}

impl<K> Default for Block<K> {
    fn default() -> Self {
        Self { bytes: Vec::new(), entries: Vec::new(), rising: true }
    }
}

impl<K> Block<K> {
    fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.rising = true;
    }
}

/// Returns the longest prefix of `text` that has at most `max` bytes.
fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl MessageBuilder {
    /// Returns a builder of a message from the path `source`; prefer [`Message::builder`].
    #[must_use]
    pub fn new(source: &str) -> Self {
        let mut builder = Self::default();
        builder.reset(source);
        builder
    }

    /// Forgets everything but the buffers, and starts a message from the path `source`.
    pub fn reset(&mut self, source: &str) {
        self.source.clear();
        self.source.push_str(cut(source, u16::MAX.into()));
        self.system.clear();
        self.properties.clear();
        self.body.clear();
    }

    /// Sets the source path, keeping all else.
    pub fn set_source(&mut self, source: &str) {
        self.source.clear();
        self.source.push_str(cut(source, u16::MAX.into()));
    }

    /// Sets a system property.
    pub fn set_system(&mut self, key: SystemKey, value: &str) {
        let block = &mut self.system;
        block.rising &= block.entries.last().is_none_or(|(last, _)| *last < key.code());
        let start = block.bytes.len();
        block.bytes.push(key.code());
        put_length(&mut block.bytes, value.len());
        block.bytes.extend_from_slice(value.as_bytes());
        block.entries.push((key.code(), start..block.bytes.len()));
    }

    /// Sets an application property; `None` gives it no value.
    ///
    /// A name longer than 65,535 bytes is cut there.
    pub fn set_property(&mut self, name: &str, value: Option<&str>) {
        let name = cut(name, u16::MAX.into());
        let block = &mut self.properties;
        let rising =
            block.entries.last().is_none_or(|(last, _)| block.bytes[last.clone()] < *name.as_bytes());
        block.rising &= rising;
        let start = block.bytes.len();
        block.bytes.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        match value {
            Some(value) => put_length(&mut block.bytes, value.len()),
            None => block.bytes.extend_from_slice(&NULL.to_le_bytes()),
        }
        let at = block.bytes.len();
        block.bytes.extend_from_slice(name.as_bytes());
        block.bytes.extend_from_slice(value.unwrap_or_default().as_bytes());
        block.entries.push((at..at + name.len(), start..block.bytes.len()));
    }

    /// Sets the body.
    pub fn set_body(&mut self, body: &[u8]) {
        self.body.clear();
        self.body.extend_from_slice(body);
    }

    /// Sets a system property, and returns the builder.
    #[must_use]
    pub fn system(mut self, key: SystemKey, value: &str) -> Self {
        self.set_system(key, value);
        self
    }

    /// Sets an application property, and returns the builder.
    #[must_use]
    pub fn property(mut self, name: &str, value: &str) -> Self {
        self.set_property(name, Some(value));
        self
    }

    /// Sets an application property without a value, and returns the builder.
    #[must_use]
    pub fn null_property(mut self, name: &str) -> Self {
        self.set_property(name, None);
        self
    }

    /// Sets the body, and returns the builder.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Self {
        self.set_body(body);
        self
    }

    /// Builds the message in memory of its own.
    #[must_use]
    pub fn build(mut self) -> Message {
        let body = std::mem::take(&mut self.body);
        let mut arena = BytesMut::new();
        self.finish(&mut arena, &body)
    }

    /// Builds a message with `body` into `arena` and starts over, keeping the buffers and the source.
    ///
    /// Messages of one arena share its memory; nothing is allocated while the arena has room.
    pub fn finish(&mut self, arena: &mut BytesMut, body: &[u8]) -> Message {
        self.sort();
        let (source, system, properties) =
            (self.source.len(), self.system.bytes.len(), self.properties.bytes.len());
        arena.reserve(codec::HEADER_BYTES as usize + source + system + properties + body.len());
        codec::put_head(arena, &self.source, &self.system.bytes, &self.properties.bytes, body.len());
        arena.extend_from_slice(body);
        let encoded: Bytes = arena.split().freeze();
        self.system.clear();
        self.properties.clear();
        self.body.clear();
        Message::from_parts(encoded, source, system, properties)
    }

    /// Puts both blocks in order; most senders' properties are already.
    fn sort(&mut self) {
        if !self.system.rising {
            self.system.entries.sort_by_key(|entry| entry.0);
            let entries = &self.system.entries;
            let kept =
                entries.iter().enumerate().filter(|(i, e)| entries.get(i + 1).is_none_or(|n| n.0 != e.0));
            self.system.bytes = kept.flat_map(|(_, e)| &self.system.bytes[e.1.clone()]).copied().collect();
            self.system.entries.clear();
        }
        if !self.properties.rising {
            let bytes = std::mem::take(&mut self.properties.bytes);
            let entries = &mut self.properties.entries;
            entries.sort_by(|a, b| bytes[a.0.clone()].cmp(&bytes[b.0.clone()]));
            for (i, entry) in entries.iter().enumerate() {
                let last =
                    entries.get(i + 1).is_none_or(|next| bytes[next.0.clone()] != bytes[entry.0.clone()]);
                if last {
                    self.properties.bytes.extend_from_slice(&bytes[entry.1.clone()]);
                }
            }
            entries.clear();
        }
    }
}

/// Writes a value's length; values come from packets far smaller than 4 GiB.
fn put_length(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(NULL - 1).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    #[test]
    fn properties_come_out_sorted_and_once() {
        let message = Message::builder(&Source::telemetry())
            .property("b", "1")
            .property("a", "2")
            .property("b", "3")
            .system(SystemKey::ContentType, "x")
            .system(SystemKey::MessageId, "m")
            .system(SystemKey::ContentType, "y")
            .build();
        let all: Vec<_> = message.properties().iter().collect();
        assert_eq!(all, [("a", Some("2")), ("b", Some("3"))]);
        let all: Vec<_> = message.system().iter().collect();
        assert_eq!(all, [(SystemKey::MessageId, "m"), (SystemKey::ContentType, "y")]);
        assert_eq!(Message::decode(message.encoded().clone()).unwrap(), message);
    }

    #[test]
    fn a_builder_builds_many_in_one_arena() {
        let mut arena = BytesMut::with_capacity(4096);
        let mut builder = MessageBuilder::new("/messages/");
        let messages: Vec<_> = (0..10u8)
            .map(|n| {
                builder.set_property("n", Some(&n.to_string()));
                builder.finish(&mut arena, &[n])
            })
            .collect();
        for (n, message) in messages.iter().enumerate() {
            assert_eq!(message.body(), [n as u8]);
            assert_eq!(message.properties().value("n"), Some(Some(n.to_string().as_str())));
        }
    }

    #[test]
    fn a_changed_copy_keeps_the_rest() {
        let first = Message::builder(&Source::telemetry()).property("a", "1").body(b"x").build();
        let second = first.to_builder().property("b", "2").build();
        assert_eq!(second.properties().len(), 2);
        assert_eq!(second.body(), b"x");
    }
}
