//! The corpus: cases as text files, described in `corpus/README.md`.

mod support;

use edge_routing::{
    CompileOptions, Condition, Diagnostic, Diagnostics, Matches, RouteSpec, Router, Severity, Sink,
};
use support::{Case, cases};

/// Codes with columns where `expected` names them, in its order.
fn codes<'d>(found: impl Iterator<Item = &'d Diagnostic>, expected: &str) -> String {
    let with_column: Vec<bool> = expected.split_whitespace().map(|word| word.contains('@')).collect();
    let mut words = Vec::new();
    for (at, diagnostic) in found.enumerate() {
        let column = diagnostic.location().map_or(0, |place| place.column);
        words.push(if with_column.get(at).copied().unwrap_or(false) {
            format!("{}@{column}", diagnostic.code())
        } else {
            diagnostic.code().to_string()
        });
    }
    words.join(" ")
}

fn of(diagnostics: &Diagnostics, severity: Severity) -> impl Iterator<Item = &Diagnostic> {
    diagnostics.iter().filter(move |diagnostic| diagnostic.severity() == severity)
}

#[test]
fn conditions() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for Case { place, message, text, expected } in cases("conditions") {
        count += 1;
        let (result, rest) = expected.split_once(' ').unwrap_or((expected.as_str(), ""));
        let found = match Condition::compile(&text) {
            Ok(condition) => {
                let warnings = codes(condition.warnings().iter(), rest);
                format!("{} {warnings}", condition.evaluate(&message))
            }
            Err(errors) => codes(errors.iter(), &expected),
        };
        if found.trim() != format!("{result} {rest}").trim() {
            wrong.push(format!("{place}: {text}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 300, "the corpus has {count} conditions");
}

#[test]
fn routes() {
    let mut wrong = Vec::new();
    for Case { place, text, expected, .. } in cases("routes") {
        let found = match Router::compile(&[RouteSpec::new("r", text.as_str())], &CompileOptions::new()) {
            Ok(compiled) => {
                let rest = expected.strip_prefix("ok").unwrap_or("").trim();
                format!("ok {}", codes(compiled.warnings.iter(), rest))
            }
            Err(errors) => codes(of(&errors, Severity::Error), &expected),
        };
        if found.trim() != expected.trim() {
            wrong.push(format!("{place}: {text}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sets() {
    for (place, specs, cases) in support::sets() {
        let router = match Router::compile(&specs, &CompileOptions::new()) {
            Ok(compiled) => compiled.router,
            Err(errors) => panic!("{place}: {errors}"),
        };
        let mut matches = Matches::new();
        for Case { place, message, expected, .. } in cases {
            router.route(&message, &mut matches);
            let found: Vec<String> = matches
                .deliveries()
                .iter()
                .map(|delivery| {
                    let endpoint =
                        router.endpoint(delivery.endpoint).map(Sink::to_string).unwrap_or_default();
                    format!("{endpoint} by {}", router.routes()[delivery.route].name())
                })
                .collect();
            let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
            assert_eq!(found, expected, "{place}");
        }
    }
}

#[test]
fn diagnostics_as_printed() {
    for (path, text) in support::files("diagnostics") {
        let (route, expected) =
            text.split_once("\n====\n").expect("a line of ==== parts the route from the output");
        let spec = RouteSpec::new("r", route.strip_suffix('\n').unwrap_or(route));
        let printed = match Router::compile(&[spec], &CompileOptions::new()) {
            Ok(compiled) => compiled.warnings.to_string(),
            Err(errors) => errors.to_string(),
        };
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&path, format!("{route}\n====\n{printed}")).expect("the file can be written");
            continue;
        }
        assert_eq!(printed, expected, "{}", path.display());
    }
}
