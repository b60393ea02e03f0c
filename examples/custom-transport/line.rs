//! The wire format: one message a line, and one line for its answer.
//!
//! ```text
//! →  {"number":0,"source":"/messages/","properties":{"line":"7"},"body":"MjEuNQ=="}
//! ←  OK 0
//! →  {"number":1,"source":"/messages/","properties":{},"body":"//8="}
//! ←  NO 1 not a temperature
//! ```
//!
//! Numbers count from 0 on each connection, and answers come in the order of the messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge_core::{Message, Outcome};
use serde_json::{Map, Value, json};

/// The longest line: the largest message in base64, and room for its properties.
pub(crate) const MAX_LINE_BYTES: usize = 2 * edge_core::MAX_MESSAGE_BYTES;

/// Writes a message as a line.
pub(crate) fn encode(number: u64, message: &Message, out: &mut Vec<u8>) {
    let properties: Map<String, Value> =
        message.properties().iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let line = json!({
        "number": number,
        "source": message.source(),
        "properties": properties,
        "body": STANDARD.encode(message.body()),
    });
    out.extend_from_slice(line.to_string().as_bytes());
    out.push(b'\n');
}

/// Reads number and body of a line; `None` when it is no message.
pub(crate) fn decode(line: &str) -> Option<(u64, Vec<u8>)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let body = STANDARD.decode(line.get("body")?.as_str()?).ok()?;
    Some((line.get("number")?.as_u64()?, body))
}

/// Reads an answer; `None` when it is not the answer to message `number`.
pub(crate) fn answer(line: &str, number: u64) -> Option<Outcome> {
    let (word, rest) = line.split_once(' ')?;
    let (answered, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    match (word, answered.parse() == Ok(number)) {
        ("OK", true) => Some(Outcome::Accepted),
        ("NO", true) => Some(Outcome::Rejected { reason: reason.to_owned() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use edge_core::Source;

    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_it_holds() {
        let message = Message::builder(&Source::telemetry())
            .property("a\nb", "\"\u{0}")
            .null_property("c")
            .body(b"\n\xff")
            .build();
        let mut line = Vec::new();
        encode(7, &message, &mut line);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let text = std::str::from_utf8(&line).unwrap();
        assert_eq!(decode(text.trim_end()), Some((7, b"\n\xff".to_vec())));
    }

    #[test]
    fn an_answer_to_another_message_is_none() {
        assert_eq!(answer("OK 3", 3), Some(Outcome::Accepted));
        assert_eq!(answer("NO 3 too hot", 3), Some(Outcome::Rejected { reason: "too hot".to_owned() }));
        for line in ["OK 2", "OK", "YES 3", "", "OK x"] {
            assert_eq!(answer(line, 3), None, "{line:?}");
        }
    }
}
