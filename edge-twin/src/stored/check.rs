//! Checking bytes that come from a disk.

use super::apply::json_len;
use super::encode::key_weight;
use super::{Node, kind};
use crate::{Value, json};

/// Returns the object that the bytes hold and nothing else, or `None` when they do not keep to the format.
pub(crate) fn check(bytes: &[u8]) -> Option<Node<'_>> {
    let (root, len) = Node::read(bytes)?;
    let is_sound = len == bytes.len() && root.kind == kind::OBJECT && object(&root, 0);
    is_sound.then_some(root)
}

fn object(node: &Node<'_>, level: usize) -> bool {
    if level > json::MAX_LEVELS {
        return false;
    }
    let mut members = node.members();
    let mut weight = 0_u32;
    let mut last: Option<&[u8]> = None;
    for member in members.by_ref() {
        let Ok(key) = std::str::from_utf8(member.key) else { return false };
        let is_sorted = last.is_none_or(|last| last < member.key);
        if !is_sorted || !value(&member.node, level + 1) {
            return false;
        }
        last = Some(member.key);
        weight = weight.saturating_add(key_weight(key)).saturating_add(json_len(&member.node));
    }
    members.is_exhausted() && weight == node.weight
}

fn value(node: &Node<'_>, level: usize) -> bool {
    match node.kind {
        kind::OBJECT => object(node, level),
        kind::STRING => node.text().is_some(),
        kind::ARRAY => json::read(node.body).is_ok_and(|value| matches!(value, Value::Array(_))),
        kind::FLOAT => node.float().is_some_and(f64::is_finite),
        _ => true,
    }
}
