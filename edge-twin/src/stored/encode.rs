//! Writing nodes.

use super::{OBJECT_HEADER_BYTES, Stamp, kind, object_json_len};
use crate::{Map, Value, json};

/// The latest time that a stamp can say, in milliseconds: the year 10,889.
const MAX_MS: u64 = (1 << 48) - 1;

/// Writes a value; nulls in objects are left out. Returns its length as JSON.
pub(crate) fn put(value: &Value, stamp: Stamp, out: &mut Vec<u8>) -> u32 {
    match value {
        Value::Null => put_head(kind::NULL, stamp, out),
        Value::Bool(false) => put_head(kind::FALSE, stamp, out),
        Value::Bool(true) => put_head(kind::TRUE, stamp, out),
        Value::Integer(number) => {
            put_head(kind::INTEGER, stamp, out);
            put_varint((number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned(), out);
        }
        Value::Float(number) => {
            put_head(kind::FLOAT, stamp, out);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::String(text) => {
            put_head(kind::STRING, stamp, out);
            put_bytes(text.as_bytes(), out);
        }
        Value::Array(_) => {
            let mut text = Vec::new();
            json::write(value, &mut text);
            put_head(kind::ARRAY, stamp, out);
            put_bytes(&text, out);
        }
        Value::Object(members) => return put_object(members, stamp, out),
    }
    saturate(json::len(value))
}

/// Writes an object; nulls in it are left out. Returns its length as JSON.
pub(crate) fn put_object(members: &Map, stamp: Stamp, out: &mut Vec<u8>) -> u32 {
    let header = begin_object(stamp, out);
    let mut weight = 0_u32;
    for (key, value) in members.iter().filter(|(_, value)| !matches!(value, Value::Null)) {
        put_bytes(key.as_bytes(), out);
        weight = weight.saturating_add(key_weight(key)).saturating_add(put(value, stamp, out));
    }
    end_object(header, weight, out)
}

/// Writes what an object begins with, and returns where its header is.
pub(super) fn begin_object(stamp: Stamp, out: &mut Vec<u8>) -> usize {
    put_head(kind::OBJECT, stamp, out);
    let header = out.len();
    out.extend_from_slice(&[0; OBJECT_HEADER_BYTES]);
    header
}

/// Fills in the header of an object whose members were written. Returns its length as JSON.
pub(super) fn end_object(header: usize, weight: u32, out: &mut [u8]) -> u32 {
    let len = saturate(out.len().saturating_sub(header + OBJECT_HEADER_BYTES));
    if let Some(header) = out.get_mut(header..).and_then(<[u8]>::first_chunk_mut::<OBJECT_HEADER_BYTES>) {
        let ([l0, l1, l2, l3], [w0, w1, w2, w3]) = (len.to_le_bytes(), weight.to_le_bytes());
        *header = [l0, l1, l2, l3, w0, w1, w2, w3];
    }
    object_json_len(weight)
}

/// Returns what a key adds to an object as JSON: itself, a colon and a comma.
pub(super) fn key_weight(key: &str) -> u32 {
    saturate(json::string_len(key) + 2)
}

pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn put_head(kind: u8, stamp: Stamp, out: &mut Vec<u8>) {
    let [t0, t1, t2, t3, t4, t5, _, _] = stamp.at.as_unix_ms().min(MAX_MS).to_le_bytes();
    out.extend_from_slice(&[kind, t0, t1, t2, t3, t4, t5]);
    put_varint(stamp.version, out);
}

fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Sizes are far below 4 GiB, because limits are checked; a larger one would be refused as the largest.
pub(crate) fn saturate(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
