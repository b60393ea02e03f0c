//! Bytes to text.

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;

/// The encodings that a body may be in; the wide ones are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Utf16,
    Utf32,
}

impl Encoding {
    /// The encoding that `contentEncoding` names.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let is = |known: &str| name == known || name.eq_ignore_ascii_case(known);
        if is("utf-8") {
            Some(Self::Utf8)
        } else if is("utf-16") {
            Some(Self::Utf16)
        } else if is("utf-32") {
            Some(Self::Utf32)
        } else {
            None
        }
    }
}

/// The text of `bytes`, or `None` when they are not text of this encoding.
pub(crate) fn decode<'m>(encoding: Encoding, bytes: &'m [u8], bump: &'m Bump) -> Option<&'m str> {
    match encoding {
        Encoding::Utf8 => core::str::from_utf8(bytes).ok(),
        Encoding::Utf16 => {
            let (units, rest) = bytes.as_chunks::<2>();
            let mut text = BumpString::with_capacity_in(bytes.len(), bump);
            for unit in char::decode_utf16(units.iter().map(|&pair| u16::from_le_bytes(pair))) {
                text.push(unit.ok()?);
            }
            rest.is_empty().then(|| text.into_bump_str())
        }
        Encoding::Utf32 => {
            let (units, rest) = bytes.as_chunks::<4>();
            let mut text = BumpString::with_capacity_in(bytes.len(), bump);
            for &unit in units {
                text.push(char::from_u32(u32::from_le_bytes(unit))?);
            }
            rest.is_empty().then(|| text.into_bump_str())
        }
    }
}
