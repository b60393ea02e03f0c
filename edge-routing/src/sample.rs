//! Messages as JSON: lines of a recording, and cases of a batch.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::fields::{Fields as _, Sample};
use crate::json::{Cursor, Malformed, RawStr};

/// A text that is not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SampleError {
    /// The byte at which it stops making sense.
    pub at: usize,
}

impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a message in JSON, from byte {}", self.at)
    }
}

impl core::error::Error for SampleError {}

impl From<Malformed> for SampleError {
    fn from(malformed: Malformed) -> Self {
        Self { at: malformed.at }
    }
}

/// The members of a message that say what its body is.
#[derive(Default)]
struct Body<'t> {
    json: Option<&'t str>,
    text: Option<String>,
    bytes: Option<Vec<u8>>,
}

impl Sample {
    /// Reads a message: `source` (a path, or an object of `device`, `module` and `output`), `properties`, `systemProperties`, and one of `body` (a JSON value), `bodyText`,
    /// `bodyHex` and `bodyBase64`. `contentType`, `contentEncoding` and `enqueuedTime` may stand beside the system
    /// properties. Other members are left out. Text is put into the bytes that the content encoding says.
    ///
    /// # Errors
    /// A text that is not JSON, or a member of the wrong type.
    ///
    /// # Source
    /// Our choice: a line of what the gateway's `file` upstream writes.
    ///
    /// # Examples
    /// ```
    /// use edge_routing::{Fields, Sample};
    /// let line = r#"{"source": "/messages/modules/m", "properties": {"a": "1"}, "body": {"t": 3}}"#;
    /// let message = Sample::parse(line)?;
    /// assert_eq!(message.source(), "/messages/modules/m");
    /// assert_eq!(message.body(), br#"{"t": 3}"#);
    /// # Ok::<(), edge_routing::SampleError>(())
    /// ```
    pub fn parse(json: &str) -> Result<Self, SampleError> {
        read(json).map(|(sample, _)| sample)
    }
}

/// Reads a message, and whether it says where it comes from.
pub(crate) fn read(json: &str) -> Result<(Sample, bool), SampleError> {
    let mut sample = Sample::new("/messages");
    let mut has_source = false;
    let mut body = Body::default();
    let mut cursor = Cursor::new(json);
    cursor.members(1, |cursor, name| {
        match name.raw {
            "source" => {
                has_source = cursor.peek() != Some(b'n');
                sample = match cursor.peek() {
                    Some(b'n') => cursor.word("null").map(|()| core::mem::take(&mut sample))?,
                    Some(b'{') => sender(cursor, core::mem::take(&mut sample))?,
                    _ => core::mem::take(&mut sample).with_source(text(cursor.string()?)),
                };
            }
            "properties" => sample = values(cursor, core::mem::take(&mut sample), Sample::with_property)?,
            "systemProperties" => {
                sample = values(cursor, core::mem::take(&mut sample), Sample::with_system_property)?
            }
            "contentType" | "contentEncoding" | "enqueuedTime" => {
                if let Some(value) = scalar(cursor)? {
                    sample = core::mem::take(&mut sample).with_system_property(name.raw, Some(&value));
                }
            }
            "body" => body.json = Some(cursor.raw_of_any_depth()?).filter(|json| *json != "null"),
            "bodyText" => body.text = scalar(cursor)?,
            "bodyHex" => body.bytes = decoded(cursor, hex)?,
            "bodyBase64" => body.bytes = decoded(cursor, base64)?,
            _ => cursor.skip_any_depth()?,
        }
        Ok(())
    })?;
    cursor.end()?;
    let bytes = match (body.bytes, body.json, body.text) {
        (Some(bytes), _, _) => bytes,
        (None, Some(json), _) => encoded(&sample, json),
        (None, None, Some(text)) => encoded(&sample, &text),
        (None, None, None) => Vec::new(),
    };
    Ok((sample.with_body(bytes), has_source))
}

/// Reads a source as the parts of its sender: `{"device": "d", "module": "m", "output": "o"}`.
fn sender(cursor: &mut Cursor<'_>, sample: Sample) -> Result<Sample, Malformed> {
    let (mut device, mut module, mut output) = (None, None, None);
    cursor.members(2, |cursor, name| {
        match name.raw {
            "device" => device = scalar(cursor)?,
            "module" => module = scalar(cursor)?,
            "output" => output = scalar(cursor)?,
            _ => cursor.skip_any_depth()?,
        }
        Ok(())
    })?;
    let source = match (&module, &output) {
        (Some(module), Some(output)) => format!("/messages/modules/{module}/outputs/{output}"),
        (Some(module), None) => format!("/messages/modules/{module}"),
        (None, _) => "/messages".into(),
    };
    let mut sample = sample.with_source(source);
    for (name, value) in [("connectionDeviceId", device), ("connectionModuleId", module)] {
        if let Some(value) = value {
            sample = sample.with_system_property(name, Some(&value));
        }
    }
    Ok(sample)
}

/// The bytes of a text in the encoding that the message declares.
fn encoded(sample: &Sample, text: &str) -> Vec<u8> {
    let encoding = sample.system_property("contentEncoding").flatten().unwrap_or("");
    if encoding.eq_ignore_ascii_case("utf-16") {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    } else if encoding.eq_ignore_ascii_case("utf-32") {
        text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()
    } else {
        text.as_bytes().to_owned()
    }
}

fn text(raw: RawStr<'_>) -> String {
    if raw.escaped { raw.unescape() } else { raw.raw.into() }
}

/// A text, or another value as it is written; null is none.
pub(crate) fn scalar(cursor: &mut Cursor<'_>) -> Result<Option<String>, Malformed> {
    match cursor.peek() {
        Some(b'"') => cursor.string().map(|raw| Some(text(raw))),
        Some(b'n') => cursor.word("null").map(|()| None),
        Some(b'{' | b'[') => cursor.malformed(),
        _ => cursor.raw_scalar().map(|raw| Some(raw.into())),
    }
}

fn values(
    cursor: &mut Cursor<'_>,
    mut sample: Sample,
    put: fn(Sample, &str, Option<&str>) -> Sample,
) -> Result<Sample, Malformed> {
    if cursor.peek() == Some(b'n') {
        return cursor.word("null").map(|()| sample);
    }
    cursor.members(2, |cursor, name| {
        let value = scalar(cursor)?;
        sample = put(core::mem::take(&mut sample), &text(name), value.as_deref());
        Ok(())
    })?;
    Ok(sample)
}

fn decoded(
    cursor: &mut Cursor<'_>,
    decode: fn(&str) -> Option<Vec<u8>>,
) -> Result<Option<Vec<u8>>, Malformed> {
    match scalar(cursor)? {
        None => Ok(None),
        Some(text) => decode(&text).map_or_else(|| cursor.malformed(), |bytes| Ok(Some(bytes))),
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    rest.is_empty().then_some(())?;
    pairs.iter().map(|&[high, low]| Some(digit(high)? * 16 + digit(low)?)).collect()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(bare.len() * 3 / 4);
    for group in bare.chunks(4) {
        let mut bits: u32 = 0;
        for &byte in group {
            let digit = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(digit);
        }
        let missing = 4 - group.len();
        bits <<= 6 * missing;
        let [_, bytes_of_group @ ..] = bits.to_be_bytes();
        bytes.extend(bytes_of_group.get(..3_usize.checked_sub(missing).filter(|&count| count > 0)?)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_a_body() {
        let body = |json: &str| Sample::parse(json).expect("a message").body().to_owned();
        assert_eq!(body(r#"{"body": {"a": [1, "x"]}}"#), br#"{"a": [1, "x"]}"#);
        assert_eq!(body(r#"{"body": null, "bodyText": "a\nb"}"#), b"a\nb");
        assert_eq!(body(r#"{"bodyHex": "00fF7a"}"#), [0, 0xff, 0x7a]);
        assert_eq!(body(r#"{"bodyBase64": "AAH/"}"#), [0, 1, 0xff]);
        assert_eq!(body(r#"{"bodyBase64": "AAE="}"#), [0, 1]);
        assert_eq!(body(r#"{"contentEncoding": "UTF-16", "body": 1}"#), [b'1', 0]);
        assert_eq!(body(r#"{"body": null}"#), b"");
    }

    #[test]
    fn properties_of_all_kinds() {
        let json = r#"{"source": "/m\u002fx", "properties": {"A": "1", "n": null, "i": 3}, "systemProperties": {"x": "y"}, "enqueuedTime": "t", "more": [{}]}"#;
        let sample = Sample::parse(json).expect("a message");
        assert_eq!(sample.source(), "/m/x");
        assert_eq!(sample.property("a"), Some(Some("1")));
        assert_eq!(sample.property("n"), Some(None));
        assert_eq!(sample.property("i"), Some(Some("3")));
        assert_eq!(sample.system_property("x"), Some(Some("y")));
        assert_eq!(sample.system_property("enqueuedTime"), Some(Some("t")));
    }

    #[test]
    fn a_body_may_be_of_any_depth() {
        for levels in [63, 64, 80, 128, 100_000] {
            let body = alloc::format!("{}1{}", "{\"a\":[".repeat(levels), "]}".repeat(levels));
            let line = alloc::format!("{{\"other\": {body}, \"body\": {body}, \"source\": \"/m\"}}");
            let sample = Sample::parse(&line).expect("a message");
            assert_eq!((sample.body(), sample.source()), (body.as_bytes(), "/m"), "{levels}");
            assert!(Sample::parse(&line.replacen("]}", "}}", 1)).is_err(), "{levels}");
            assert!(Sample::parse(&line.replacen("]}", "]", 1)).is_err(), "{levels}");
        }
    }

    #[test]
    fn a_source_can_be_a_sender() {
        let json = r#"{"source": {"device": "d", "module": "m", "output": "o"}}"#;
        let sample = Sample::parse(json).expect("a message");
        assert_eq!(sample.source(), "/messages/modules/m/outputs/o");
        assert_eq!(sample.system_property("connectionModuleId"), Some(Some("m")));
        assert_eq!(Sample::parse(r#"{"source": {"device": "d"}}"#).expect("a message").source(), "/messages");
        assert_eq!(Sample::parse(r#"{"source": null}"#).expect("a message").source(), "/messages");
    }

    #[test]
    fn what_is_no_message() {
        for json in [
            "",
            "[]",
            "{",
            r#"{"source": 3}"#,
            r#"{"properties": 3}"#,
            r#"{"bodyHex": "0"}"#,
            r#"{"bodyBase64": "A"}"#,
            "{} x",
        ] {
            assert!(Sample::parse(json).is_err(), "{json}");
        }
    }
}
