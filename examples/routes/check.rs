//! `routes check`: everything there is to say about route files.

use std::io::Write;

use edge_routing::{Diagnostic, Router, Severity};
use serde_json::json;

use crate::file::{Problem, RouteFile};
use crate::{End, Words, json, written};

pub(crate) fn run(words: &Words, out: &mut impl Write) -> Result<End, String> {
    if words.files.is_empty() {
        return Err("check needs a file".into());
    }
    let mut failed = false;
    let mut list = Vec::new();
    for path in &words.files {
        let (found, routes) = check(path, words.has("--strict"));
        let found = match found {
            Ok(found) => found,
            Err(reason) => {
                failed = true;
                if words.has("--json") {
                    list.push(
                        json!({ "file": path, "severity": "error", "code": "input", "message": reason }),
                    );
                } else {
                    writeln!(out, "{path}: error: {reason}").map_err(written)?;
                }
                continue;
            }
        };
        failed |= found.iter().any(|diagnostic| diagnostic.severity() == Severity::Error);
        if words.has("--json") {
            list.extend(found.iter().map(|diagnostic| json::located(diagnostic, path)));
            continue;
        }
        for diagnostic in &found {
            write!(out, "{path}: {diagnostic}").map_err(written)?;
        }
        let errors = found.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error).count();
        let warnings = found.len() - errors;
        writeln!(out, "{path}: {routes} routes, {errors} errors, {warnings} warnings").map_err(written)?;
    }
    if words.has("--json") {
        writeln!(out, "{}", json!({ "ok": !failed, "diagnostics": list })).map_err(written)?;
    }
    Ok(if failed { End::Found } else { End::Fine })
}

/// All diagnostics of a file, and how many routes it has.
fn check(path: &str, strict: bool) -> (Result<Vec<Diagnostic>, String>, usize) {
    let file = match RouteFile::read(path) {
        Ok(file) => file,
        Err(Problem::Unreadable(reason)) => return (Err(reason), 0),
        Err(Problem::Refused(errors)) => return (Ok(errors.into_iter().collect()), 0),
    };
    let options = file.options().with_strict(strict);
    let compiled =
        Router::compile(&file.specs, &options).map_or_else(|errors| errors, |compiled| compiled.warnings);
    let mut warnings = file.warnings;
    if strict {
        warnings.harden();
    }
    (Ok(warnings.into_iter().chain(compiled).collect()), file.specs.len())
}
