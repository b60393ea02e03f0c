//! Messages that devices and modules send, one at a time or many.

use std::fmt;

use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use edge_core::service::ServiceError;
use edge_core::{Message, MessageBuilder, Origin, PortName, Visit};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::call::{Call, parse};
use super::error::{Answer, RestError, no_content};
use crate::iothub::amqp::PropertiesRead;
use crate::iothub::headers;

/// The content type of many messages.
const BATCH: &str = "application/vnd.microsoft.iothub.json";

/// The most messages of one request. Azure IoT Hub.
const MAX_ENTRIES: usize = 500;

/// Many messages.
struct Entries(Vec<Entry>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an array of at most {MAX_ENTRIES} messages")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = array.next_element()? {
                    if entries.len() == MAX_ENTRIES {
                        return Err(A::Error::invalid_length(MAX_ENTRIES + 1, &self));
                    }
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

/// One message of many.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    body: String,
    /// The Node SDK does not say, and encodes.
    base64_encoded: Option<bool>,
    #[serde(default)]
    properties: Map<String, Value>,
}

pub(super) async fn send(mut call: Call) -> Answer {
    let mut visit = call.visit().await?;
    let origin = Origin::new(visit.authenticated());
    let max = call.caller.resources.limits().max_message_bytes;
    let batch = if is_batch(&call) {
        // Base64 takes four bytes for three, and every property its quotation marks.
        let body = call.body_within(max.saturating_mul(2)).await?;
        many(&body, &origin, max)?
    } else {
        let body = call.body_within(max).await?;
        vec![one(&call, &body, &origin, max)?.0]
    };
    taken(&mut *visit, batch).await
}

/// Answers when the messages are as durable as the gateway promises.
async fn taken(visit: &mut dyn Visit, batch: Vec<Message>) -> Answer {
    visit.publish(batch).await?;
    no_content()
}

fn is_batch(call: &Call) -> bool {
    let kind = call.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.and_then(|kind| kind.split(';').next()).is_some_and(|kind| kind.trim().eq_ignore_ascii_case(BATCH))
}

fn one(call: &Call, body: &[u8], origin: &Origin, max: usize) -> Result<Weighed, RestError> {
    let (mut builder, mut found) = (MessageBuilder::new(""), PropertiesRead::default());
    for (name, value) in &call.headers {
        headers::read(name.as_str(), Some(&headers::text(value.as_bytes())), &mut builder, &mut found);
    }
    finish(builder, found, body, origin, max)
}

fn many(body: &Bytes, origin: &Origin, max: usize) -> Result<Vec<Message>, RestError> {
    let Entries(entries) = parse(body)?;
    if entries.is_empty() {
        return Err(RestError::invalid("the batch is empty"));
    }
    let mut left = max;
    let mut batch = Vec::with_capacity(entries.len());
    for entry in entries {
        let (mut builder, mut found) = (MessageBuilder::new(""), PropertiesRead::default());
        for (name, value) in &entry.properties {
            let text = match value {
                Value::Null => None,
                Value::String(text) => Some(text.as_str().into()),
                Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
                _ => {
                    return Err(RestError::invalid(
                        "the value of a property is a text, number or truth value",
                    ));
                }
            };
            let is_prefixed =
                name.get(..headers::APP.len()).is_some_and(|p| p.eq_ignore_ascii_case(headers::APP));
            if is_prefixed || headers::is_system(name) {
                headers::read(name, text.as_deref(), &mut builder, &mut found);
            } else {
                headers::property(name, text.as_deref(), &mut builder, &mut found);
            }
        }
        let (message, size) = if entry.base64_encoded.unwrap_or(true) {
            let body = STANDARD.decode(entry.body.as_bytes());
            let body = body.map_err(|error| RestError::invalid(format!("a body is no base64: {error}")))?;
            finish(builder, found, &body, origin, max)?
        } else {
            finish(builder, found, entry.body.as_bytes(), origin, max)?
        };
        let Some(rest) = left.checked_sub(size) else { return Err(too_large(max.saturating_add(size), max)) };
        left = rest;
        batch.push(message);
    }
    Ok(batch)
}

/// A message, and its bytes as limits count them: the body, and the properties that the client gave it.
type Weighed = (Message, usize);

fn finish(
    mut builder: MessageBuilder,
    found: PropertiesRead,
    body: &[u8],
    origin: &Origin,
    max: usize,
) -> Result<Weighed, RestError> {
    let bytes = found.bytes + body.len();
    if bytes > max {
        return Err(too_large(bytes, max));
    }
    let output = found.output.filter(|name| origin.identity().module().is_some() && !name.is_empty());
    let output: Option<PortName> = output
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|error| RestError::invalid(format!("iothub-outputname: {error}")))?;
    origin.stamp(&mut builder, output.as_ref());
    Ok((builder.finish(&mut BytesMut::new(), body), bytes))
}

fn too_large(bytes: usize, max: usize) -> RestError {
    ServiceError::TooLarge { what: "the message", bytes, max }.into()
}
