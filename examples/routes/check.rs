//! `routes check`: everything there is to say about route files.

use std::io::Write;

use edge_routing::{Diagnostic, Location, Severity};
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
        let (found, routes) = match check(path, words.has("--strict")) {
            Ok(checked) => checked,
            Err(problem) => {
                failed = true;
                if words.has("--json") {
                    list.extend(json::problem(problem, path));
                } else {
                    tell(problem, path, out)?;
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
            write!(out, "{}{diagnostic}", before(path, diagnostic.location())).map_err(written)?;
        }
        let errors = found.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error).count();
        let warnings = found.len() - errors;
        let [routes, errors, warnings] =
            [(routes, "route"), (errors, "error"), (warnings, "warning")].map(|(n, of)| count(n, of));
        writeln!(out, "{path}: {routes}, {errors}, {warnings}").map_err(written)?;
    }
    if words.has("--json") {
        writeln!(out, "{}", json!({ "ok": !failed, "diagnostics": list })).map_err(written)?;
    }
    Ok(if failed { End::Found } else { End::Fine })
}

/// A number of things, in words.
fn count(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// What stands before a line about a place, as compilers write it.
pub(crate) fn before(path: &str, place: Option<Location>) -> String {
    match place {
        Some(place) => format!("{path}:{}:{}: ", place.line, place.column),
        None => format!("{path}: "),
    }
}

/// Says what is wrong with a file.
fn tell(problem: Problem, path: &str, out: &mut impl Write) -> Result<(), String> {
    match problem {
        Problem::Unreadable(reason) => writeln!(out, "{path}: error: {reason}").map_err(written),
        Problem::Mistaken(text, mistakes) => mistakes
            .iter()
            .try_for_each(|mistake| writeln!(out, "{}", mistake.text(path, &text)).map_err(written)),
        Problem::Refused(errors) => errors
            .iter()
            .try_for_each(|error| write!(out, "{}{error}", before(path, error.location())).map_err(written)),
    }
}

/// All diagnostics of a file, and how many routes it has.
fn check(path: &str, strict: bool) -> Result<(Vec<Diagnostic>, usize), Problem> {
    let file = RouteFile::read(path)?;
    let compiled = file.compile(strict).map_or_else(|errors| errors, |compiled| compiled.warnings);
    let mut warnings = file.warnings;
    if strict {
        warnings.harden();
    }
    Ok((warnings.into_iter().chain(compiled).collect(), file.specs.len()))
}
