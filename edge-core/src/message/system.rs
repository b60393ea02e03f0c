//! System properties: a closed set, set by the protocols and the gateway.

use std::fmt;

use super::text;

macro_rules! system_keys {
    ($($(#[$doc:meta])* $name:ident = $code:literal $text:literal $(| $alias:literal)*,)*) => {
        /// Which system property: a closed set, each with the name that routes use after `$`.
        ///
        /// Each protocol's dialect has its own wire names for them.
        ///
        /// # Examples
        /// ```
        /// use edge_core::SystemKey;
        ///
        /// assert_eq!(SystemKey::from_name("CONTENTTYPE"), Some(SystemKey::ContentType));
        /// assert_eq!(SystemKey::ContentType.name(), "contentType");
        /// ```
        ///
        /// # Source
        /// Azure IoT Edge's system property names, as its routes query them.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum SystemKey {
            $($(#[$doc])* $name = $code,)*
        }

        impl SystemKey {
            /// All keys, by rising code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the name that routes use after `$`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Returns the key with this name, in any case of its letters.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                $(if name.eq_ignore_ascii_case($text) $(|| name.eq_ignore_ascii_case($alias))* {
                    return Some(Self::$name);
                })*
                None
            }

            /// Returns the number that stands for the key in a stored message; it never changes.
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// Returns the key with this number.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

system_keys! {
    /// The sender's id for the message.
    MessageId = 0 "messageId",
    /// The message that this one answers.
    CorrelationId = 1 "cid" | "correlationId",
    /// Who the message is from or for, in the application's own terms.
    UserId = 2 "userId",
    /// The media type of the body, for instance `application/json`.
    ContentType = 3 "contentType",
    /// The character encoding of the body, for instance `utf-8`.
    ContentEncoding = 4 "contentEncoding",
    /// Where the message goes, as an IoT Hub address.
    To = 5 "to",
    /// When the message expires, ISO 8601.
    ExpiryTime = 6 "absolute-expiry-time",
    /// When the sender made the message, ISO 8601.
    CreationTime = 7 "creationTime",
    /// The module output that the message left by.
    OutputName = 8 "outputName",
    /// The module input that the message arrives at.
    InputName = 9 "inputName",
    /// The schema of the body.
    MessageSchema = 10 "messageSchema",
    /// The kind of the message.
    MessageType = 11 "messageType",
    /// The device that sent the message, as authenticated.
    ConnectionDeviceId = 12 "connectionDeviceId",
    /// The module that sent the message, as authenticated.
    ConnectionModuleId = 13 "connectionModuleId",
    /// The generation of the identity that sent the message.
    ConnectionGenerationId = 14 "connectionDeviceGenerationId",
    /// How the sender was authenticated.
    ConnectionAuthMethod = 15 "connectionAuthMethod",
    /// Which feedback the sender of a cloud-to-device message wants.
    Ack = 16 "ack",
    /// The operation that the message asks for.
    Operation = 17 "operation",
    /// When the gateway took the message, RFC 3339.
    EnqueuedTime = 18 "enqueuedTime",
    /// The gateway's own id for the message.
    EdgeMessageId = 19 "edgeMessageId",
    /// Where the message entered the gateway: `internal` (a module) or `downstream` (a device).
    OriginInterface = 20 "edgeHubOriginInterface",
    /// The token that settles a locked cloud-to-device message.
    LockToken = 21 "lockToken",
    /// How often a cloud-to-device message was delivered.
    DeliveryCount = 22 "deliveryCount",
    /// The status that a response carries.
    StatusCode = 23 "statusCode",
    /// Where the response goes.
    OutboundUri = 24 "outBoundURI",
    /// The version of the thing that the message speaks of.
    Version = 25 "version",
    /// The message's place in the order of its queue.
    SequenceNumber = 26 "sequenceNumber",
    /// The interface that a security message belongs to.
    InterfaceId = 27 "iothub-interface-id",
    /// The digital-twin model of the sender.
    ModelId = 28 "modelId",
    /// The component of the digital twin that sent the message.
    Subject = 29 "dt-subject",
    /// The device whose reported properties changed.
    ReportedDeviceId = 30 "rpSenderDeviceId",
    /// The module whose reported properties changed.
    ReportedModuleId = 31 "rpSenderModuleId",
}

impl fmt::Debug for SystemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for SystemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A message's system properties, by rising key code, each key once.
///
/// # Examples
/// ```
/// use edge_core::{Message, Source, SystemKey};
///
/// let message = Message::builder(&Source::telemetry()).system(SystemKey::MessageId, "m1").build();
/// assert_eq!(message.system().value(SystemKey::MessageId), Some("m1"));
/// assert_eq!(message.system().value(SystemKey::UserId), None);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SystemProperties<'m> {
    block: &'m [u8],
}

impl<'m> SystemProperties<'m> {
    pub(super) fn new(block: &'m [u8]) -> Self {
        Self { block }
    }

    /// Returns the value of `key`.
    #[must_use]
    pub fn value(&self, key: SystemKey) -> Option<&'m str> {
        self.iter().find(|&(k, _)| k == key).map(|(_, value)| value)
    }

    /// Returns the properties by rising key code.
    #[must_use]
    pub fn iter(&self) -> SystemPropertyIter<'m> {
        SystemPropertyIter { rest: self.block }
    }

    /// Returns how many properties there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    /// Whether a block holds whole entries of known keys, UTF-8, by rising key.
    pub(super) fn is_valid(block: &[u8]) -> bool {
        let mut rest = block;
        let mut last = None;
        while !rest.is_empty() {
            let Some((key, value, after)) = split(rest) else { return false };
            if std::str::from_utf8(value).is_err() || last.is_some_and(|last| last >= key) {
                return false;
            }
            last = Some(key);
            rest = after;
        }
        true
    }
}

impl<'m> IntoIterator for SystemProperties<'m> {
    type Item = (SystemKey, &'m str);
    type IntoIter = SystemPropertyIter<'m>;

    fn into_iter(self) -> SystemPropertyIter<'m> {
        self.iter()
    }
}

/// Iterates over a message's system properties as (key, value) pairs.
#[derive(Clone, Debug)]
pub struct SystemPropertyIter<'m> {
    rest: &'m [u8],
}

impl<'m> Iterator for SystemPropertyIter<'m> {
    type Item = (SystemKey, &'m str);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value, rest) = split(self.rest)?;
        self.rest = rest;
        Some((key, text(value)))
    }
}

/// Splits the first entry off a block.
fn split(block: &[u8]) -> Option<(SystemKey, &[u8], &[u8])> {
    let (&[code, v0, v1, v2, v3], rest) = block.split_first_chunk::<5>()?;
    let len = usize::try_from(u32::from_le_bytes([v0, v1, v2, v3])).ok()?;
    let (value, rest) = rest.split_at_checked(len)?;
    Some((SystemKey::from_code(code)?, value, rest))
}
