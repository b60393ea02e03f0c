//! Stored bytes as JSON and as values.

use super::{Node, kind};
use crate::{Map, Value, json};

/// Writes the members of an object, separated by commas. Returns whether there were any.
pub(crate) fn write_members(object: &Node<'_>, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    for member in object.members() {
        if out.len() > start {
            out.push(b',');
        }
        json::write_string(std::str::from_utf8(member.key).unwrap_or_default(), out);
        out.push(b':');
        write(&member.node, out);
    }
    out.len() > start
}

fn write(node: &Node<'_>, out: &mut Vec<u8>) {
    match node.kind {
        kind::STRING => json::write_string(node.text().unwrap_or_default(), out),
        kind::ARRAY => out.extend_from_slice(node.body),
        kind::OBJECT => {
            out.push(b'{');
            write_members(node, out);
            out.push(b'}');
        }
        _ => json::write(&to_value(node), out),
    }
}

/// Writes when each value was changed, in an object that mirrors the values.
pub(crate) fn write_metadata(node: &Node<'_>, with_versions: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{{\"$lastUpdated\":\"{}\"", node.stamp.at).as_bytes());
    if with_versions {
        out.extend_from_slice(format!(",\"$lastUpdatedVersion\":{}", node.stamp.version).as_bytes());
    }
    for member in node.members() {
        out.push(b',');
        json::write_string(std::str::from_utf8(member.key).unwrap_or_default(), out);
        out.push(b':');
        write_metadata(&member.node, with_versions, out);
    }
    out.push(b'}');
}

/// Returns the value of a node.
pub(crate) fn to_value(node: &Node<'_>) -> Value {
    match node.kind {
        kind::FALSE => Value::Bool(false),
        kind::TRUE => Value::Bool(true),
        kind::INTEGER => Value::Integer(node.integer().unwrap_or_default()),
        kind::FLOAT => Value::Float(node.float().unwrap_or_default()),
        kind::STRING => Value::String(node.text().unwrap_or_default().into()),
        kind::ARRAY => json::read(node.body).unwrap_or(Value::Null),
        kind::OBJECT => Value::Object(to_map(node)),
        _ => Value::Null,
    }
}

fn to_map(node: &Node<'_>) -> Map {
    let member = |member: super::node::Member<'_>| {
        let key = std::str::from_utf8(member.key).unwrap_or_default();
        (key.into(), to_value(&member.node))
    };
    node.members().map(member).collect()
}
