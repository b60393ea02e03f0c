//! `queue peek`: the oldest messages of a queue.

use std::io::Write;

use edge_core::{Stored, Timestamp};
use edge_transport::upstream::ndjson::Record;
use serde_json::{Value, json};

use crate::reading::Outcome;
use crate::words::Words;
use crate::{End, open, reading, replay, written};

/// How many messages are shown when nothing is said.
const COUNT: u64 = 10;
/// How many characters of a body are shown.
const BODY_CHARS: usize = 60;

pub(crate) fn run(words: &Words, now: Timestamp, out: &mut impl Write) -> Result<End, String> {
    let [dir, name] = words.names() else {
        return Err("peek needs the folder of a store and a queue".into());
    };
    let mut inspection = open::inspect(dir)?;
    let queues = open::queues(&inspection, name)?;
    let [queue] = queues.as_slice() else {
        let names: Vec<_> = queues.iter().map(ToString::to_string).collect();
        return Err(format!("'{name}' has several queues; name one of {}", names.join(", ")));
    };
    let from = words.number("--from").unwrap_or(0);
    let count = words.number("--count").unwrap_or(COUNT);
    let outcome = reading::each(&mut inspection, dir, queue, from, count, |stored| {
        let shown = if words.has("--json") {
            writeln!(out, "{}", machine(stored))
        } else {
            writeln!(out, "{}", line(stored, now))
        };
        shown.map_err(written)
    })?;
    Ok(warn(name, &outcome))
}

/// Tells on the standard error what could not be read.
pub(crate) fn warn(queue: &str, outcome: &Outcome) -> End {
    if outcome.passed > 0 {
        eprintln!("queue: {queue}: {} entries were delivered before they could be read", outcome.passed);
    }
    if outcome.damaged == 0 {
        return End::Fine;
    }
    eprintln!("queue: {queue}: {} entries are lost to damage; see `queue verify`", outcome.damaged);
    End::Found
}

fn line(stored: &Stored, now: Timestamp) -> String {
    let Stored { offset, enqueued, expires, route, message, .. } = stored;
    let expiry = match expires {
        None => String::new(),
        Some(_) if stored.is_expired(now) => "  expired".into(),
        Some(at) => format!("  until {at}"),
    };
    let reason = message.properties().value(replay::REASON).flatten();
    let reason = reason.map_or_else(String::new, |reason| format!("  refused: {}", harmless(reason)));
    let (size, source, body) = (message.size(), harmless(message.source()), body(message.body()));
    format!("{offset}  {enqueued}{expiry}  {route}  {source}  {size} bytes  {body}{reason}")
}

/// Returns the beginning of a body that is text.
fn body(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else { return "(binary)".into() };
    let begin = text.char_indices().nth(BODY_CHARS).map_or(text, |(end, _)| text.get(..end).unwrap_or(text));
    let mut shown = harmless(begin);
    if begin.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Returns the text without control characters: a terminal is not to be controlled by what a device sends.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

fn machine(stored: &Stored) -> Value {
    let record: Value = serde_json::from_str(&Record::from(stored).to_string()).unwrap_or_default();
    json!({
        "offset": stored.offset,
        "route": stored.route.as_str(),
        "expires": stored.expires.map(|at| at.to_string()),
        "bytes": stored.message.size(),
        "message": record,
    })
}

#[cfg(test)]
mod tests {
    use super::body;

    #[test]
    fn bodies_are_one_harmless_line() {
        assert_eq!(body(b"a\n\x1b[2J\"b"), "a\\n\\u{1b}[2J\"b");
        assert_eq!(body(&[0xff]), "(binary)");
        assert_eq!(body(&[b'x'; 61]), format!("{}…", "x".repeat(60)));
        assert_eq!(body(&[b'x'; 60]), "x".repeat(60));
    }
}
