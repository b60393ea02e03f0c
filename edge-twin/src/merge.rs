//! Merging and comparing objects.

use crate::{Map, Value};

/// What a null in a patch does.
///
/// # Source
/// Azure IoT Edge merges with `Delete` into a twin and with `Keep` into a patch that waits for the cloud; Azure IoT Hub,
/// "Device twin back-end operations", and RFC 7396 merge with `Purge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nulls {
    /// A null is a value like any other: two patches become one that still deletes what each of them deletes.
    Keep,
    /// A null removes the member that it names; one inside an object that comes as a whole stays as null.
    Delete,
    /// A null removes the member that it names, and none is left anywhere in what the patch brings.
    Purge,
}

/// Merges a patch into an object, in place: objects merge, everything else replaces.
///
/// # Examples
/// ```
/// use edge_twin::{Nulls, Value, merge};
///
/// let mut twin = Value::parse(br#"{"a": {"x": 1, "y": 2}}"#)?;
/// merge(&mut twin, &Value::parse(br#"{"a": {"y": null}, "b": [3]}"#)?, Nulls::Purge);
/// assert_eq!(twin.to_string(), r#"{"a":{"x":1},"b":[3]}"#);
/// # Ok::<(), edge_twin::JsonError>(())
/// ```
pub fn merge(base: &mut Value, patch: &Value, nulls: Nulls) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => merge_members(base, patch, nulls),
        (base, patch) => *base = brought(patch, nulls),
    }
}

pub(crate) fn merge_members(base: &mut Map, patch: &Map, nulls: Nulls) {
    for (key, value) in patch {
        if matches!(value, Value::Null) && nulls != Nulls::Keep {
            base.remove(key);
        } else if let Some(old) = base.get_mut(key) {
            merge(old, value, nulls);
        } else {
            base.insert(key.clone(), brought(value, nulls));
        }
    }
}

/// Returns what a value of a patch is where nothing was that it could be merged with.
fn brought(value: &Value, nulls: Nulls) -> Value {
    match value {
        Value::Object(members) if nulls == Nulls::Purge => {
            let kept = members.iter().filter(|(_, value)| !matches!(value, Value::Null));
            Value::Object(kept.map(|(key, value)| (key.clone(), brought(value, nulls))).collect())
        }
        other => other.clone(),
    }
}

/// Returns the patch that makes `to` of `from`: what is new or different, and null for what is gone.
///
/// When `to` holds no nulls, merging the patch into `from` gives `to`. Anything but two objects has an empty difference.
///
/// # Examples
/// ```
/// use edge_twin::{Value, diff};
///
/// let from = Value::parse(br#"{"a": 1, "b": {"x": 1, "y": 2}, "c": [1]}"#)?;
/// let to = Value::parse(br#"{"a": 1.0, "b": {"x": 1}, "c": [1]}"#)?;
/// assert_eq!(diff(&from, &to).to_string(), r#"{"a":1.0,"b":{"y":null}}"#);
/// # Ok::<(), edge_twin::JsonError>(())
/// ```
#[must_use]
pub fn diff(from: &Value, to: &Value) -> Value {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => Value::Object(diff_members(from, to)),
        _ => Value::Object(Map::new()),
    }
}

pub(crate) fn diff_members(from: &Map, to: &Map) -> Map {
    let mut patch = Map::new();
    for (key, old) in from {
        match (old, to.get(key)) {
            (_, None) => {
                patch.insert(key.clone(), Value::Null);
            }
            (Value::Object(old), Some(Value::Object(new))) => {
                let inner = diff_members(old, new);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (old, Some(new)) if old != new => {
                patch.insert(key.clone(), new.clone());
            }
            _ => {}
        }
    }
    for (key, new) in to.iter().filter(|(key, _)| !from.contains_key(*key)) {
        patch.insert(key.clone(), new.clone());
    }
    patch
}
