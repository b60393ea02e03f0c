//! Bodies: what conditions find in one, beside what a JSON reader finds.

use edge_routing::{Condition, Sample, Truth};
use serde_json::Value;

/// Members and items that are compared in one body.
const MAX_VALUES: usize = 40;

/// Takes the input as the JSON body of a message, and compares what conditions find at the paths of it with what
/// `serde_json` finds there.
///
/// # Panics
/// Panics when the two do not agree.
pub fn body(data: &[u8]) {
    let message = Sample::new("/messages").with_json(data);
    // A path that leads nowhere is defined as long as the body can be looked into.
    let usable = evaluate("is_defined($body.no-such-member)", &message) == Truth::True;
    let json = match serde_json::from_slice::<Value>(data) {
        Ok(json) => json,
        Err(error) => {
            let reason = error.to_string();
            // Conditions read numbers beyond the range as infinite, and half a surrogate pair as U+FFFD.
            let lenient =
                ["out of range", "surrogate", "hex escape"].iter().any(|part| reason.contains(part));
            assert!(!usable || lenient, "{reason}: {:?}", String::from_utf8_lossy(data));
            return;
        }
    };
    assert_eq!(usable, json.is_object() && depth(data) <= edge_routing::MAX_BODY_DEPTH);
    if usable {
        compare(&json, "$body", &message, &mut MAX_VALUES.clone());
    }
}

fn compare(json: &Value, path: &str, message: &Sample, left: &mut usize) {
    *left = left.saturating_sub(1);
    if *left == 0 {
        return;
    }
    let holds = |condition: &str| {
        assert_eq!(evaluate(condition, message), Truth::True, "{condition}");
    };
    match json {
        Value::Null => holds(&format!("{path} = null AND is_null({path})")),
        Value::Bool(value) => holds(&format!("{path} = {value}")),
        Value::Number(number) => {
            // Without its feature for it, `serde_json` may miss the nearest number by the last bit.
            let value = number.as_f64().unwrap_or(f64::NAN);
            let slack = value.abs().mul_add(1e-14, f64::MIN_POSITIVE);
            let (low, high) = ((value - slack).max(f64::MIN), (value + slack).min(f64::MAX));
            holds(&format!("{path} >= {low:?} AND {path} <= {high:?}"));
        }
        Value::String(text) => {
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            // A text that reads as a point in time is undefined.
            let found = evaluate(&format!("{path} = '{escaped}'"), message);
            let time = text.len() >= 8 && (text.contains("Date(") || text.contains('T'));
            assert!(
                found == Truth::True || (time && found == Truth::Undefined),
                "{path}: {text:?} is {found}"
            );
        }
        Value::Array(items) => {
            holds_structured(path, message);
            for (at, item) in items.iter().enumerate().filter(|_| path != "$body") {
                compare(item, &format!("{path}[{at}]"), message, left);
            }
        }
        Value::Object(members) => {
            if path != "$body" {
                holds_structured(path, message);
            }
            for (name, value) in members.iter().filter(|(name, _)| plain(name)) {
                compare(value, &format!("{path}.{name}"), message, left);
            }
        }
    }
}

/// Objects and arrays are there, but have no value.
fn holds_structured(path: &str, message: &Sample) {
    assert_eq!(evaluate(&format!("{path} = 1"), message), Truth::Undefined, "{path}");
}

/// Whether a name can stand in a path as it is.
fn plain(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.len() <= 64 && !name.is_empty() && name.chars().all(letters)
}

fn evaluate(condition: &str, message: &Sample) -> Truth {
    match Condition::compile(condition) {
        Ok(condition) => condition.evaluate(message),
        Err(errors) => panic!("{condition}: {errors}"),
    }
}

/// How deep objects and arrays stand inside each other, in members too that a later one of the same name replaces.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut string, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = string,
            b'"' => string = !string,
            b'{' | b'[' if !string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
