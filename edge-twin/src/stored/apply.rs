//! Applying a patch to stored bytes.

use super::encode::{begin_object, end_object, key_weight, put, put_bytes, saturate};
use super::node::Member;
use super::{Node, Stamp, kind, object_json_len};
use crate::{Map, Value, json};

/// Writes the object `old` as it is after the patch, copying what the patch does not name. Returns its length as JSON.
pub(crate) fn apply(old: &Node<'_>, patch: &Map, stamp: Stamp, out: &mut Vec<u8>) -> u32 {
    let header = begin_object(stamp, out);
    let mut weight = old.weight;
    let mut copied = 0;
    let mut members = old.members();
    let mut next = members.next();
    for (key, value) in patch {
        while let Some(member) = next.filter(|member| member.key < key.as_bytes()) {
            debug_assert!(member.start < member.end);
            next = members.next();
        }
        let found = next.filter(|member| member.key == key.as_bytes());
        let end = next.map_or(old.body.len(), |member| member.start);
        if let Some(member) = found {
            copy(old, copied, end, out);
            copied = member.end;
            weight = weight.saturating_sub(member_weight(key, &member));
            next = members.next();
        } else if !matches!(value, Value::Null) {
            copy(old, copied, end, out);
            copied = end;
        }
        let new_len = match (value, found) {
            (Value::Null, _) => continue,
            (Value::Object(patch), Some(member)) if member.node.kind == kind::OBJECT => {
                put_bytes(key.as_bytes(), out);
                apply(&member.node, patch, stamp, out)
            }
            (value, _) => {
                put_bytes(key.as_bytes(), out);
                put(value, stamp, out)
            }
        };
        weight = weight.saturating_add(key_weight(key)).saturating_add(new_len);
    }
    copy(old, copied, old.body.len(), out);
    end_object(header, weight, out)
}

fn copy(old: &Node<'_>, from: usize, to: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(old.body.get(from..to).unwrap_or_default());
}

fn member_weight(key: &str, member: &Member<'_>) -> u32 {
    key_weight(key).saturating_add(json_len(&member.node))
}

/// Returns how long a node is as JSON.
pub(super) fn json_len(node: &Node<'_>) -> u32 {
    match node.kind {
        kind::NULL | kind::TRUE => 4,
        kind::FALSE => 5,
        kind::INTEGER => saturate(json::len(&Value::Integer(node.integer().unwrap_or_default()))),
        kind::FLOAT => saturate(json::len(&Value::Float(node.float().unwrap_or_default()))),
        kind::STRING => saturate(json::string_len(node.text().unwrap_or_default())),
        kind::ARRAY => saturate(node.body.len()),
        _ => object_json_len(node.weight),
    }
}
