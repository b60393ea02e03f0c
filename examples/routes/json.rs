//! Diagnostics for machines.

use edge_routing::Diagnostic;
use serde_json::{Value, json};

/// A diagnostic with its place in the text.
pub(crate) fn diagnostic(found: &Diagnostic) -> Value {
    let mut value = json!({ "code": found.code().as_str(), "message": found.message() });
    if let Some(place) = found.location() {
        value["line"] = place.line.into();
        value["column"] = place.column.into();
        value["end_line"] = place.end_line.into();
        value["end_column"] = place.end_column.into();
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
