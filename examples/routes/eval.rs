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
    let name = route.sink_name();
    match route.sink_argument() {
        None => json!({ "kind": "system", "name": name }),
        Some(argument) => json!({ "kind": "function", "name": name, "arg": argument }),
    }
}

#[cfg(test)]
#[path = "eval_tests.rs"]
mod tests;
