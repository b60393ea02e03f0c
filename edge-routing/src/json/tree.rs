//! A whole JSON document.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Cursor, Malformed, RawStr};
use crate::number::parse_json;

/// A JSON value. Objects keep the order of their members; of several members of one name the last counts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Str(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// The value as JSON text.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(value) if value.is_finite() => out.push_str(&format!("{value}")),
            Self::Number(value) => out.push_str(if *value > 0.0 { "1e999" } else { "-1e999" }),
            Self::Str(text) => write_str(text, out),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    write_str(name, out);
                    out.push_str(": ");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The member `name` of an object.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => {
                members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }
}

fn write_str(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// Reads `text` as one JSON value of at most `depth` levels.
pub(crate) fn parse(text: &str, depth: usize) -> Result<Json, Malformed> {
    let mut cursor = Cursor::new(text);
    let value = read(&mut cursor, depth)?;
    cursor.end()?;
    Ok(value)
}

fn read(cursor: &mut Cursor<'_>, depth: usize) -> Result<Json, Malformed> {
    let below = depth.saturating_sub(1);
    Ok(match cursor.peek() {
        Some(b'"') => Json::Str(string(cursor.string()?)),
        Some(b'{') => {
            let mut members = Vec::new();
            cursor.members(depth, |cursor, name| {
                members.push((string(name), read(cursor, below)?));
                Ok(())
            })?;
            Json::Object(members)
        }
        Some(b'[') => {
            let mut items = Vec::new();
            cursor.items(depth, |cursor, _| {
                items.push(read(cursor, below)?);
                Ok(())
            })?;
            Json::Array(items)
        }
        Some(b't') => cursor.word("true").map(|()| Json::Bool(true))?,
        Some(b'f') => cursor.word("false").map(|()| Json::Bool(false))?,
        Some(b'n') => cursor.word("null").map(|()| Json::Null)?,
        _ => Json::Number(parse_json(cursor.number()?)),
    })
}

fn string(raw: RawStr<'_>) -> String {
    if raw.escaped { raw.unescape() } else { raw.raw.into() }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
