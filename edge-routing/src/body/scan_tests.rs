use alloc::borrow::ToOwned;
use alloc::string::String;

use super::super::path::{Path, read_path};
use super::*;

/// The value at `path`, shown; "missing" when there is none and "unusable" when the text is not a JSON object.
fn look(text: &str, path: &str) -> String {
    let Path::Plain(segments) = read_path(path) else { return "never".to_owned() };
    let mut trie = Trie::default();
    let slot = trie.insert(&segments);
    let bump = Bump::new();
    let mut out = Extract::default();
    match extract(text, &trie, &bump, &mut out) {
        Ok(()) => out.value(slot).map_or_else(|| "missing".to_owned(), |value| alloc::format!("{value:?}")),
        Err(_) => "unusable".to_owned(),
    }
}

#[track_caller]
fn check(text: &str, path: &str, expected: &str) {
    assert_eq!(look(text, path), expected, "{text} {path}");
}

#[test]
fn finds_values() {
    check(r#"{"a":{"b":[1,{"c":"x"}]}}"#, "a.b[1].c", "Str(\"x\")");
    check(r#"{"a":{"b":[1,{"c":"x"}]}}"#, "a.b[0]", "Number(1.0)");
    check(r#"{"a":{"b":[1]}}"#, "a.b", "Structured");
    check(r#"{"a":{"b":[1]}}"#, "a.b[1]", "missing");
    check(r#"{"a":{"b":[1]}}"#, "a.c", "missing");
    check(r#"{"a":"2017-03-09T00:00:00Z"}"#, "a", "Structured");
    check(r#"{"a":"é"}"#, "a", "Str(\"é\")");
    check(r#"{"\u0061":"\n"}"#, "a", "Str(\"\\n\")");
    check(r#"{"a":1e999}"#, "a", "Number(inf)");
}

#[test]
fn the_last_of_equal_names_counts() {
    check(r#"{"a":{"b":1},"a":2}"#, "a.b", "missing");
    check(r#"{"a":{"b":1},"a":{"b":2}}"#, "a.b", "Number(2.0)");
    check(r#"{"a":{"b":1},"a":{"c":2}}"#, "a.b", "missing");
}

#[test]
fn only_whole_objects_are_usable() {
    for text in ["[1]", "1", "", r#"{"a":1"#, r#"{"a":1}x"#, r#"{"a":1,}"#] {
        check(text, "a", "unusable");
    }
}

#[test]
fn a_buffer_serves_many_bodies() {
    let mut trie = Trie::default();
    let a = trie.insert(&[Segment::Name("a".into())]);
    let b = trie.insert(&[Segment::Name("b".into())]);
    let bump = Bump::new();
    let mut out = Extract::default();
    extract(r#"{"a":1,"b":2}"#, &trie, &bump, &mut out).expect("valid");
    extract(r#"{"b":3}"#, &trie, &bump, &mut out).expect("valid");
    assert_eq!((out.value(a), out.value(b)), (None, Some(BodyValue::Number(3.0))));
}

#[test]
fn wildcards_find_the_only_value() {
    let bump = Bump::new();
    let path = [Segment::Name("a".into()), Segment::All];
    assert_eq!(find(r#"{"a":{"x":1}}"#, &path, &bump), Ok(Some(BodyValue::Number(1.0))));
    assert_eq!(find(r#"{"a":{"x":1,"y":2}}"#, &path, &bump), Ok(Some(BodyValue::Structured)));
    assert_eq!(find(r#"{"a":{}}"#, &path, &bump), Ok(None));
}

#[test]
fn paths_deeper_than_any_body_find_nothing() {
    let path = alloc::vec!["a"; 70].join(".");
    check(r#"{"a":{"a":1}}"#, &path, "missing");
}
