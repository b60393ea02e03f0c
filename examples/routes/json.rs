//! Diagnostics for machines.

use edge_routing::{Diagnostic, Location};
use serde_json::{Value, json};

use crate::file::Problem;

/// A diagnostic with its place in the text.
pub(crate) fn diagnostic(found: &Diagnostic) -> Value {
    let mut value = json!({ "code": found.code().as_str(), "message": found.message() });
    if let Some(place) = found.location() {
        put(&mut value, place);
    }
    if let Some(help) = found.help() {
        value["help"] = help.into();
    }
    value
}

/// The same, and where it belongs.
pub(crate) fn located(found: &Diagnostic, file: &str) -> Value {
    let mut value = diagnostic(found);
    value["severity"] = found.severity().to_string().into();
    value["file"] = file.into();
    if let Some(route) = found.route() {
        value["route"] = route.into();
    }
    value
}

/// What keeps a file from being looked at, as diagnostics.
pub(crate) fn problem(problem: Problem, file: &str) -> Vec<Value> {
    let input =
        |message: &str| json!({ "file": file, "severity": "error", "code": "input", "message": message });
    match problem {
        Problem::Unreadable(reason) => vec![input(&reason)],
        Problem::Mistaken(text, mistakes) => mistakes
            .iter()
            .map(|mistake| {
                let mut value = input(&mistake.message);
                if let Some(span) = mistake.span {
                    put(&mut value, Location::of(&text, span));
                }
                value
            })
            .collect(),
        Problem::Refused(errors) => errors.iter().map(|error| located(error, file)).collect(),
    }
}

/// Adds a place to a value.
pub(crate) fn put(value: &mut Value, place: Location) {
    value["line"] = place.line.into();
    value["column"] = place.column.into();
    value["end_line"] = place.end_line.into();
    value["end_column"] = place.end_column.into();
}
