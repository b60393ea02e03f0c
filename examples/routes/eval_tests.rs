//! What a line of a batch gives.

use serde_json::{Value, json};

use super::result;

#[test]
fn a_line_of_each_kind() {
    let verdict = |line: &str| result(line.as_bytes())["result"].clone();
    assert_eq!(verdict(r#"{"condition": "a = 'x'", "message": {"properties": {"A": "x"}}}"#), true);
    assert_eq!(verdict(r#"{"condition": "a = 'x'", "message": {"properties": {"A": "y"}}}"#), false);
    assert_eq!(verdict(r#"{"condition": "a = 'x'", "message": {}}"#), "undefined");
    assert_eq!(verdict(r#"{"condition": "a = 'x'"}"#), Value::Null);
    assert_eq!(verdict(r#"{"condition": "a ="}"#), "parse_error");
    assert_eq!(verdict(""), "parse_error");
    assert_eq!(verdict("not JSON"), "parse_error");
    assert_eq!(result(b"\xff")["errors"][0]["code"], "input");
}

#[test]
fn lines_that_are_no_case_say_where() {
    let place = |line: &[u8]| {
        let error = &result(line)["errors"][0];
        ["line", "column", "end_line"].map(|name| error[name].as_u64())
    };
    assert_eq!(place(b"{\"condition\": nonsense}"), [Some(1), Some(15), Some(1)]);
    assert_eq!(place(b"{\"a\xff"), [Some(1), Some(4), Some(1)]);
    assert_eq!(place(b""), [Some(1), Some(1), Some(1)]);
}

#[test]
fn errors_have_places() {
    let found = result(br#"{"condition": "3 + '4' = 7"}"#);
    let error = &found["errors"][0];
    assert_eq!((&error["line"], &error["column"], &error["end_column"]), (&json!(1), &json!(3), &json!(4)));
    assert_eq!(error["code"], "R009");
}

#[test]
fn routes_show_their_parts() {
    let found = result(
        br#"{"route": "FROM /messages/* WHERE  a = 'x'  INTO brokeredEndpoint ( '/modules/m/inputs/i' )"}"#,
    );
    assert_eq!((&found["source"], &found["source_prefix"]), (&json!("/messages"), &json!("/messages/")));
    assert_eq!(found["condition"], "a = 'x'");
    let endpoint = json!({ "kind": "function", "name": "brokeredEndpoint", "arg": "/modules/m/inputs/i" });
    assert_eq!(found["endpoint"], endpoint);
    let upstream = result(br#"{"route": "FROM /* INTO $Upstream"}"#);
    assert_eq!(upstream["endpoint"], json!({ "kind": "system", "name": "$Upstream" }));
    assert_eq!(upstream["condition"], "true");
}

#[test]
fn comments_are_no_part_of_an_endpoint() {
    let endpoint = |sink: &str| {
        let line = json!({ "route": format!("FROM /messages INTO {sink}") }).to_string();
        result(line.as_bytes())["endpoint"].clone()
    };
    let expected = json!({ "kind": "function", "name": "BrokeredEndpoint", "arg": "/modules/m/inputs/i" });
    for sink in [
        "BrokeredEndpoint(\"/modules/m/inputs/i\" /* c */)",
        "BrokeredEndpoint /* a ( b */ (\"/modules/m/inputs/i\")",
        "BrokeredEndpoint( /* ) */ \"/modules/m/inputs/i\")",
        "/* c */ BrokeredEndpoint(\"/modules/m/inputs/i\") /* d */",
    ] {
        assert_eq!(endpoint(sink), expected, "{sink}");
    }
    assert_eq!(endpoint("/* c */ $upstream"), json!({ "kind": "system", "name": "$upstream" }));
}

#[test]
fn a_deep_body_is_undefined_and_an_absent_source_is_none() {
    for levels in [64, 80, 128, 5000] {
        let deep = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let line = format!(
            r#"{{"condition": "$body.a = 1", "message": {{"source": null, "contentType": "application/json",
               "contentEncoding": "utf-8", "body": {{"a": 1, "b": {deep}}}}}}}"#
        );
        assert_eq!(result(line.as_bytes())["result"], "undefined", "{levels}");
    }
}

/// The vectors as the lines of a batch: what the original says of them is in the results.
#[test]
fn the_vectors_as_a_batch() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../edge-routing/tests/vectors/routes-sample.json"))
            .expect("JSON");
    let list = |key: &str| vectors[key].as_array().expect("a list").clone();
    let run = |line: &Value| result(line.to_string().as_bytes());
    for case in list("conditions") {
        let text = &case["condition"];
        let found = run(&json!({ "condition": text, "message": case["message"] }));
        assert_eq!(found["result"], case["expect"], "{text}");
        let (error, errors) = (&case["error"], found["errors"].as_array().expect("a list"));
        assert_eq!(errors.is_empty(), case["expect"] != "parse_error", "{text}");
        if error["count"].is_u64() {
            assert_eq!(json!(errors.len()), error["count"], "{text}");
        }
        if error["first_message"].is_string() {
            assert_eq!(errors[0]["message"], error["first_message"], "{text}");
        }
        for (key, [line, column]) in
            [("start", ["line", "column"]), ("end_exclusive", ["end_line", "end_column"])]
        {
            if error[key].is_array() {
                assert_eq!(json!([errors[0][line], errors[0][column]]), error[key], "{text}");
            }
        }
    }
    for case in list("routes") {
        let text = &case["route"];
        let found = run(&json!({ "route": text }));
        let expected = if case["expect"] == "ok" { Value::Null } else { "parse_error".into() };
        assert_eq!(found["result"], expected, "{text}");
        for part in ["source", "source_prefix", "condition", "endpoint"] {
            assert_eq!(found[part], case[part], "{text}: {part}");
        }
        if case["expect"] != "ok" {
            let error = &found["errors"][0];
            let [line, column, end_line, end_column] = ["line", "column", "end_line", "end_column"]
                .map(|key| error[key].as_u64().expect("a number"));
            let message = error["message"].as_str().expect("text");
            let shown = format!("{line}:{column}-{end_line}:{end_column}: {message}");
            assert_eq!(case["error_text"][0], json!(shown), "{text}");
        }
    }
}
