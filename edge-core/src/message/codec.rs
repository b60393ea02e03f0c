//! The stored form of a message.
//!
//! Version 1, all numbers little-endian:
//!
//! ```text
//! offset  bytes  field
//!      0      1  version = 1
//!      1      1  reserved = 0
//!      2      2  length of the source
//!      4      4  length of the system properties
//!      8      4  length of the application properties
//!     12      4  length of the body
//!     16      …  source, UTF-8
//!      …      …  system properties: [key u8][value length u32][value UTF-8]…, by rising key, each key once
//!      …      …  application properties: [name length u16][value length u32, 0xFFFFFFFF for none][name][value]…,
//!                by rising name, each name once
//!      …      …  body
//! ```

use bytes::{BufMut, Bytes};

use super::{Message, Properties, SystemProperties};

/// Bytes before the source.
pub(super) const HEADER_BYTES: u32 = 16;

const VERSION: u8 = 1;

/// Why bytes are not a stored message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end too early, or go on after the message.
    #[error("the message should have {expected} bytes, {found} are there")]
    Length {
        /// The length that the header states, or that of the header itself.
        expected: u64,
        /// How many bytes are there.
        found: usize,
    },
    /// The version is not known.
    #[error("version {found} of the stored message is not known to this program, which knows 1")]
    Version {
        /// The version found.
        found: u8,
    },
    /// A section does not hold what its format says.
    #[error("the message's {section} cannot be read")]
    Section {
        /// `source`, `system properties` or `properties`.
        section: &'static str,
    },
}

/// Writes header, source and property blocks; the body follows.
pub(super) fn put_head(out: &mut impl BufMut, source: &str, system: &[u8], properties: &[u8], body: usize) {
    out.put_u8(VERSION);
    out.put_u8(0);
    out.put_u16_le(length(source.len()));
    out.put_u32_le(length(system.len()));
    out.put_u32_le(length(properties.len()));
    out.put_u32_le(length(body));
    out.put_slice(source.as_bytes());
    out.put_slice(system);
    out.put_slice(properties);
}

/// Returns a length as the header stores it; the builder keeps every part far below these widths.
fn length<T: TryFrom<usize> + Default>(len: usize) -> T {
    T::try_from(len).unwrap_or_default()
}

impl Message {
    /// Reads a message from its stored form, checking all of it and copying nothing.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are not one whole message.
    ///
    /// # Examples
    /// ```
    /// use edge_core::{Message, Source};
    ///
    /// let message = Message::builder(&Source::telemetry()).property("a", "1").body(b"x").build();
    /// assert_eq!(Message::decode(message.encoded().clone())?, message);
    /// # Ok::<(), edge_core::DecodeError>(())
    /// ```
    pub fn decode(encoded: Bytes) -> Result<Self, DecodeError> {
        let Some(&[version, _, s0, s1, y0, y1, y2, y3, p0, p1, p2, p3, b0, b1, b2, b3]) =
            encoded.first_chunk::<{ HEADER_BYTES as usize }>()
        else {
            return Err(DecodeError::Length { expected: HEADER_BYTES.into(), found: encoded.len() });
        };
        if version != VERSION {
            return Err(DecodeError::Version { found: version });
        }
        let source_end = u64::from(HEADER_BYTES) + u64::from(u16::from_le_bytes([s0, s1]));
        let system_end = source_end + u64::from(u32::from_le_bytes([y0, y1, y2, y3]));
        let properties_end = system_end + u64::from(u32::from_le_bytes([p0, p1, p2, p3]));
        let expected = properties_end + u64::from(u32::from_le_bytes([b0, b1, b2, b3]));
        let wrong_length = DecodeError::Length { expected, found: encoded.len() };
        if expected != encoded.len() as u64 {
            return Err(wrong_length);
        }
        let (Ok(source_end), Ok(system_end), Ok(properties_end)) =
            (u32::try_from(source_end), u32::try_from(system_end), u32::try_from(properties_end))
        else {
            return Err(wrong_length);
        };
        let message = Self { encoded, source_end, system_end, properties_end };
        if std::str::from_utf8(message.section(HEADER_BYTES, source_end)).is_err() {
            return Err(DecodeError::Section { section: "source" });
        }
        if !SystemProperties::is_valid(message.section(source_end, system_end)) {
            return Err(DecodeError::Section { section: "system properties" });
        }
        if !Properties::is_valid(message.section(system_end, properties_end)) {
            return Err(DecodeError::Section { section: "properties" });
        }
        Ok(message)
    }

    /// Returns the message over bytes that [`put_head`] and the builder have just written.
    pub(super) fn from_parts(encoded: Bytes, source: usize, system: usize, properties: usize) -> Self {
        let source_end = HEADER_BYTES + length::<u32>(source);
        let system_end = source_end + length::<u32>(system);
        let properties_end = system_end + length::<u32>(properties);
        Self { encoded, source_end, system_end, properties_end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Source, SystemKey};

    fn sample() -> Message {
        Message::builder(&Source::telemetry())
            .system(SystemKey::MessageId, "m1")
            .property("b", "2")
            .null_property("a")
            .body(b"xyz")
            .build()
    }

    #[test]
    fn the_stored_form_does_not_change() {
        let golden = b"\x01\x00\x0a\x00\x07\x00\x00\x00\x0f\x00\x00\x00\x03\x00\x00\x00/messages/\
            \x00\x02\x00\x00\x00m1\x01\x00\xff\xff\xff\xffa\x01\x00\x01\x00\x00\x00b2xyz";
        assert_eq!(sample().encoded().as_ref(), golden.as_slice());
    }

    #[test]
    fn every_cut_is_refused() {
        let whole = sample().encoded().clone();
        for end in 0..whole.len() {
            assert!(Message::decode(whole.slice(..end)).is_err(), "{end}");
        }
        assert_eq!(Message::decode(whole).unwrap(), sample());
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = sample().encoded().to_vec();
        bytes[0] = 9;
        assert_eq!(Message::decode(bytes.into()), Err(DecodeError::Version { found: 9 }));
    }
}
