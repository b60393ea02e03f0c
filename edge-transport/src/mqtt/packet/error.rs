//! What can be wrong with a packet.

/// Why bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The packet type is 0 or 15. MQTT 3.1.1 §2.2.1.
    #[error("packet type {0} does not exist")]
    Type(
        /// The type.
        u8,
    ),
    /// The flags of the first byte are not those of the packet type. MQTT-2.2.2-2.
    #[error("the flags of the first byte, {0:#06b}, are wrong for the packet type")]
    Flags(
        /// The flags.
        u8,
    ),
    /// The remaining length has more than four bytes. MQTT 3.1.1 §2.2.3.
    #[error("the remaining length has more than four bytes")]
    Length,
    /// The packet is larger than allowed.
    #[error("the packet has {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// Its size, as its first bytes say.
        bytes: usize,
        /// The most bytes allowed.
        max: usize,
    },
    /// The packet ends inside a field. MQTT 3.1.1 §2.3, §2.4.
    #[error("the packet ends inside a field")]
    Short,
    /// The packet goes on after its last field.
    #[error("the packet goes on for {0} bytes after its last field")]
    Trailing(
        /// How many bytes are left.
        usize,
    ),
    /// A text is not UTF-8, or holds U+0000. MQTT-1.5.3-1, MQTT-1.5.3-2.
    #[error("a text is not UTF-8 or holds U+0000")]
    Text,
    /// The protocol name is not that of MQTT. MQTT-3.1.2-1.
    #[error("the protocol name is not MQTT")]
    ProtocolName,
    /// The protocol level is not offered. MQTT-3.1.2-2.
    #[error("protocol level {0} is not offered")]
    ProtocolLevel(
        /// The level.
        u8,
    ),
    /// Flags of a CONNECT that do not go together. MQTT-3.1.2-3, -11 to -15, -22.
    #[error("the connect flags {0:#010b} do not go together")]
    ConnectFlags(
        /// The flags.
        u8,
    ),
    /// A QoS of 3. MQTT-3.3.1-4, MQTT-3.8.3-4.
    #[error("a QoS of 3 does not exist")]
    QoS,
    /// DUP on a message of QoS 0. MQTT-3.3.1-2.
    #[error("a message of QoS 0 cannot be a duplicate")]
    Duplicate,
    /// A packet identifier of 0. MQTT-2.3.1-1.
    #[error("a packet identifier cannot be 0")]
    PacketId,
    /// A topic that is empty or holds a wildcard. MQTT-3.3.2-2, MQTT-4.7.3-1.
    #[error("the topic is empty or holds a wildcard")]
    Topic,
    /// A filter that is empty or has a wildcard in a wrong place. MQTT-4.7.1-2, MQTT-4.7.1-3, MQTT-4.7.3-1.
    #[error("a topic filter is empty or has a wildcard in a wrong place")]
    Filter,
    /// A SUBSCRIBE or UNSUBSCRIBE without a filter. MQTT-3.8.3-3, MQTT-3.10.3-2.
    #[error("no topic filter is given")]
    NoFilter,
    /// Reserved bits that are set, or a code that does not exist. MQTT-3.8.3-4, MQTT-3.2.2, MQTT-3.9.3-2.
    #[error("the value {0:#04x} is reserved")]
    Reserved(
        /// The byte.
        u8,
    ),
}

/// Why a packet cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A text or binary field has more than 65,535 bytes. MQTT 3.1.1 §1.5.3.
    #[error("a field has {bytes} bytes, at most 65535 are possible")]
    Field {
        /// Its size.
        bytes: usize,
    },
    /// The packet has more than 268,435,455 bytes. MQTT 3.1.1 §2.2.3.
    #[error("the packet has {bytes} bytes after its first, at most 268435455 are possible")]
    Packet {
        /// Its size.
        bytes: usize,
    },
}
