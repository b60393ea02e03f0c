//! Writes JSON, and tells how long it will be.

use std::io::Write;

use crate::Value;

/// Writes a value in its shortest form.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Integer(number) => write_integer(*number, out),
        Value::Float(number) => write_float(*number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (at, (key, value)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
    }
}

fn write_integer(number: i64, out: &mut Vec<u8>) {
    write!(out, "{number}").expect("writing to a vector never fails");
}

/// Writes a number so that it is read again as the same one, and not as an integer.
fn write_float(number: f64, out: &mut Vec<u8>) {
    write!(out, "{number:?}").expect("writing to a vector never fails");
}

/// Writes a string with its quotes.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| escaped_len(byte) > 1) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = special.split_first() else { break };
        match short_escape(byte) {
            Some(letter) => out.extend_from_slice(&[b'\\', letter]),
            None => write!(out, "\\u{byte:04x}").expect("writing to a vector never fails"),
        }
        rest = behind;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Returns how many bytes [`write_string`] writes.
pub(crate) fn string_len(text: &str) -> usize {
    2 + text.bytes().map(escaped_len).sum::<usize>()
}

fn escaped_len(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' => 2,
        0x20.. => 1,
        _ if short_escape(byte).is_some() => 2,
        _ => 6,
    }
}

fn short_escape(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' => byte,
        8 => b'b',
        12 => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => return None,
    })
}

/// Returns how many bytes [`write()`] writes.
pub(crate) fn len(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Integer(number) => integer_len(*number),
        Value::Float(number) => {
            let mut text = Vec::with_capacity(24);
            write_float(*number, &mut text);
            text.len()
        }
        Value::String(text) => string_len(text),
        Value::Array(items) => 1 + items.iter().map(|item| len(item) + 1).sum::<usize>().max(1),
        Value::Object(members) => {
            1 + members.iter().map(|(key, value)| string_len(key) + 1 + len(value) + 1).sum::<usize>().max(1)
        }
    }
}

fn integer_len(number: i64) -> usize {
    let digits = number.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(number < 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::read;

    fn check(text: &str, written: &str) {
        let value = read(text.as_bytes()).unwrap();
        let mut out = Vec::new();
        write(&value, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), written);
        assert_eq!(len(&value), written.len(), "{written}");
        assert_eq!(read(written.as_bytes()).unwrap(), value);
    }

    #[test]
    fn what_is_written_is_read_again() {
        check("[ ]", "[]");
        check("{ }", "{}");
        check(r#" {"b":[1,-20,0,{"x":[]}],"a":true,"a":false} "#, r#"{"a":false,"b":[1,-20,0,{"x":[]}]}"#);
        check("[1.0,1.50,1e3,-0.0,1E-9,1e300]", "[1.0,1.5,1000.0,-0.0,1e-9,1e300]");
        check(
            r#""\u0001\u001f\b\f\n\r\t\/\\\"é\u00e9\ud83d\ude00""#,
            "\"\\u0001\\u001f\\b\\f\\n\\r\\t/\\\\\\\"éé😀\"",
        );
        check("9223372036854775807", "9223372036854775807");
        check("-9223372036854775808", "-9223372036854775808");
    }

    fn refused(text: &[u8], at: usize) {
        assert_eq!(read(text).map_err(|error| error.at), Err(at), "{:?}", String::from_utf8_lossy(text));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        refused(b"", 0);
        refused(b"nul", 0);
        refused(b"{a:1}", 1);
        refused(b"{\"a\"}", 4);
        refused(b"{\"a\":1,}", 7);
        refused(b"[1,]", 3);
        refused(b"[1 2]", 3);
        refused(b"01", 2);
        refused(b"-", 1);
        refused(b"1.", 2);
        refused(b"1e", 2);
        refused(b"+1", 0);
        refused(b"9223372036854775808", 0);
        refused(b"1e999", 0);
        refused(b"\"\\x\"", 2);
        refused(b"\"\\ud800\"", 7);
        refused(b"\"\\udc00\"", 7);
        refused(b"\"\\u+123\"", 2);
        refused(b"\"a", 2);
        refused(b"\"\n\"", 1);
        refused(b"\"a\xff\"", 2);
        refused(b"1 1", 2);
        refused(&[b'['; 100_000], 64);
    }
}
