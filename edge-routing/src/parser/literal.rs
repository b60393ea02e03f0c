//! Literals: numbers, and strings with their escapes.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// The number that a decimal literal names; `None` for one without digits before its exponent, as in `e5`.
pub(crate) fn parse_decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.parse().ok()
}

/// The number that a hexadecimal literal names, as a 64-bit two's complement; `None` when it has more bits.
pub(crate) fn parse_hex(text: &str) -> Option<f64> {
    let digits = text.get(2..)?.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0.0);
    }
    if digits.len() > 16 {
        return None;
    }
    u64::from_str_radix(digits, 16).ok().map(|bits| bits.cast_signed() as f64)
}

/// The text inside the quotes, without escapes.
pub(crate) fn unquote(text: &str) -> Box<str> {
    unescape(text.get(1..text.len().saturating_sub(1)).unwrap_or("")).into()
}

/// Takes out the escapes in the two passes of the original: first all `\uXXXX`, then `\"`, `\'` and `\\`; so an
/// escaped backslash before `u0041` does not protect it. A half of a surrogate pair becomes U+FFFD.
pub(crate) fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.into();
    }
    let first = unescape_unicode(text);
    let mut result = String::with_capacity(first.len());
    let mut chars = first.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(&next) if c == '\\' && matches!(next, '"' | '\'' | '\\') => {
                chars.next();
                result.push(next);
            }
            _ => result.push(c),
        }
    }
    result
}

fn unescape_unicode(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let code = rest
            .strip_prefix("\\u")
            .and_then(|tail| tail.get(..4))
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u16::from_str_radix(hex, 16).ok());
        if let Some(unit) = code {
            units.push(unit);
            rest = rest.get(6..).unwrap_or("");
        } else {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            rest = rest.get(c.len_utf8()..).unwrap_or("");
        }
    }
    String::from_utf16_lossy(&units)
}
