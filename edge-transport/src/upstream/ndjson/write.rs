//! Writes recorded messages.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edge_core::{Message, SystemKey};
use serde_json::value::RawValue;

use super::Record;

impl fmt::Display for Record {
    /// Writes the record as one line, without the line's end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { enqueued, message } = self;
        write!(
            f,
            r#"{{"source":{},"enqueuedTime":"{enqueued}","systemProperties":"#,
            Text(message.source())
        )?;
        object(f, message.system().iter().map(|(key, value)| (key.name(), Some(value))))?;
        f.write_str(r#","properties":"#)?;
        object(f, message.properties().iter())?;
        body(f, message)?;
        f.write_str("}")
    }
}

/// A text as a JSON string. RFC 8259 §7.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        let mut plain = 0;
        for (at, c) in self.0.char_indices().filter(|(_, c)| *c < ' ' || matches!(c, '"' | '\\')) {
            f.write_str(self.0.get(plain..at).unwrap_or_default())?;
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                _ => write!(f, "\\u{:04x}", u32::from(c))?,
            }
            plain = at + 1;
        }
        f.write_str(self.0.get(plain..).unwrap_or_default())?;
        f.write_str("\"")
    }
}

fn object<'a>(
    f: &mut fmt::Formatter<'_>,
    pairs: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> fmt::Result {
    f.write_str("{")?;
    for (number, (name, value)) in pairs.enumerate() {
        let comma = if number == 0 { "" } else { "," };
        match value {
            Some(value) => write!(f, "{comma}{}:{}", Text(name), Text(value))?,
            None => write!(f, "{comma}{}:null", Text(name))?,
        }
    }
    f.write_str("}")
}

fn body(f: &mut fmt::Formatter<'_>, message: &Message) -> fmt::Result {
    let Ok(text) = std::str::from_utf8(message.body()) else {
        return write!(f, r#","bodyBase64":"{}""#, STANDARD.encode(message.body()));
    };
    match json_of(message, text) {
        Some(json) => {
            f.write_str(r#","body":"#)?;
            // A line break within JSON stands between tokens: within strings it is escaped.
            json.split(['\n', '\r']).try_for_each(|part| f.write_str(part))
        }
        None => write!(f, r#","bodyText":{}"#, Text(text)),
    }
}

/// Returns the body without white space around it, when the message says that it is JSON in UTF-8, and it is.
pub(crate) fn json_of<'a>(message: &Message, text: &'a str) -> Option<&'a str> {
    let system = message.system();
    let media_type = system.value(SystemKey::ContentType)?.split(';').next()?.trim();
    let encoding = system.value(SystemKey::ContentEncoding)?;
    let is_said =
        media_type.eq_ignore_ascii_case("application/json") && encoding.eq_ignore_ascii_case("utf-8");
    if !is_said {
        return None;
    }
    serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get)
}
