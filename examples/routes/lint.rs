//! `routes lint`: what is odd about a set of routes.

use std::io::Write;

use edge_routing::{Fields as _, Finding, Router, Sample};
use serde_json::{Value, json};

use crate::file::{Problem, RouteFile};
use crate::{End, Words, json, written};

pub(crate) fn run(words: &Words, out: &mut impl Write) -> Result<End, String> {
    let [path] = words.files.as_slice() else { return Err("lint needs one file".into()) };
    let file = RouteFile::read(path).map_err(|problem| match problem {
        Problem::Unreadable(reason) => format!("{path}: {reason}"),
        Problem::Refused(errors) => format!("{path} is refused:\n{errors}"),
    })?;
    let options = file.options();
    let compiled =
        Router::compile(&file.specs, &options).map_err(|errors| format!("{path} is refused:\n{errors}"))?;
    let findings = compiled.router.lint(&options);
    let warnings: Vec<_> = file.warnings.into_iter().chain(compiled.warnings).collect();
    if words.has("--json") {
        let warnings: Vec<Value> = warnings.iter().map(|warning| json::located(warning, path)).collect();
        let shown: Vec<Value> = findings.iter().map(finding).collect();
        writeln!(out, "{}", json!({ "findings": shown, "warnings": warnings })).map_err(written)?;
    } else {
        for warning in &warnings {
            write!(out, "{path}: {warning}").map_err(written)?;
        }
        for finding in &findings {
            write!(out, "{path}: {finding}").map_err(written)?;
        }
        writeln!(out, "{path}: {} findings, {} warnings", findings.len(), warnings.len()).map_err(written)?;
    }
    Ok(if findings.is_empty() && warnings.is_empty() { End::Fine } else { End::Found })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.lint.as_str(),
        "message": finding.message,
        "routes": finding.routes,
        "help": finding.help,
        "witnesses": finding.witnesses.iter().map(message).collect::<Vec<_>>(),
    })
}

/// A message as `routes explain` reads it.
fn message(sample: &Sample) -> Value {
    let object = |pairs: &mut dyn Iterator<Item = (&str, Option<&str>)>| {
        Value::Object(pairs.map(|(name, value)| (name.to_owned(), value.into())).collect())
    };
    json!({
        "source": sample.source(),
        "properties": object(&mut sample.properties()),
        "systemProperties": object(&mut sample.system_properties()),
        "bodyText": String::from_utf8_lossy(sample.body()),
    })
}
