//! `routes lint`: what is odd about a set of routes.

use std::io::Write;

use edge_routing::{Fields as _, Finding, Location, Sample};
use serde_json::{Value, json};

use crate::check::before;
use crate::file::RouteFile;
use crate::{End, Words, json, written};

pub(crate) fn run(words: &Words, out: &mut impl Write) -> Result<End, String> {
    let [path] = words.files.as_slice() else { return Err("lint needs one file".into()) };
    let file = RouteFile::read(path).map_err(|problem| problem.text(path))?;
    let options = file.options();
    let compiled = file.compile(false).map_err(|errors| format!("{path} is refused:\n{errors}"))?;
    let findings = compiled.router.lint(&options);
    let warnings: Vec<_> = file.warnings.iter().chain(&compiled.warnings).collect();
    let place = |route: &String| Some(Location::of(&file.text, file.route_span(route)?));
    if words.has("--json") {
        let warnings: Vec<Value> = warnings.iter().map(|warning| json::located(warning, path)).collect();
        let shown: Vec<Value> = findings.iter().map(|found| finding(found, &place)).collect();
        writeln!(out, "{}", json!({ "findings": shown, "warnings": warnings })).map_err(written)?;
    } else {
        for warning in &warnings {
            write!(out, "{}{warning}", before(path, warning.location())).map_err(written)?;
        }
        for finding in &findings {
            let first = finding.routes.first().and_then(place);
            write!(out, "{}{finding}", before(path, first)).map_err(written)?;
        }
        writeln!(out, "{path}: {} findings, {} warnings", findings.len(), warnings.len()).map_err(written)?;
    }
    Ok(if findings.is_empty() && warnings.is_empty() { End::Fine } else { End::Found })
}

fn finding(finding: &Finding, place: &dyn Fn(&String) -> Option<Location>) -> Value {
    let places = finding.routes.iter().map(|route| {
        let mut value = json!({ "route": route });
        if let Some(place) = place(route) {
            json::put(&mut value, place);
        }
        value
    });
    json!({
        "code": finding.lint.as_str(),
        "message": finding.message,
        "routes": finding.routes,
        "places": places.collect::<Vec<_>>(),
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
