//! The one table of where the properties of a message stand in each protocol.
//!
//! `PROTOCOLS.md`, beside this crate's manifest, has it with the rules for everything that is not in it.

use edge_core::SystemKey;

/// Where a system property stands in AMQP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A field of the properties section.
    Field,
    /// An application property.
    Application(&'static str),
    /// A message annotation, with the type that it has when the text allows it.
    Annotation(&'static str, Kind),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Time,
    Ubyte,
    Long,
    Uuid,
}

/// A system property.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) key: SystemKey,
    pub(crate) amqp: Place,
    /// Its name in a property bag, which is the last level of a topic of MQTT; `None` where clients have none for it.
    pub(crate) bag: Option<&'static str>,
    /// Its header over HTTP; `None` where clients have none for it, or one with a form of its own.
    pub(crate) header: Option<&'static str>,
    /// Whether a client may set it. The sender's identity goes out and is never taken from a client.
    pub(crate) by_client: bool,
}

const fn row(key: SystemKey, amqp: Place, bag: &'static str, header: &'static str) -> Row {
    Row { key, amqp, bag: Some(bag), header: Some(header), by_client: true }
}

const fn ours(key: SystemKey, amqp: Place, bag: Option<&'static str>, header: Option<&'static str>) -> Row {
    Row { key, amqp, bag, header, by_client: false }
}

const fn application(name: &'static str) -> Place {
    Place::Application(name)
}

const fn annotation(name: &'static str, kind: Kind) -> Place {
    Place::Annotation(name, kind)
}

/// Where each system property stands that clients know.
pub(crate) const TABLE: &[Row] = &[
    row(SystemKey::MessageId, Place::Field, "$.mid", "iothub-messageid"),
    row(SystemKey::CorrelationId, Place::Field, "$.cid", "iothub-correlationid"),
    row(SystemKey::UserId, Place::Field, "$.uid", "iothub-userid"),
    row(SystemKey::To, Place::Field, "$.to", "iothub-to"),
    row(SystemKey::ContentType, Place::Field, "$.ct", "iothub-contenttype"),
    row(SystemKey::ContentEncoding, Place::Field, "$.ce", "iothub-contentencoding"),
    row(SystemKey::ExpiryTime, Place::Field, "$.exp", "iothub-expiry"),
    row(
        SystemKey::CreationTime,
        application("iothub-creation-time-utc"),
        "$.ctime",
        "iothub-creation-time-utc",
    ),
    row(SystemKey::MessageSchema, application("iothub-message-schema"), "$.schema", "iothub-message-schema"),
    row(SystemKey::OutputName, application("iothub-outputname"), "$.on", "iothub-outputname"),
    row(SystemKey::Ack, application("iothub-ack"), "iothub-ack", "iothub-ack"),
    row(SystemKey::Operation, application("iothub-operation"), "iothub-operation", "iothub-operation"),
    row(
        SystemKey::InterfaceId,
        annotation("iothub-interface-id", Kind::Text),
        "$.ifid",
        "iothub-interface-id",
    ),
    row(SystemKey::Subject, annotation("dt-subject", Kind::Text), "$.sub", "dt-subject"),
    ours(SystemKey::InputName, annotation("x-opt-input-name", Kind::Text), None, None),
    ours(
        SystemKey::ConnectionDeviceId,
        annotation("iothub-connection-device-id", Kind::Text),
        Some("$.cdid"),
        None,
    ),
    ours(
        SystemKey::ConnectionModuleId,
        annotation("iothub-connection-module-id", Kind::Text),
        Some("$.cmid"),
        None,
    ),
    ours(
        SystemKey::EnqueuedTime,
        annotation("iothub-enqueuedtime", Kind::Time),
        None,
        Some("iothub-enqueuedtime"),
    ),
    ours(
        SystemKey::DeliveryCount,
        annotation("iothub-deliverycount", Kind::Ubyte),
        None,
        Some("iothub-deliverycount"),
    ),
    ours(
        SystemKey::SequenceNumber,
        annotation("x-opt-sequence-number", Kind::Long),
        None,
        Some("iothub-sequencenumber"),
    ),
    ours(SystemKey::LockToken, annotation("x-opt-lock-token", Kind::Uuid), None, None),
];

/// Before the name of a system property that is not in the table, where everything is told.
pub(crate) const OTHER: &str = "x-opt-edge-";

/// Returns the row of a property.
pub(crate) fn of(key: SystemKey) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.key == key)
}

/// Who wrote a message that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    /// A device or module: sets only what it may.
    Client,
    /// The service side, or a test of the law: sets everything.
    Trusted,
}

#[cfg(test)]
mod tests;
