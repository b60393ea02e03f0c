//! `routes eval --batch`: one case a line in, one result a line out.

use std::io::Write;

use edge_routing::{Case, CaseOutcome, Location, Route, Span, Verdict};
use serde_json::{Value, json};

use crate::{End, Words, file, json, written};

pub(crate) fn run(words: &Words, out: &mut impl Write) -> Result<End, String> {
    let [path] = words.files.as_slice() else { return Err("eval needs one file of cases".into()) };
    if !words.has("--batch") {
        return Err("eval needs --batch".into());
    }
    let mut lines = file::lines(path)?;
    let mut line = Vec::new();
    loop {
        let read = file::next_line(&mut *lines, &mut line).map_err(|error| format!("{path}: {error}"))?;
        let result = match read {
            None => return Ok(End::Fine),
            Some(true) => result(&line),
            Some(false) => unreadable("the line is too long", Location::of("", Span::new(0, 0))),
        };
        writeln!(out, "{result}").map_err(written)?;
    }
}

fn result(line: &[u8]) -> Value {
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let fine = line.get(..at).and_then(|fine| std::str::from_utf8(fine).ok()).unwrap_or_default();
            return unreadable(&error.to_string(), Location::of(fine, Span::new(at, at + 1)));
        }
    };
    let text = text.trim_end_matches('\r');
    match Case::parse(text) {
        Ok(case) => shown(&case.run()),
        Err(error) => {
            let next = text.get(error.at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
            unreadable(&error.to_string(), Location::of(text, Span::new(error.at, error.at + next)))
        }
    }
}

/// The result of a line that is no case; the place is within the line.
fn unreadable(reason: &str, place: Location) -> Value {
    let mut error = json!({ "code": "input", "message": reason });
    json::put(&mut error, place);
    json!({ "result": "parse_error", "errors": [error], "warnings": [] })
}

fn shown(outcome: &CaseOutcome) -> Value {
    let result = match outcome.verdict {
        Verdict::True => Value::Bool(true),
        Verdict::False => Value::Bool(false),
        Verdict::Undefined => "undefined".into(),
        Verdict::ParseError => "parse_error".into(),
        _ => Value::Null,
    };
    let list = |found: &[edge_routing::Diagnostic]| found.iter().map(json::diagnostic).collect::<Vec<_>>();
    let mut value =
        json!({ "result": result, "errors": list(&outcome.errors), "warnings": list(&outcome.warnings) });
    if let Some(route) = &outcome.route {
        value["source"] = route.source().path().into();
        value["source_prefix"] = route.source().prefix().into();
        value["condition"] = route.condition().into();
        value["endpoint"] = endpoint(route);
    }
    value
}

/// The endpoint as written, in its parts.
fn endpoint(route: &Route) -> Value {
    let text = route.sink_text();
    match text.split_once('(') {
        None => json!({ "kind": "system", "name": text }),
        Some((name, rest)) => {
            let quoted = rest.trim_end().trim_end_matches(')').trim();
            let argument = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or("");
            json!({ "kind": "function", "name": name.trim_end(), "arg": argument })
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            (&error["line"], &error["column"], &error["end_column"]),
            (&json!(1), &json!(3), &json!(4))
        );
        assert_eq!(error["code"], "R009");
    }

    #[test]
    fn routes_show_their_parts() {
        let found = result(br#"{"route": "FROM /messages/* WHERE  a = 'x'  INTO brokeredEndpoint ( '/modules/m/inputs/i' )"}"#);
        assert_eq!((&found["source"], &found["source_prefix"]), (&json!("/messages"), &json!("/messages/")));
        assert_eq!(found["condition"], "a = 'x'");
        let endpoint =
            json!({ "kind": "function", "name": "brokeredEndpoint", "arg": "/modules/m/inputs/i" });
        assert_eq!(found["endpoint"], endpoint);
        let upstream = result(br#"{"route": "FROM /* INTO $Upstream"}"#);
        assert_eq!(upstream["endpoint"], json!({ "kind": "system", "name": "$Upstream" }));
        assert_eq!(upstream["condition"], "true");
    }
}
