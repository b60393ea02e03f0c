//! Fields are found as a tree of the body has them.

use edge_core::fields::{Field, FieldSet, FieldValue, Scalar};
use edge_core::{Message, Source, SystemKey};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn message(body: &str) -> Message {
    Message::builder(&Source::telemetry())
        .system(SystemKey::ConnectionDeviceId, "d1")
        .property("Line", "7")
        .body(body.as_bytes())
        .build()
}

fn set(fields: &[&str]) -> FieldSet {
    FieldSet::new(fields.iter().map(|field| field.parse::<Field>().unwrap()))
}

#[track_caller]
fn check(body: &str, field: &str, expected: FieldValue<'_>) {
    let message = message(body);
    assert_eq!(set(&[field]).read(&message).unwrap().at(0), expected, "{field} in {body}");
}

#[test]
fn values_are_found_where_they_stand() {
    check(r#"{"a":{"b":[1,{"c":"x"}]}}"#, "$body.a.b[1].c", FieldValue::Json("\"x\""));
    check(r#"{"a":{"b":[1,2]}}"#, "$body.a.b", FieldValue::Json("[1,2]"));
    check(r#"{"a":1}"#, "$body.b", FieldValue::Missing);
    check(r#"{"a":1}"#, "$body.a.b", FieldValue::Missing);
    check("[1,2]", "$body[1]", FieldValue::Json("2"));
    check("no json", "line", FieldValue::Text("7"));
    check("no json", "$connectionDeviceId", FieldValue::Text("d1"));
}

#[test]
fn the_last_of_equal_names_counts() {
    check(r#"{"a":{"b":1},"a":2}"#, "$body.a.b", FieldValue::Missing);
    check(r#"{"a":{"b":1},"a":{"b":2}}"#, "$body.a.b", FieldValue::Json("2"));
}

#[test]
fn a_field_and_what_is_in_it_are_read_together() {
    let message = message(r#"{"a":{"b":[1,2]}}"#);
    let values = set(&["$body.a.b[0]", "$body.a", "$body.a.b[0]"]).read(&message).unwrap();
    assert_eq!(values.at(0).number(), Ok(1.0));
    assert_eq!(values.at(1).scalar(), Scalar::Structured);
    assert_eq!(values.at(2).number(), Ok(1.0));
}

#[test]
fn what_is_no_json_is_an_error_with_a_place() {
    for body in ["", "{", r#"{"a":1}x"#, r#"{"a":1,}"#, r#"{"a" 1}"#, &"[".repeat(200)] {
        assert!(set(&["$body.a", "$body[0][0]"]).read(&message(body)).is_err(), "{body}");
    }
    let error = set(&["$body.a"]).read(&message("{\n\"a\": x}")).unwrap_err();
    assert_eq!(error.to_string(), "the body is not JSON at line 2, column 6");
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let name = prop::sample::select(&["a", "b", "c\n", "é"][..]);
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(name.clone().prop_map(String::from), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_pass_finds_what_a_tree_has(
        json in json(),
        paths in prop::collection::vec(prop::collection::vec(0..7_usize, 0..5), 1..6),
    ) {
        let names = ["a", "b", "c\n", "é"];
        let text = |path: &[usize]| path.iter().fold("$body".to_owned(), |text, &step| match names.get(step) {
            Some(name) => format!("{text}.{name}"),
            None => format!("{text}[{}]", step - names.len()),
        });
        let walk = |path: &[usize]| path.iter().try_fold(&json, |json, &step| match names.get(step) {
            Some(name) => json.as_object()?.get(*name),
            None => json.as_array()?.get(step - names.len()),
        });
        let message = message(&json.to_string());
        let set = FieldSet::new(paths.iter().map(|path| text(path).parse::<Field>().unwrap()));
        let values = set.read(&message).unwrap();
        for (index, path) in paths.iter().enumerate() {
            let found = match values.at(index) {
                FieldValue::Json(text) => Some(text.to_owned()),
                _ => None,
            };
            prop_assert_eq!(found, walk(path).map(Value::to_string));
        }
    }
}
