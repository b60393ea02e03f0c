//! Percent-encoding. RFC 3986 §2.1.

use std::borrow::Cow;

/// Returns the text that a percent-encoded one stands for; `None` when that is not UTF-8.
///
/// A `%` that no two hexadecimal digits follow stands for itself, as in .NET, and `+` is no space.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match after {
            [high, low, after @ ..] if byte == b'%' => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(byte),
            },
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Writes `text` to the end of `out`, everything but letters, digits and `-._~` encoded.
pub(crate) fn encode_into(text: &str, out: &mut String) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.extend(['%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

/// Returns `text` with everything but letters, digits and `-._~` encoded.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    encode_into(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stray_percent_signs_stay() {
        for (text, decoded) in
            [("100%", "100%"), ("%zz", "%zz"), ("%2", "%2"), ("a+b%20c", "a+b c"), ("%C3%a9", "é")]
        {
            assert_eq!(decode(text).unwrap(), decoded);
        }
        assert_eq!(decode("%ff"), None);
    }

    proptest! {
        #[test]
        fn round_trip(text: String) {
            assert_eq!(decode(&encode(&text)).unwrap(), text);
        }
    }
}
