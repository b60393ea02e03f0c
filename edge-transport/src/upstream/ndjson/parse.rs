//! Reads recorded messages.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edge_core::{MessageBuilder, SystemKey};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Record, RecordError};

/// A line as it stands there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    enqueued_time: Cow<'a, str>,
    #[serde(default)]
    system_properties: BTreeMap<String, String>,
    #[serde(default)]
    properties: BTreeMap<String, Option<String>>,
    #[serde(borrow, default, deserialize_with = "present")]
    body: Option<&'a RawValue>,
    body_text: Option<String>,
    body_base64: Option<String>,
}

/// Reads a value that is there, `null` among them.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl FromStr for Record {
    type Err = RecordError;

    /// Reads one line, with or without its end.
    fn from_str(line: &str) -> Result<Self, RecordError> {
        let line: Line<'_> =
            serde_json::from_str(line).map_err(|source| RecordError::Json { source: source.into() })?;
        let mut builder = MessageBuilder::new(&line.source);
        for (name, value) in &line.system_properties {
            let key = SystemKey::from_name(name);
            let key = key.ok_or_else(|| RecordError::SystemProperty { name: name.clone() })?;
            builder.set_system(key, value);
        }
        for (name, value) in &line.properties {
            builder.set_property(name, value.as_deref());
        }
        match (line.body, line.body_text, line.body_base64) {
            (Some(json), None, None) => builder.set_body(json.get().as_bytes()),
            (None, Some(text), None) => builder.set_body(text.as_bytes()),
            (None, None, Some(base64)) => {
                let bytes = STANDARD.decode(base64);
                builder.set_body(&bytes.map_err(|source| RecordError::Base64 { source: source.into() })?);
            }
            (json, text, base64) => {
                let found =
                    usize::from(json.is_some()) + usize::from(text.is_some()) + usize::from(base64.is_some());
                return Err(RecordError::Bodies { found });
            }
        }
        let Ok(enqueued) = line.enqueued_time.parse() else {
            return Err(RecordError::Time { text: line.enqueued_time.into_owned() });
        };
        Ok(Self::new(enqueued, builder.build()))
    }
}

#[cfg(test)]
mod tests {
    use edge_core::testing::arbitrary;
    use edge_core::{Message, Source, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn json_message(body: &[u8]) -> Message {
        Message::builder(&Source::telemetry())
            .system(SystemKey::ContentType, "application/json; charset=utf-8")
            .system(SystemKey::ContentEncoding, "UTF-8")
            .body(body)
            .build()
    }

    fn line(message: Message) -> String {
        Record::new(Timestamp::from_unix_ms(1_767_225_600_000), message).to_string()
    }

    #[test]
    fn json_stands_there_byte_for_byte() {
        for (body, expected) in [
            (
                &br#"{"b":1.50,"a":1e400,"b":"\u00e4\ud800"}"#[..],
                r#""body":{"b":1.50,"a":1e400,"b":"\u00e4\ud800"}}"#,
            ),
            (b" {\r\n  \"a\" : [1,\n2] }\n", r#""body":{  "a" : [1,2] }}"#),
            (b"null", r#""body":null}"#),
            (b"12345678901234567890.1", r#""body":12345678901234567890.1}"#),
            (b"{\"a\":", r#""bodyText":"{\"a\":"}"#),
            (b"1 2", r#""bodyText":"1 2"}"#),
            (b"", r#""bodyText":""}"#),
            (b"\xff\x00", r#""bodyBase64":"/wA="}"#),
        ] {
            let line = line(json_message(body));
            assert!(line.ends_with(expected), "{line}");
            assert!(!line.contains(['\n', '\r']), "{line}");
        }
    }

    #[test]
    fn a_body_of_another_kind_is_text() {
        for (content_type, encoding) in
            [("text/plain", "utf-8"), ("application/json", "utf-16"), ("application/jsonl", "utf-8")]
        {
            let message = Message::builder(&Source::telemetry())
                .system(SystemKey::ContentType, content_type)
                .system(SystemKey::ContentEncoding, encoding)
                .body(b"{\"a\":1}\n")
                .build();
            assert!(line(message).ends_with(r#""bodyText":"{\"a\":1}\n"}"#));
        }
    }

    #[test]
    fn mistakes_are_named() {
        let whole = r#"{"source":"/","enqueuedTime":"2026-01-01T00:00:00Z","bodyText":""}"#;
        assert!(whole.parse::<Record>().is_ok());
        for (from, to, expected) in [
            ("00:00:00Z", "yesterday", "is not a time"),
            ("bodyText", "bodytext", "not a recorded message"),
            (r#""bodyText":"""#, r#""systemProperties":{}"#, "has 0 bodies"),
            (r#""bodyText":"""#, r#""bodyText":"","body":null"#, "has 2 bodies"),
            (r#""bodyText":"""#, r#""bodyBase64":"?""#, "not Base64"),
            (
                r#""bodyText""#,
                r#""systemProperties":{"conntype":""},"bodyText""#,
                "\"conntype\" is not a system",
            ),
            (r#""source":"/","#, "", "not a recorded message"),
        ] {
            let error = whole.replace(from, to).parse::<Record>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(message in arbitrary::message(), enqueued in arbitrary::timestamp()) {
            let record = Record::new(enqueued, message);
            let line = record.to_string();
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(line.parse::<Record>()?, record);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,80}", cut in 0..200usize) {
            let _either_way = text.parse::<Record>();
            let whole = line(json_message(b"{}"));
            if let Some(part) = whole.get(..cut.min(whole.len() - 1)) {
                prop_assert!(part.parse::<Record>().is_err());
            }
        }
    }
}
