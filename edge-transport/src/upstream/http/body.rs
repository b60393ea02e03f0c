//! A batch as the body of a request.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge_core::{Message, Stored, SystemKey};
use ring::digest::{Context, SHA256};

use super::HttpFormat;
use crate::iothub::{bag, percent};
use crate::upstream::ndjson::{Record, Text, json_of};

impl HttpFormat {
    /// Returns the body of a request.
    pub(super) fn write(self, gateway: &str, batch: &[Stored]) -> Vec<u8> {
        let mut out = String::new();
        match self {
            Self::Ndjson => {
                for stored in batch {
                    // Writing to a string does not fail.
                    let _infallible = writeln!(out, "{}", Record::from(stored));
                }
            }
            Self::CloudEvents => {
                for (number, stored) in batch.iter().enumerate() {
                    out.push(if number == 0 { '[' } else { ',' });
                    event(gateway, stored, &mut out);
                }
                out.push(']');
            }
        }
        out.into_bytes()
    }
}

/// Returns the idempotency key of a request: the same whenever it has the same messages.
pub(super) fn key(gateway: &str, batch: &[Stored]) -> String {
    let mut hash = Context::new(&SHA256);
    hash.update(gateway.as_bytes());
    for stored in batch {
        hash.update(&stored.offset.to_be_bytes());
        hash.update(&stored.enqueued.as_unix_ms().to_be_bytes());
        hash.update(&stored.message.encoded().len().to_be_bytes());
        hash.update(stored.message.encoded());
    }
    let digest = hash.finish();
    digest.as_ref().iter().take(16).fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

/// Writes one event. CloudEvents 1.0, JSON format §3.
fn event(gateway: &str, stored: &Stored, out: &mut String) {
    let message = &stored.message;
    let system = message.system();
    let mut properties = String::new();
    bag::write_all(message, &mut properties);
    let id = key(gateway, std::slice::from_ref(stored));
    let _infallible = write!(
        out,
        r#"{{"specversion":"1.0","id":"{id}","source":{},"type":"edge.message","time":"{}","edgesource":{}"#,
        Text(&source(message)),
        stored.enqueued,
        Text(message.source()),
    );
    if !properties.is_empty() {
        let _infallible = write!(out, r#","edgeproperties":{}"#, Text(&properties));
    }
    let content_type = system.value(SystemKey::ContentType).unwrap_or_default();
    if !content_type.is_empty() {
        let _infallible = write!(out, r#","datacontenttype":{}"#, Text(content_type));
    }
    let text = std::str::from_utf8(message.body()).ok();
    let json = text.and_then(|text| json_of(message, text));
    let _infallible = match (json, text) {
        (Some(json), _) => write!(out, r#","data":{json}}}"#),
        (None, Some(text)) if content_type.starts_with("text/") => write!(out, r#","data":{}}}"#, Text(text)),
        _ => write!(out, r#","data_base64":"{}"}}"#, STANDARD.encode(message.body())),
    };
}

/// Returns who sent a message, as a reference to a URI.
fn source(message: &Message) -> String {
    let system = message.system();
    let Some(device) = system.value(SystemKey::ConnectionDeviceId) else { return "/".into() };
    let mut source = String::from("/devices/");
    percent::encode_into(device, &mut source);
    if let Some(module) = system.value(SystemKey::ConnectionModuleId) {
        source.push_str("/modules/");
        percent::encode_into(module, &mut source);
    }
    source
}

#[cfg(test)]
mod tests {
    use edge_core::{MessageBuilder, Source, Timestamp};
    use serde_json::Value;

    use super::*;

    fn stored(offset: u64, message: MessageBuilder) -> Stored {
        let route = "telemetry".parse().unwrap();
        Stored::new(offset, Timestamp::from_unix_ms(1_767_225_600_000), None, route, message.build())
    }

    fn sample() -> MessageBuilder {
        Message::builder(&Source::telemetry())
            .system(SystemKey::ConnectionDeviceId, "press+7")
            .system(SystemKey::ContentType, "application/json")
            .system(SystemKey::ContentEncoding, "utf-8")
            .property("line", "7/8")
            .body(b"{\"t\": 21.50}")
    }

    #[test]
    fn a_batch_is_an_array_of_events() {
        let batch = [
            stored(1, sample()),
            stored(2, sample().system(SystemKey::ContentType, "text/plain").body(b"a\"b")),
            stored(3, Message::builder(&Source::telemetry()).body(&[0xff, 0])),
        ];
        let body = HttpFormat::CloudEvents.write("edge1", &batch);
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.contains(r#""data":{"t": 21.50}"#), "JSON stands as it was: {text}");
        let events: Vec<Value> = serde_json::from_str(text).unwrap();
        assert_eq!(events[0]["source"], "/devices/press%2B7");
        assert_eq!(
            events[0]["edgeproperties"],
            "%24.ct=application%2Fjson&%24.ce=utf-8&%24.cdid=press%2B7&line=7%2F8"
        );
        assert_eq!(events[0]["time"], "2026-01-01T00:00:00.000Z");
        assert_eq!(events[1]["data"], "a\"b");
        assert_eq!(events[2]["data_base64"], "/wA=");
        assert_ne!(events[0]["id"], events[1]["id"]);
    }

    #[test]
    fn a_key_is_of_the_messages_alone() {
        let batch = [stored(1, sample()), stored(2, sample())];
        assert_eq!(key("edge1", &batch), key("edge1", &batch.clone()));
        for other in [
            key("edge2", &batch),
            key("edge1", &batch[..1]),
            key("edge1", &[stored(1, sample()), stored(3, sample())]),
        ] {
            assert_ne!(key("edge1", &batch), other);
        }
    }

    #[test]
    fn lines_are_records() {
        let batch = [stored(1, sample()), stored(2, sample())];
        let body = String::from_utf8(HttpFormat::Ndjson.write("", &batch)).unwrap();
        let records: Vec<Record> = body.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(records, batch.iter().map(Record::from).collect::<Vec<_>>());
    }
}
