//! Property bags: a message's properties as the last level of its topic.
//!
//! `k=v&k=v`, names and values percent-encoded UTF-8 with `%20` for a space. A name without `=` has no value, which is
//! not the same as an empty one. System properties have names that begin with `$.`, apart from a few old ones.
//!
//! # Source
//! Azure IoT Hub, "Communicate with IoT Hub using the MQTT protocol"; the names as Azure IoT Edge's hub maps them.

use std::borrow::Cow;

use edge_core::{Message, MessageBuilder, SystemKey};

use super::percent;
use super::properties::{self, Author, OTHER, TABLE};

/// The application property that says that a message was sent with RETAIN.
pub(crate) const RETAIN: &str = "mqtt-retain";
/// The application property that says that a message was sent with DUP.
pub(crate) const DUP: &str = "mqtt-dup";

/// Why a text is not a property bag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BagError {
    /// A name or value is not UTF-8 once it is decoded.
    #[error("a property at byte {at} of the property bag is not UTF-8")]
    NotUtf8 {
        /// Where the property begins.
        at: usize,
    },
}

/// What [`read`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BagRead<'a> {
    /// The output that the message leaves by, `$.on`.
    pub output: Option<Cow<'a, str>>,
    /// The bytes of all names and values, decoded, as the size of a message counts them.
    pub bytes: usize,
}

/// Reads a property bag into `builder`.
///
/// The name of the output is returned and not set: it is the sender's session that knows whether it has outputs.
/// `$.cdid` and `$.cmid` are passed over, since only the gateway says who sent a message.
///
/// # Errors
/// [`BagError`] when the text is not a property bag; `builder` may then hold some of it.
///
/// # Examples
/// ```
/// use edge_core::{MessageBuilder, SystemKey};
/// use edge_transport::iothub::bag;
///
/// let mut builder = MessageBuilder::new("/messages/");
/// let read = bag::read("%24.mid=m1&%24.on=hot&line=7%2F8&spare", &mut builder)?;
/// let message = builder.build();
/// assert_eq!(read.output.as_deref(), Some("hot"));
/// assert_eq!(message.system().value(SystemKey::MessageId), Some("m1"));
/// assert_eq!(message.properties().value("line"), Some(Some("7/8")));
/// assert_eq!(message.properties().value("spare"), Some(None));
/// # Ok::<(), bag::BagError>(())
/// ```
pub fn read<'a>(bag: &'a str, builder: &mut MessageBuilder) -> Result<BagRead<'a>, BagError> {
    read_by(bag, Author::Client, builder)
}

/// Reads a property bag of somebody who may set everything, which [`write_all`] has written.
#[cfg(test)]
pub(crate) fn read_all<'a>(bag: &'a str, builder: &mut MessageBuilder) -> Result<BagRead<'a>, BagError> {
    read_by(bag, Author::Trusted, builder)
}

fn read_by<'a>(bag: &'a str, author: Author, builder: &mut MessageBuilder) -> Result<BagRead<'a>, BagError> {
    let mut found = BagRead::default();
    let mut at = 0;
    for pair in bag.split('&') {
        let begins = at;
        at += pair.len() + 1;
        if pair.is_empty() {
            continue;
        }
        let (name, value) = match pair.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (pair, None),
        };
        let bad = BagError::NotUtf8 { at: begins };
        let name = percent::decode(name).ok_or(bad)?;
        let value = value.map(percent::decode).map(|value| value.ok_or(bad)).transpose()?;
        found.bytes += name.len() + value.as_ref().map_or(0, |value| value.len());
        let key = if name.starts_with("$.") || name.starts_with("iothub-") {
            TABLE.iter().find(|row| row.bag == Some(&*name))
        } else {
            None
        };
        let is_trusted = author == Author::Trusted;
        let other = || SystemKey::from_name(name.strip_prefix("$.")?.strip_prefix(OTHER)?);
        match key {
            Some(row) if row.key == SystemKey::OutputName && !is_trusted => found.output = value,
            Some(row) if row.by_client || is_trusted => {
                builder.set_system(row.key, value.as_deref().unwrap_or_default());
            }
            Some(_) => {}
            None => match other() {
                Some(key) if is_trusted => builder.set_system(key, value.as_deref().unwrap_or_default()),
                Some(_) => {}
                None => builder.set_property(&name, value.as_deref()),
            },
        }
    }
    Ok(found)
}

/// Writes the properties of `message` to the end of `out` as a property bag.
///
/// # Examples
/// ```
/// use edge_core::{Message, Source, SystemKey};
/// use edge_transport::iothub::bag;
///
/// let message = Message::builder(&Source::telemetry())
///     .system(SystemKey::MessageId, "m1")
///     .property("line", "7/8")
///     .null_property("spare")
///     .build();
/// let mut out = String::new();
/// bag::write(&message, &mut out);
/// assert_eq!(out, "%24.mid=m1&line=7%2F8&spare");
/// ```
pub fn write(message: &Message, out: &mut String) {
    write_with(message, false, out);
}

/// Writes all properties of `message`, those too that no client is told: each of these as `$.x-opt-edge-` and the name
/// that routes use after `$`.
pub(crate) fn write_all(message: &Message, out: &mut String) {
    write_with(message, true, out);
}

fn write_with(message: &Message, all: bool, out: &mut String) {
    let mut first = true;
    let mut put = |name: &str, value: Option<&str>| {
        if !std::mem::take(&mut first) {
            out.push('&');
        }
        percent::encode_into(name, out);
        if let Some(value) = value {
            out.push('=');
            percent::encode_into(value, out);
        }
    };
    for (key, value) in message.system() {
        match properties::of(key).and_then(|row| row.bag) {
            Some(wire) => put(wire, Some(value)),
            None if all => put(&format!("$.{OTHER}{key}"), Some(value)),
            None => {}
        }
    }
    for (name, value) in message.properties() {
        put(name, value);
    }
}

#[cfg(test)]
mod tests {
    use edge_core::Source;
    use proptest::prelude::*;

    use super::*;

    fn read_whole(bag: &str) -> (Message, BagRead<'_>) {
        let mut builder = MessageBuilder::new("/messages/");
        let found = read(bag, &mut builder).unwrap();
        (builder.build(), found)
    }

    #[test]
    fn every_system_property_is_read() {
        for row in TABLE {
            let Some(wire) = row.bag else { continue };
            let (message, _) = read_whole(&format!("{}=x", percent::encode(wire)));
            let expected = (row.by_client && row.key != SystemKey::OutputName).then_some("x");
            assert_eq!(message.system().value(row.key), expected, "{wire}");
            assert!(message.properties().is_empty());
        }
    }

    #[test]
    fn nobody_can_claim_to_be_another_sender() {
        let (message, _) = read_whole("%24.cdid=boss&$.cmid=root");
        assert!(message.system().is_empty());
        assert!(message.properties().is_empty());
    }

    #[test]
    fn odd_bags_are_read() {
        let (message, found) = read_whole("&&a=1=2&b&c=&$.unknown=u&d=+&");
        let all: Vec<_> = message.properties().iter().collect();
        assert_eq!(
            all,
            [("$.unknown", Some("u")), ("a", Some("1=2")), ("b", None), ("c", Some("")), ("d", Some("+"))]
        );
        assert_eq!(found.bytes, 4 + 1 + 1 + 10 + 2);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let mut builder = MessageBuilder::new("/");
        assert_eq!(read("a=1&b=%ff", &mut builder), Err(BagError::NotUtf8 { at: 4 }));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            properties in proptest::collection::btree_map("\\PC{1,12}", proptest::option::of("\\PC{0,12}"), 0..8),
            id in "\\PC{0,12}",
        ) {
            let mut builder = Message::builder(&Source::telemetry()).system(SystemKey::MessageId, &id);
            for (name, value) in &properties {
                builder.set_property(name, value.as_deref());
            }
            let message = builder.build();
            let mut out = String::new();
            write(&message, &mut out);
            assert!(!out.contains(['/', '#', '+', '$', ' ']));
            assert_eq!(read_whole(&out).0, message);
        }

        #[test]
        fn any_text_is_read_without_a_panic(bag: String) {
            let _either_way = read(&bag, &mut MessageBuilder::new("/"));
        }
    }
}
