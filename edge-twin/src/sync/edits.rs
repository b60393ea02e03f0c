//! Edits of desired properties on this side.

use edge_core::Timestamp;

use super::EditPolicy;
use crate::{Map, Value};

/// A value that somebody here has set, or null for one that was removed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Edit {
    pub(super) path: Vec<Box<str>>,
    pub(super) value: Value,
    pub(super) at: Timestamp,
    pub(super) policy: EditPolicy,
}

/// Adds the edits that a patch makes; earlier ones of the same or a deeper place are gone.
pub(super) fn add(edits: &mut Vec<Edit>, patch: &Map, at: Timestamp, policy: EditPolicy) {
    let mut path = Vec::new();
    descend(patch, &mut path, &mut |path, value| {
        edits.retain(|edit| !edit.path.starts_with(path));
        edits.push(Edit { path: path.to_vec(), value: value.clone(), at, policy });
    });
}

fn descend(members: &Map, path: &mut Vec<Box<str>>, leaf: &mut dyn FnMut(&[Box<str>], &Value)) {
    for (key, value) in members {
        path.push(key.clone());
        match value {
            Value::Object(inner) if !inner.is_empty() => descend(inner, path, leaf),
            value => leaf(path, value),
        }
        path.pop();
    }
}

/// Drops the edits that give way to a change by the parent.
pub(super) fn give_way(edits: &mut Vec<Edit>, change: &Map, heard: Timestamp) {
    edits.retain(|edit| {
        let holds = match edit.policy {
            EditPolicy::ParentWins => false,
            EditPolicy::LocalWins => true,
            EditPolicy::LastWriter => edit.at > heard,
        };
        holds || !touches(change, &edit.path)
    });
}

/// Returns whether a patch changes something at, above or below a path.
fn touches(change: &Map, path: &[Box<str>]) -> bool {
    let Some((key, rest)) = path.split_first() else { return true };
    match change.get(key) {
        None => false,
        Some(Value::Object(inner)) => touches(inner, rest),
        Some(_) => true,
    }
}

/// Lays the edits over what the parent says.
pub(super) fn lay_over(base: &mut Map, edits: &[Edit]) {
    for edit in edits {
        set(base, &edit.path, &edit.value);
    }
}

fn set(members: &mut Map, path: &[Box<str>], value: &Value) {
    match path {
        [] => {}
        [key] if matches!(value, Value::Null) => {
            members.remove(key);
        }
        [key] => {
            members.insert(key.clone(), value.clone());
        }
        [key, rest @ ..] => {
            if !matches!(members.get(key), Some(Value::Object(_))) {
                if matches!(value, Value::Null) {
                    return;
                }
                members.insert(key.clone(), Value::Object(Map::new()));
            }
            if let Some(Value::Object(inner)) = members.get_mut(key) {
                set(inner, rest, value);
            }
        }
    }
}
