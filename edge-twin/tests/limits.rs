//! Each limit holds to the last byte, and its error says where and how far.

use edge_twin::{Limits, Patch, PatchError};

fn error(text: &str, limits: &Limits) -> PatchError {
    Patch::parse(text.as_bytes(), limits).expect_err(text)
}

fn refused(text: &str, message: &str) {
    assert_eq!(error(text, &Limits::default()).to_string(), message);
}

fn taken(text: &str) {
    Patch::parse(text.as_bytes(), &Limits::default()).expect(text);
}

fn legacy(text: &str, message: Option<&str>) {
    let found = Patch::parse(text.as_bytes(), &Limits::legacy()).map_err(|error| error.to_string());
    assert_eq!(found.err().as_deref(), message, "{text}");
}

fn nested(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels + 1), "}".repeat(levels + 1))
}

#[test]
fn strings() {
    taken(&format!(r#"{{"a":"{}"}}"#, "x".repeat(4096)));
    refused(
        &format!(r#"{{"a":{{"b":"{}"}}}}"#, "x".repeat(4097)),
        "string at `a.b` has 4097 bytes, at most 4096 are allowed",
    );
    let wide = format!(r#"{{"a":["{}"]}}"#, "é".repeat(2049));
    refused(&wide, "string at `a.0` has 4098 bytes, at most 4096 are allowed");
}

#[test]
fn keys() {
    taken(&format!(r#"{{"{}":1}}"#, "k".repeat(1024)));
    refused(
        &format!(r#"{{"{}":1}}"#, "k".repeat(1025)),
        &format!("key \"{}…\" has 1025 bytes, at most 1024 are allowed", "k".repeat(40)),
    );
    refused(r#"{"a":[{"b c":1}]}"#, "key \"b c\" in `a.0` holds ' ', which is not allowed in a key");
    refused("{\"a\u{2003}\":1}", "key \"a\\u{2003}\" holds '\\u{2003}', which is not allowed in a key");
    refused("{\"a\u{85}\":1}", "key \"a\\u{85}\" holds '\\u{85}', which is not allowed in a key");
    taken(r#"{"":1,"ключ":1,"a-b_c:d/e":1}"#);
}

#[test]
fn integers() {
    taken(r#"{"a":4503599627370495,"b":-4503599627370496,"c":1e300,"d":0.1}"#);
    refused(
        r#"{"a":[4503599627370496]}"#,
        "integer at `a.0` is 4503599627370496, from -4503599627370496 to 4503599627370495 is allowed",
    );
    refused(r#"{"a":100000000000000000000}"#, "no JSON");
}

#[test]
fn depth() {
    taken(&nested(10));
    refused(&nested(11), "value at `a.a.a.a.a.a.a.a.a.a.a` is nested deeper than 10 levels");
    taken(r#"{"a":{"b":[[[[[[[[[1]]]]]]]]]}}"#);
    taken(r#"{"a":[[[[[[[[[[1]]]]]]]]]]}"#);
    refused(
        r#"{"a":[[[[[[[[[[[]]]]]]]]]]]}"#,
        "value at `a.0.0.0.0.0.0.0.0.0.0` is nested deeper than 10 levels",
    );
    refused(&"[".repeat(100_000), "no JSON");
}

#[test]
fn nulls_in_arrays() {
    taken(r#"{"a":null,"b":{"c":null},"d":[]}"#);
    refused(r#"{"a":[1,null]}"#, "null at `a.1` is in an array");
    refused(r#"{"a":[{"b":null}]}"#, "null at `a.0.b` is in an array");
    refused(r#"{"a":[[{"b":{"c":null}}]]}"#, "null at `a.0.0.b.c` is in an array");
}

#[test]
fn size() {
    let document = |last: usize| {
        let members = ('a'..='h').zip([4088; 7].into_iter().chain([last]));
        let members: Vec<_> = members.map(|(key, len)| format!(r#""{key}":"{}""#, "x".repeat(len))).collect();
        format!("{{{}}}", members.join(", \n"))
    };
    taken(&document(4095));
    let over = document(4096);
    let error = error(&over, &Limits::default());
    assert!(error.is_too_large(), "{error}");
    assert_eq!(error.to_string(), "document has 32769 bytes, at most 32768 are allowed");
    let text = Patch::parse(&vec![b' '; 200_000], &Limits::default()).unwrap_err();
    assert!(text.is_too_large(), "{text}");
}

#[test]
fn what_is_no_object_is_refused() {
    for text in ["1", "[]", "null", "\"a\""] {
        refused(text, "the patch is no object");
    }
    refused("", "no JSON");
    refused("{\"a\":1", "no JSON");
    refused(r#"{"$other":1}"#, "key \"$other\" holds '$', which is not allowed in a key");
    taken(r#"{"$version":"x","$metadata":{"a":{"$lastUpdated":"now"}}}"#);
    refused(r#"{"a":{"$version":1}}"#, "key \"$version\" in `a` holds '$', which is not allowed in a key");
}

#[test]
fn the_limits_of_old_releases() {
    legacy(&nested(5), None);
    legacy(&nested(6), Some("value at `a.a.a.a.a.a` is nested deeper than 5 levels"));
    legacy(r#"{"a":[0,1]}"#, Some("value at `a` is an array, which is not allowed"));
    legacy(&format!(r#"{{"{}":null}}"#, "k".repeat(4096)), None);
    legacy(
        &format!(r#"{{"{}":1}}"#, "k".repeat(4097)),
        Some(&format!("key \"{}…\" has 4097 bytes, at most 4096 are allowed", "k".repeat(40))),
    );
    let string = "x".repeat(4095);
    legacy(
        &format!(r#"{{"a":"{string}","b":"{string}"}}"#),
        Some("document has 8205 bytes, at most 8192 are allowed"),
    );
    legacy(r#"{"a#":1}"#, Some("key \"a#\" holds '#', which is not allowed in a key"));
    legacy(
        r#"{"a":4503599627370496}"#,
        Some("integer at `a` is 4503599627370496, from -4503599627370496 to 4503599627370495 is allowed"),
    );
}
