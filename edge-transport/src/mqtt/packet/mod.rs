//! MQTT control packets: one model, and a codec for each version of the protocol.
//!
//! Decoded packets borrow from the bytes they were decoded from; nothing is copied. Every bound is checked before
//! anything is kept, and no input panics.
//!
//! # Examples
//! ```
//! use edge_transport::mqtt::packet::{Packet, Publish, Quality, v4};
//!
//! let mut bytes = Vec::new();
//! let publish = Publish { topic: "a/b", quality: Quality::AtMostOnce, dup: false, retain: false, payload: b"hi" };
//! v4::encode(&Packet::Publish(publish), &mut bytes)?;
//! let frame = v4::frame(&bytes, 1024)?.expect("the packet is whole");
//! assert_eq!(frame.total_bytes, bytes.len());
//! assert_eq!(v4::decode(&bytes)?, Packet::Publish(publish));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod filters;
#[cfg(test)]
mod tests;
pub mod v4;
mod wire;

use std::num::NonZeroU16;

pub use error::{DecodeError, EncodeError};
pub use filters::{FilterIter, Filters, FiltersBuf};

/// How surely a message is handed over. MQTT 3.1.1 §4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these three and no more")]
pub enum QoS {
    /// At most once.
    AtMostOnce = 0,
    /// At least once.
    AtLeastOnce = 1,
    /// Exactly once.
    ExactlyOnce = 2,
}

impl QoS {
    /// Returns the quality with this number.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// A message's quality of service, with the packet identifier that it needs. MQTT 3.1.1 §2.3.1, §4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these three and no more")]
pub enum Quality {
    /// At most once; no answer is due.
    AtMostOnce,
    /// At least once; a PUBACK is due.
    AtLeastOnce(
        /// The packet identifier.
        NonZeroU16,
    ),
    /// Exactly once; a PUBREC is due.
    ExactlyOnce(
        /// The packet identifier.
        NonZeroU16,
    ),
}

/// The last word of a client, kept until it is gone without a DISCONNECT. MQTT 3.1.1 §3.1.2.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the packet's")]
pub struct Will<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its body.
    pub payload: &'a [u8],
    /// Its quality.
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
}

/// CONNECT: a client asks to be let in. MQTT 3.1.1 §3.1.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the packet's")]
pub struct Connect<'a> {
    /// Who the client is; may be empty. §3.1.3.1.
    pub client_id: &'a str,
    /// Whether to forget an earlier session, and this one. §3.1.2.4.
    pub clean_session: bool,
    /// The longest time between two packets of the client, in seconds; 0 is for ever. §3.1.2.10.
    pub keep_alive_secs: u16,
    /// The last word. §3.1.2.5.
    pub will: Option<Will<'a>>,
    /// The user name. §3.1.3.4.
    pub user_name: Option<&'a str>,
    /// The password; only with a user name. §3.1.3.5.
    pub password: Option<&'a [u8]>,
}

impl std::fmt::Debug for Connect<'_> {
    /// Shows all but the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("client_id", &self.client_id)
            .field("clean_session", &self.clean_session)
            .field("keep_alive_secs", &self.keep_alive_secs)
            .field("will", &self.will)
            .field("user_name", &self.user_name)
            .field("password", &self.password.map(<[u8]>::len))
            .finish()
    }
}

/// The answer to a CONNECT. MQTT 3.1.1 §3.2.2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these six and no more")]
pub enum ConnectCode {
    /// The client is let in.
    Accepted = 0,
    /// The protocol level is not offered.
    ProtocolLevel = 1,
    /// The client id is not allowed.
    ClientId = 2,
    /// The server cannot take the client now.
    Unavailable = 3,
    /// The user name or password is not of the right form.
    BadUserName = 4,
    /// The client is not authorised.
    NotAuthorized = 5,
}

impl ConnectCode {
    /// Returns the answer with this number.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Accepted),
            1 => Some(Self::ProtocolLevel),
            2 => Some(Self::ClientId),
            3 => Some(Self::Unavailable),
            4 => Some(Self::BadUserName),
            5 => Some(Self::NotAuthorized),
            _ => None,
        }
    }
}

/// PUBLISH: a message. MQTT 3.1.1 §3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the packet's")]
pub struct Publish<'a> {
    /// Where it goes. §3.3.2.1.
    pub topic: &'a str,
    /// Its quality, and its packet identifier. §3.3.1.2.
    pub quality: Quality,
    /// Whether it may have been sent before; only above QoS 0. §3.3.1.1.
    pub dup: bool,
    /// Whether it is to be kept for later subscribers. §3.3.1.3.
    pub retain: bool,
    /// Its body. §3.3.3.
    pub payload: &'a [u8],
}

/// A control packet. MQTT 3.1.1 §2.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet<'a> {
    /// A client asks to be let in. §3.1.
    Connect(
        /// What it says.
        Connect<'a>,
    ),
    /// The answer to CONNECT. §3.2.
    ConnAck {
        /// Whether an earlier session goes on.
        session_present: bool,
        /// The answer.
        code: ConnectCode,
    },
    /// A message. §3.3.
    Publish(
        /// The message.
        Publish<'a>,
    ),
    /// A message of QoS 1 was taken. §3.4.
    PubAck(
        /// Its packet identifier.
        NonZeroU16,
    ),
    /// A message of QoS 2 was received. §3.5.
    PubRec(
        /// Its packet identifier.
        NonZeroU16,
    ),
    /// A message of QoS 2 may be passed on. §3.6.
    PubRel(
        /// Its packet identifier.
        NonZeroU16,
    ),
    /// A message of QoS 2 is complete. §3.7.
    PubComp(
        /// Its packet identifier.
        NonZeroU16,
    ),
    /// A client wants messages. §3.8.
    Subscribe {
        /// Its packet identifier.
        packet_id: NonZeroU16,
        /// Which messages, each with the most quality wanted.
        filters: Filters<'a>,
    },
    /// The answer to SUBSCRIBE: for each filter the quality granted, or 0x80 for none. §3.9.
    SubAck {
        /// The packet identifier of the SUBSCRIBE.
        packet_id: NonZeroU16,
        /// The answers, in the order of the filters.
        codes: &'a [u8],
    },
    /// A client does not want messages any more. §3.10.
    Unsubscribe {
        /// Its packet identifier.
        packet_id: NonZeroU16,
        /// Which messages.
        filters: Filters<'a>,
    },
    /// The answer to UNSUBSCRIBE. §3.11.
    UnsubAck(
        /// The packet identifier of the UNSUBSCRIBE.
        NonZeroU16,
    ),
    /// A client asks whether the server is there. §3.12.
    PingReq,
    /// The server is there. §3.13.
    PingResp,
    /// A client says good-bye. §3.14.
    Disconnect,
}
