//! Where the properties of a message stand in AMQP, and by which names MQTT has them.
//!
//! | system property | in AMQP | type | in MQTT |
//! |---|---|---|---|
//! | messageId | properties: message-id | string | `$.mid` |
//! | correlationId | properties: correlation-id | string | `$.cid` |
//! | userId | properties: user-id | binary | `$.uid` |
//! | to | properties: to | string | `$.to` |
//! | contentType | properties: content-type | symbol | `$.ct` |
//! | contentEncoding | properties: content-encoding | symbol | `$.ce` |
//! | absolute-expiry-time | properties: absolute-expiry-time | timestamp | `$.exp` |
//! | creationTime | application property `iothub-creation-time-utc` | string | `$.ctime` |
//! | messageSchema | application property `iothub-message-schema` | string | `$.schema` |
//! | outputName | application property `iothub-outputname` | string | `$.on` |
//! | ack | application property `iothub-ack` | string | `iothub-ack` |
//! | operation | application property `iothub-operation` | string | `iothub-operation` |
//! | iothub-interface-id | annotation `iothub-interface-id` | string | `$.ifid` |
//! | dt-subject | annotation `dt-subject` | string | `$.sub` |
//! | inputName | annotation `x-opt-input-name` | string | in the topic |
//! | connectionDeviceId | annotation `iothub-connection-device-id` | string | `$.cdid` |
//! | connectionModuleId | annotation `iothub-connection-module-id` | string | `$.cmid` |
//! | enqueuedTime | annotation `iothub-enqueuedtime` | timestamp | |
//! | deliveryCount | annotation `iothub-deliverycount` | ubyte | |
//! | sequenceNumber | annotation `x-opt-sequence-number` | long | |
//! | lockToken | annotation `x-opt-lock-token` | uuid | |
//! | every other one, to brokers | annotation `x-opt-edge-` and its name | string | |
//!
//! An application property is a string, and null when it has no value. What a client sends as a number, a truth value, a
//! time or a UUID becomes its text. A time that is none (`$.exp=soon`) stands as it is, as a string under the
//! annotation `x-opt-edge-` and its name; so does a number or UUID that is none. A client cannot set what only the gateway
//! knows: the sender, the queue's marks, and the input.
//!
//! # Source
//! Azure IoT Hub, "Create and read messages", and what its SDKs and Azure IoT Edge's hub put where.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge_core::{Message, MessageBuilder, SystemKey, Timestamp};

pub(crate) use super::properties::Author;
use super::properties::{self, Kind, OTHER, Place, TABLE};
use super::uuid;
use crate::amqp::wire::{Properties, Sections, Value, WireError, Writer, write_data};

/// Who reads a message that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A device or module: gets what the table has.
    Client,
    /// A broker: gets everything.
    Broker,
}

/// What [`read`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PropertiesRead {
    /// The output that the message leaves by; set by a client only by its session.
    pub(crate) output: Option<String>,
    /// The bytes of all names and values, as the size of a message counts them.
    pub(crate) bytes: usize,
}

/// The text of a value; `None` for null.
fn text_of(value: Value<'_>) -> Result<Option<String>, WireError> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Text(text) | Value::Symbol(text) => text.to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Char(value) => value.to_string(),
        Value::Ulong(value) => value.to_string(),
        Value::Timestamp(ms) => time_text(ms),
        Value::Uuid(value) => uuid::to_text(&value),
        Value::Binary(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => STANDARD.encode(bytes),
        },
        other => match other.integer() {
            Some(number) => number.to_string(),
            None => return Err(WireError::Field("the value of a property")),
        },
    }))
}

/// A time before 1970 is none that a message can have.
fn time_text(unix_ms: i64) -> String {
    Timestamp::from_unix_ms(u64::try_from(unix_ms).unwrap_or(0)).to_string()
}

/// Reads the properties of a message into `builder`.
pub(crate) fn read(
    sections: &Sections<'_>,
    author: Author,
    builder: &mut MessageBuilder,
) -> Result<PropertiesRead, WireError> {
    let mut found = PropertiesRead::default();
    let p = &sections.properties;
    let fields = [
        (SystemKey::MessageId, p.message_id),
        (SystemKey::CorrelationId, p.correlation_id),
        (SystemKey::UserId, p.user_id),
        (SystemKey::To, p.to),
        (SystemKey::ContentType, p.content_type),
        (SystemKey::ContentEncoding, p.content_encoding),
        (SystemKey::ExpiryTime, p.absolute_expiry_time),
        // Its place is an application property, which comes later and wins.
        (SystemKey::CreationTime, p.creation_time),
    ];
    for (key, value) in fields {
        if let Some(text) = text_of(value)? {
            found.bytes += text.len();
            builder.set_system(key, &text);
        }
    }
    for pair in sections.annotations.iter() {
        let (name, value) = pair?;
        let Some(name) = name.text() else { continue };
        let in_table = TABLE
            .iter()
            .find(|row| matches!(row.amqp, Place::Annotation(wire, _) if wire == name))
            .map(|row| (row.key, row.by_client));
        let other = || {
            let key = SystemKey::from_name(name.strip_prefix(OTHER)?)?;
            Some((key, properties::of(key).is_some_and(|row| row.by_client)))
        };
        let Some((key, may)) = in_table.or_else(other) else { continue };
        if (may || author == Author::Trusted)
            && let Some(text) = text_of(value)?
        {
            found.bytes += name.len() + text.len();
            builder.set_system(key, &text);
        }
    }
    for pair in sections.application.iter() {
        let (name, value) = pair?;
        let name = name.text().ok_or(WireError::Field("the name of a property"))?;
        let value = text_of(value)?;
        found.bytes += name.len() + value.as_ref().map_or(0, String::len);
        let place = if name.starts_with("iothub-") {
            TABLE.iter().find(|row| matches!(row.amqp, Place::Application(wire) if wire == name))
        } else {
            None
        };
        match place {
            Some(row) if row.key == SystemKey::OutputName && author == Author::Client => found.output = value,
            Some(row) => builder.set_system(row.key, value.as_deref().unwrap_or_default()),
            None => builder.set_property(name, value.as_deref()),
        }
    }
    Ok(found)
}

/// Writes a message: annotations, properties, application properties and body.
pub(crate) fn write(message: &Message, reader: Reader, input: Option<&str>, out: &mut Vec<u8>) {
    let mut annotations = Vec::new();
    let mut count = 0;
    let mut p = Properties::default();
    for (key, value) in message.system() {
        let mut annotate = |name: &str, put: &dyn Fn(&mut Writer<'_>)| {
            let mut w = Writer::new(&mut annotations);
            w.symbol(name);
            put(&mut w);
            count += 1;
        };
        let mut as_text = |key: SystemKey| {
            let mut name = String::from(OTHER);
            // Writing to a string does not fail.
            let _infallible = write!(name, "{key}");
            annotate(&name, &|w| w.string(value));
        };
        let place = properties::of(key).map(|row| row.amqp);
        match place {
            Some(Place::Field) => match key {
                SystemKey::MessageId => p.message_id = Value::Text(value),
                SystemKey::CorrelationId => p.correlation_id = Value::Text(value),
                SystemKey::UserId => p.user_id = Value::Binary(value.as_bytes()),
                SystemKey::To => p.to = Value::Text(value),
                SystemKey::ContentType if value.is_ascii() => p.content_type = Value::Symbol(value),
                SystemKey::ContentEncoding if value.is_ascii() => p.content_encoding = Value::Symbol(value),
                SystemKey::ExpiryTime => match time(value) {
                    Some(ms) => p.absolute_expiry_time = Value::Timestamp(ms),
                    None => as_text(key),
                },
                _ => as_text(key),
            },
            Some(Place::Application(_)) => {}
            Some(Place::Annotation(_, _)) if key == SystemKey::InputName && input.is_some() => {}
            Some(Place::Annotation(name, kind)) => {
                let typed = match kind {
                    Kind::Text => Some(Value::Text(value)),
                    Kind::Time => time(value).map(Value::Timestamp),
                    Kind::Ubyte => exact(value).map(Value::Ubyte),
                    Kind::Long => exact(value).map(Value::Long),
                    Kind::Uuid => {
                        uuid::from_text(value).filter(|id| uuid::to_text(id) == value).map(Value::Uuid)
                    }
                };
                match typed {
                    Some(typed) => annotate(name, &|w| w.value(typed)),
                    None => as_text(key),
                }
            }
            None if reader == Reader::Broker => as_text(key),
            None => {}
        }
    }
    let mut w = Writer::new(out);
    if count > 0 || input.is_some() {
        w.descriptor(0x72);
        w.map(|w| {
            w.raw(&annotations);
            if let Some(input) = input {
                w.symbol("x-opt-input-name");
                w.string(input);
            }
            count + usize::from(input.is_some())
        });
    }
    if p != Properties::default() {
        p.write(&mut w);
    }
    let in_application = |key| match properties::of(key)?.amqp {
        Place::Application(name) => Some(name),
        _ => None,
    };
    let system = || message.system().iter().filter_map(|(key, value)| Some((in_application(key)?, value)));
    if !message.properties().is_empty() || system().next().is_some() {
        w.descriptor(0x74);
        w.map(|w| {
            let mut count = 0;
            for (name, value) in system() {
                w.string(name);
                w.string(value);
                count += 1;
            }
            for (name, value) in message.properties() {
                w.string(name);
                match value {
                    Some(value) => w.string(value),
                    None => w.null(),
                }
                count += 1;
            }
            count
        });
    }
    write_data(&mut w, message.body());
}

/// The milliseconds of a time that is written the one way in which it is written back.
fn time(text: &str) -> Option<i64> {
    let time: Timestamp = text.parse().ok()?;
    i64::try_from(time.as_unix_ms()).ok()
}

/// The number of a text that is the number's only text.
fn exact<N: std::str::FromStr + ToString>(text: &str) -> Option<N> {
    text.parse().ok().filter(|number: &N| number.to_string() == text)
}

#[cfg(test)]
mod tests;
