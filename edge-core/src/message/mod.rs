//! The message: what a device or module sent, immutable and cheap to clone.

mod builder;
mod codec;
mod properties;
mod source;
mod system;

use std::fmt;

use bytes::Bytes;

pub use builder::MessageBuilder;
pub use codec::DecodeError;
pub use properties::{Properties, PropertyIter};
pub use source::Source;
pub use system::{SystemKey, SystemProperties, SystemPropertyIter};

/// The most bytes that a message may have, by [`Message::size`].
///
/// # Source
/// Azure IoT Hub, "Quotas and throttling": device-to-cloud messages are at most 256 KB; Azure IoT Edge: 262,144 bytes.
pub const MAX_MESSAGE_BYTES: usize = 262_144;

/// A message: where it came from, its properties and its body.
///
/// A message is immutable, and a clone shares the bytes. It is kept in the form in which it is stored
/// (see [`Message::encoded`]), so writing it to a log copies bytes and encodes nothing, and reading it back
/// checks it once and copies nothing.
///
/// # Examples
/// ```
/// use edge_core::{Message, Source, SystemKey};
///
/// let message = Message::builder(&Source::telemetry())
///     .system(SystemKey::ContentType, "application/json")
///     .property("line", "7")
///     .body(br#"{"temperature": 21.5}"#)
///     .build();
/// assert_eq!(message.source(), "/messages/");
/// assert_eq!(message.properties().value("line"), Some(Some("7")));
/// assert_eq!(message.system().value(SystemKey::ContentType), Some("application/json"));
/// assert_eq!(message.body().len(), 21);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    encoded: Bytes,
    source_end: u32,
    system_end: u32,
    properties_end: u32,
}

impl Message {
    /// Returns a builder of a message that comes from `source`.
    #[must_use]
    pub fn builder(source: &Source) -> MessageBuilder {
        MessageBuilder::new(source.as_str())
    }

    /// Returns where the message came from, for instance `/messages/modules/filter/outputs/hot/`.
    #[must_use]
    pub fn source(&self) -> &str {
        text(self.section(codec::HEADER_BYTES, self.source_end))
    }

    /// Returns the properties that the protocol and the gateway set.
    #[must_use]
    pub fn system(&self) -> SystemProperties<'_> {
        SystemProperties::new(self.section(self.source_end, self.system_end))
    }

    /// Returns the properties that the application set.
    #[must_use]
    pub fn properties(&self) -> Properties<'_> {
        Properties::new(self.section(self.system_end, self.properties_end))
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.encoded.get(self.properties_end as usize..).unwrap_or_default()
    }

    /// Returns the body as shared bytes, without a copy.
    #[must_use]
    pub fn body_bytes(&self) -> Bytes {
        self.encoded.slice((self.properties_end as usize).min(self.encoded.len())..)
    }

    /// Returns the size that limits, quotas and batching count: body, property names and values, and source.
    ///
    /// # Units
    /// Bytes, as stored, without the fixed 16-byte header.
    ///
    /// # Source
    /// Our choice, because one definition for every limit is one that an operator can predict. It is a few bytes
    /// per property above what Azure IoT Edge counts (body and property names and values).
    #[must_use]
    pub fn size(&self) -> usize {
        self.encoded.len() - codec::HEADER_BYTES as usize
    }

    /// Returns the message in its stored form, shared and not copied; [`Message::decode`] reads it.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// Returns a copy that holds on to nothing but its own bytes.
    ///
    /// A message may be a small slice of a large receive buffer; whoever keeps it for long takes a detached one.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { encoded: Bytes::copy_from_slice(&self.encoded), ..*self }
    }

    /// Returns a builder that starts with everything that this message has, to send it on changed.
    #[must_use]
    pub fn to_builder(&self) -> MessageBuilder {
        let mut builder = MessageBuilder::new(self.source());
        for (key, value) in self.system() {
            builder.set_system(key, value);
        }
        for (name, value) in self.properties() {
            builder.set_property(name, value);
        }
        builder.set_body(self.body());
        builder
    }

    fn section(&self, from: u32, to: u32) -> &[u8] {
        self.encoded.get(from as usize..to as usize).unwrap_or_default()
    }
}

/// Returns bytes as text; what was checked on the way in cannot fail here.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

impl fmt::Debug for Message {
    /// Shows sizes, never contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("source", &self.source())
            .field("properties", &self.properties().len())
            .field("body_bytes", &self.body().len())
            .finish_non_exhaustive()
    }
}
