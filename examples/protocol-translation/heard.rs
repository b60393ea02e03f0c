//! What is sent, and what somebody heard of it.

use std::fmt;

use edge_core::{Message, Source, SystemKey};

use crate::Fallible;

/// Returns a reading with this id, and properties that each protocol writes in its own way.
pub(crate) fn reading(id: &str) -> Message {
    Message::builder(&Source::telemetry())
        .system(SystemKey::MessageId, id)
        .system(SystemKey::CorrelationId, "batch/4711")
        .system(SystemKey::ContentType, "application/json")
        .system(SystemKey::ContentEncoding, "utf-8")
        .property("line", "7/8 + 9 & 50 %")
        .property("site", "Köln")
        .property("empty", "")
        .body(br#"{"temperature":21.50}"#)
        .build()
}

/// A message that arrived; shown as its protocol says it.
pub(crate) struct Heard {
    shown: String,
    message: Message,
}

impl Heard {
    pub(crate) fn new(shown: String, message: Message) -> Self {
        Self { shown, message }
    }

    /// Checks that the gateway names this device as the sender.
    pub(crate) fn is_from(&self, device: &str) -> Fallible<&Self> {
        match self.message.system().value(SystemKey::ConnectionDeviceId) {
            Some(found) if found == device => Ok(self),
            found => Err(format!("{device} has sent it, and not {found:?}: {self}").into()),
        }
    }

    /// Checks that it says what was sent: system properties, the application's own, and the body.
    pub(crate) fn says(&self, sent: &Message) -> Fallible<&Self> {
        for (key, value) in sent.system() {
            if self.message.system().value(key) != Some(value) {
                return Err(format!("{key:?} is not {value:?} any more: {self}").into());
            }
        }
        let own = |message: &Message| {
            let mut all: Vec<_> = message
                .properties()
                .iter()
                .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
                .collect();
            all.sort();
            all
        };
        if own(&self.message) != own(sent) || self.message.body() != sent.body() {
            return Err(format!("properties or body are others: {self}").into());
        }
        Ok(self)
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
