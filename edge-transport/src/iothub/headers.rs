//! Which HTTP headers stand for which properties of a message.
//!
//! The table is that of [`properties`]; the lock token is the `ETag`, in quotation marks, and an application property
//! is `iothub-app-` and its name. A device is not told an output, and sets nothing that it may not set elsewhere.
//!
//! Headers have no case: the name of a property that comes in one is in small letters. A property without a value has an
//! empty one. A value that comes in as no UTF-8 is taken for ISO 8859-1, which is what Node writes. What no header can
//! hold, control characters and spaces at the ends of a value and anything but the characters of a token in a name, goes
//! out percent-encoded.
//!
//! # Source
//! Azure IoT Hub, REST reference, "Device - Send Device Event" and "Device - Receive Device Bound Notification"; the
//! names below `iothub-ack` are our choice, after those that AMQP has.

use std::borrow::Cow;
use std::fmt::Write as _;

use edge_core::{Message, MessageBuilder, SystemKey};

use super::amqp::PropertiesRead;
use super::properties::{self, TABLE};

/// Before the name of an application property.
pub(crate) const APP: &str = "iothub-app-";

/// Reads one header or property of a batch, with its name in any case, into `builder`; what is no property is passed over.
pub(crate) fn read(
    name: &str,
    value: Option<&str>,
    builder: &mut MessageBuilder,
    found: &mut PropertiesRead,
) {
    let app = name.get(..APP.len()).filter(|start| start.eq_ignore_ascii_case(APP));
    if let Some(name) = app.and_then(|_| name.get(APP.len()..)) {
        return property(name, value, builder, found);
    }
    let is_it = |header: &str| header.eq_ignore_ascii_case(name);
    let Some(row) = TABLE.iter().find(|row| row.by_client && row.header.is_some_and(is_it)) else { return };
    let value = value.unwrap_or_default();
    found.bytes += value.len();
    match row.key {
        SystemKey::OutputName => found.output = Some(value.to_owned()),
        key => builder.set_system(key, value),
    }
}

/// Reads one application property.
pub(crate) fn property(
    name: &str,
    value: Option<&str>,
    builder: &mut MessageBuilder,
    found: &mut PropertiesRead,
) {
    found.bytes += name.len() + value.map_or(0, str::len);
    builder.set_property(name, value);
}

/// Returns whether a header or property of a batch is a system property, so that it is none of the application's.
pub(crate) fn is_system(name: &str) -> bool {
    TABLE.iter().any(|row| row.header.is_some_and(|known| known.eq_ignore_ascii_case(name)))
}

/// Returns the text of a header's value.
pub(crate) fn text(value: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(value) {
        Ok(text) => text.into(),
        Err(_) => value.iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}

/// Hands the headers of a message for a device to `put`: names of tokens, values without control characters.
pub(crate) fn write(message: &Message, mut put: impl FnMut(&str, &str)) {
    for (key, value) in message.system() {
        if let Some(name) = properties::of(key).and_then(|row| row.header)
            && key != SystemKey::OutputName
        {
            put(name, &value_of(value));
        }
    }
    if let Some(token) = message.system().value(SystemKey::LockToken) {
        put("etag", &format!("\"{}\"", value_of(token)));
    }
    for (name, value) in message.properties() {
        put(&format!("{APP}{}", name_of(name)), &value_of(value.unwrap_or_default()));
    }
}

/// Returns a text as the name of a header has it.
fn name_of(text: &str) -> Cow<'_, str> {
    encoded(text, |c| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)))
}

/// Returns a text as the value of a header has it. RFC 9110 §5.5: spaces around it are none of it.
fn value_of(text: &str) -> Cow<'_, str> {
    let inner = text.trim_matches(' ');
    if inner.len() == text.len() {
        return encoded(text, char::is_control);
    }
    let first = text.find(inner).unwrap_or_default();
    let spaces = |count: usize| "%20".repeat(count);
    let last = text.len().saturating_sub(first + inner.len());
    format!("{}{}{}", spaces(first), encoded(inner, char::is_control), spaces(last)).into()
}

/// Returns a text with those characters percent-encoded that `is_odd` says.
fn encoded(text: &str, is_odd: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_odd) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if !is_odd(c) {
            out.push(c);
            continue;
        }
        let mut buffer = [0; 4];
        for byte in c.encode_utf8(&mut buffer).bytes() {
            // Writing to a string does not fail.
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
    out.into()
}

/// What is left of a message that a device has heard by HTTP and says again by HTTP.
#[cfg(test)]
pub(crate) fn said_again(message: &Message) -> Message {
    let mut builder = MessageBuilder::new(message.source());
    for (key, value) in message.system() {
        if properties::of(key).is_some_and(|row| row.by_client && row.header.is_some())
            && key != SystemKey::OutputName
        {
            builder.set_system(key, &value_of(value));
        }
    }
    for (name, value) in message.properties() {
        let name = name_of(name).to_ascii_lowercase();
        builder.set_property(&name, Some(&value_of(value.unwrap_or_default())));
    }
    builder.set_body(message.body());
    builder.build()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(headers: &[(&str, &str)]) -> (Message, PropertiesRead) {
        let (mut builder, mut found) = (MessageBuilder::new("/messages/"), PropertiesRead::default());
        for (name, value) in headers {
            read(name, Some(value), &mut builder, &mut found);
        }
        (builder.build(), found)
    }

    #[test]
    fn headers_are_properties() {
        let headers = [
            ("IoTHub-MessageId", "m1"),
            ("iothub-app-Line", "7"),
            ("IOTHUB-APP-x", ""),
            ("iothub-sequencenumber", "9"),
            ("iothub-outputname", "hot"),
            ("accept", "*/*"),
        ];
        let (message, found) = read_all(&headers);
        assert_eq!(message.system().iter().collect::<Vec<_>>(), [(SystemKey::MessageId, "m1")]);
        assert_eq!(message.properties().value("Line"), Some(Some("7")));
        assert_eq!(message.properties().value("x"), Some(Some("")));
        assert_eq!(found, PropertiesRead { output: Some("hot".into()), bytes: 11 });
    }

    #[test]
    fn what_no_header_holds_is_encoded() {
        let builder = MessageBuilder::new("/messages/").property("a b:ä", " x\r\ny ä ").null_property("n");
        let builder = builder.property("s", "  ");
        let message = builder.system(SystemKey::LockToken, "t").build();
        let mut put = Vec::new();
        write(&message, |name, value| put.push(format!("{name}: {value}")));
        let expected = [
            "etag: \"t\"",
            "iothub-app-a%20b%3A%C3%A4: %20x%0D%0Ay ä%20",
            "iothub-app-n: ",
            "iothub-app-s: %20%20",
        ];
        assert_eq!(put, expected);
    }

    #[test]
    fn bytes_that_are_no_utf8_are_latin() {
        assert_eq!(text(b"\xe4"), "ä");
        assert_eq!(text("ä".as_bytes()), "ä");
    }

    proptest! {
        /// What a message for a device says comes back when a device says the same.
        #[test]
        fn what_goes_out_comes_in(
            values in proptest::collection::vec("[!-~]([ -~]{0,20}[!-~])?", 13),
            app in proptest::collection::btree_map("[a-z0-9_.-]{0,12}", "([!-~äß][ -~äß]{0,20}[!-~äß])?", 0..6),
        ) {
            let mut builder = MessageBuilder::new("/messages/");
            let both = TABLE.iter().filter(|row| row.by_client && row.key != SystemKey::OutputName);
            for (row, value) in both.zip(&values) {
                builder.set_system(row.key, value);
            }
            for (name, value) in &app {
                builder.set_property(name, Some(value));
            }
            let message = builder.build();
            let (mut builder, mut found) = (MessageBuilder::new("/messages/"), PropertiesRead::default());
            write(&message, |name, value| read(name, Some(value), &mut builder, &mut found));
            prop_assert_eq!(builder.build(), message);
        }
    }
}
