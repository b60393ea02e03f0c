//! The traps of the language: texts that are accepted and do something else than they seem to say.
//!
//! # Source
//! Route language §2 to §8, wherever it says trap, quirk or probed.

mod condition;
mod guard;
mod name;
mod route;
mod syntax;

pub(crate) use condition::in_condition;
pub(crate) use route::{condition_and_source, in_route};
pub(crate) use syntax::{ignored_text, syntax_help};

/// The system properties that messages have.
///
/// # Source
/// Route language §5.
pub(crate) const SYSTEM_PROPERTIES: [&str; 33] = [
    "messageId",
    "enqueuedTime",
    "to",
    "cid",
    "correlationId",
    "userId",
    "ack",
    "connectionDeviceId",
    "connectionModuleId",
    "inputName",
    "outputName",
    "connectionDeviceGenerationId",
    "connectionAuthMethod",
    "contentType",
    "contentEncoding",
    "messageSchema",
    "messageType",
    "lockToken",
    "deliveryCount",
    "statusCode",
    "outBoundURI",
    "version",
    "absolute-expiry-time",
    "edgeMessageId",
    "edgeHubOriginInterface",
    "creationTime",
    "operation",
    "sequenceNumber",
    "iothub-interface-id",
    "modelId",
    "dt-subject",
    "rpSenderDeviceId",
    "rpSenderModuleId",
];
