//! The results that Azure IoT Edge gives for the same input.

use edge_twin::{Limits, Nulls, Patch, Value, diff, merge};
use serde_json::Value as Json;

fn vectors() -> Json {
    serde_json::from_str(include_str!("vectors/twins-sample.json")).unwrap()
}

fn value(json: &Json) -> Value {
    Value::parse(json.to_string().as_bytes()).unwrap()
}

fn cases<'a>(vectors: &'a Json, kind: &str) -> &'a [Json] {
    let cases = vectors[kind].as_array().unwrap();
    assert!(!cases.is_empty(), "there are cases of {kind}");
    cases
}

#[test]
fn merging() {
    for case in cases(&vectors(), "merge") {
        let mut base = value(&case["base"]);
        let nulls = if case["treatNullAsDelete"] == true { Nulls::Delete } else { Nulls::Keep };
        merge(&mut base, &value(&case["patch"]), nulls);
        assert_eq!(base, value(&case["expect"]), "{case}");
    }
}

#[test]
fn comparing() {
    for case in cases(&vectors(), "diff") {
        assert_eq!(diff(&value(&case["from"]), &value(&case["to"])), value(&case["expect"]), "{case}");
    }
}

#[test]
fn validating() {
    for case in cases(&vectors(), "validate") {
        let found = Patch::from_value(value(&case["twin"]), &Limits::default());
        assert_eq!(found.is_ok(), case["expect"] == "ok", "{case}: {found:?}");
    }
}
