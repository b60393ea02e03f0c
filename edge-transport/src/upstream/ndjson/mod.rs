//! Recorded messages: newline-delimited JSON, one message a line.
//!
//! ```json
//! {"source":"/messages/","enqueuedTime":"2026-01-01T00:00:00.000Z","systemProperties":{"contentType":"application/json","contentEncoding":"utf-8"},"properties":{"line":"7","spare":null},"body":{"temperature":21.5}}
//! ```
//!
//! | field | what it holds |
//! |---|---|
//! | `source` | where the message came from, as routes see it |
//! | `enqueuedTime` | when the gateway took it, RFC 3339 in UTC |
//! | `systemProperties` | by the names that routes use after `$` |
//! | `properties` | the application's own; `null` for one without a value |
//! | `body` | the body as JSON, where content type and encoding say that it is JSON in UTF-8, and it is |
//! | `bodyText` | any other body that is UTF-8 |
//! | `bodyBase64` | any other body, in Base64 (RFC 4648 §4) |
//!
//! There is exactly one of the three bodies. A JSON body stands there byte for byte, numbers and escapes included; only
//! white space around it and line breaks between its tokens are left out.

mod parse;
mod write;

use edge_core::{BoxError, Message, Stored, Timestamp};

pub(crate) use write::{Text, json_of};

/// One recorded message.
///
/// # Examples
/// ```
/// use edge_core::{Message, Source, SystemKey, Timestamp};
/// use edge_transport::upstream::ndjson::Record;
///
/// let message = Message::builder(&Source::telemetry()).property("line", "7").body(b"21.5 \xC2\xB0C").build();
/// let record = Record::new(Timestamp::from_unix_ms(0), message);
/// let line = record.to_string();
/// assert_eq!(
///     line,
///     r#"{"source":"/messages/","enqueuedTime":"1970-01-01T00:00:00.000Z","systemProperties":{},"properties":{"line":"7"},"bodyText":"21.5 °C"}"#,
/// );
/// assert_eq!(line.parse::<Record>()?, record);
/// # Ok::<(), edge_transport::upstream::ndjson::RecordError>(())
/// ```
///
/// # Source
/// Our choice, because each line is written whole and read with any JSON tool, and nothing of a message is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// When the gateway took the message.
    pub enqueued: Timestamp,
    /// The message.
    pub message: Message,
}

impl Record {
    /// Returns the record of a message that was taken at `enqueued`.
    #[must_use]
    pub fn new(enqueued: Timestamp, message: Message) -> Self {
        Self { enqueued, message }
    }
}

impl From<&Stored> for Record {
    fn from(stored: &Stored) -> Self {
        Self::new(stored.enqueued, stored.message.clone())
    }
}

/// Why a line is not a recorded message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The line is not JSON, or not of this form.
    #[error("the line is not a recorded message")]
    Json {
        /// What is wrong, with the column.
        #[source]
        source: BoxError,
    },
    /// The time is not one.
    #[error("{text:?} is not a time: write it as 2026-01-01T00:00:00.000Z")]
    Time {
        /// The refused text.
        text: String,
    },
    /// A system property is not known.
    #[error(
        "{name:?} is not a system property: write it as a route does after `$`, or put it under properties"
    )]
    SystemProperty {
        /// The name found.
        name: String,
    },
    /// There is no body, or more than one.
    #[error("the line has {found} bodies: write one of body, bodyText and bodyBase64")]
    Bodies {
        /// How many there are.
        found: usize,
    },
    /// The body is not Base64.
    #[error("bodyBase64 is not Base64")]
    Base64 {
        /// What is wrong.
        #[source]
        source: BoxError,
    },
}
