use alloc::vec;

use super::*;
use crate::matches::Matches;
use crate::route::RouteSpec;

fn router(texts: &[&str]) -> Router {
    let specs: Vec<RouteSpec> =
        texts.iter().enumerate().map(|(at, text)| RouteSpec::new(alloc::format!("r{at}"), *text)).collect();
    match Router::compile(&specs, &CompileOptions::new()) {
        Ok(compiled) => compiled.router,
        Err(errors) => panic!("{errors}"),
    }
}

/// The findings as codes and routes; every witness must match a route of its finding.
#[track_caller]
fn check(texts: &[&str], expected: &[(Lint, &str)]) {
    let router = router(texts);
    let findings = router.lint(&CompileOptions::new());
    let found: Vec<(Lint, String)> =
        findings.iter().map(|finding| (finding.lint, finding.routes.join(" "))).collect();
    let expected: Vec<(Lint, String)> =
        expected.iter().map(|(lint, routes)| (*lint, (*routes).into())).collect();
    assert_eq!(found, expected, "{texts:?}");
    let mut matches = Matches::new();
    for finding in &findings {
        for (at, witness) in finding.witnesses.iter().enumerate() {
            router.route(witness, &mut matches);
            let name = if finding.lint == Lint::Loop { &finding.routes[at] } else { &finding.routes[0] };
            let matched = matches.routes().iter().any(|&route| router.routes()[route].name() == name);
            assert!(matched || finding.lint == Lint::TextOrder, "{finding}");
        }
    }
}

#[test]
fn conditions_that_are_never_or_always_true() {
    for (condition, expected) in [
        ("as_number(t) > 5 AND as_number(t) < 3", Some(Lint::NeverTrue)),
        ("a = 'x' AND a = 'y'", Some(Lint::NeverTrue)),
        ("starts_with(a, 'x') AND a = 'yx'", Some(Lint::NeverTrue)),
        ("$body.t > 5 AND $body.t < 3", Some(Lint::NeverTrue)),
        ("$body.t = 1 AND is_string($body.t)", Some(Lint::NeverTrue)),
        ("1 = 2", Some(Lint::NeverTrue)),
        ("a = 'x' AND false", Some(Lint::NeverTrue)),
        ("a", Some(Lint::NeverTrue)),
        ("a = 'x' OR true", Some(Lint::AlwaysTrue)),
        ("1 = 1", Some(Lint::AlwaysTrue)),
        ("true", None),
        ("as_number(t) > 3 AND as_number(t) < 5", None),
        ("a = 'x' OR a = 'y'", None),
        ("level > '10'", Some(Lint::TextOrder)),
        ("level > 'm'", None),
    ] {
        let text = alloc::format!("FROM /messages/* WHERE {condition} INTO $upstream");
        let expected: Vec<_> = expected.into_iter().map(|lint| (lint, "r0")).collect();
        check(&[&text], &expected);
    }
}

#[test]
fn routes_to_one_endpoint() {
    let up = "FROM /messages/* INTO $upstream";
    check(&[up, "FROM /messages INTO $upstream"], &[(Lint::Duplicate, "r0 r1")]);
    check(&[up, "FROM /messages/modules/m WHERE a = 'x' INTO $upstream"], &[(Lint::Redundant, "r1 r0")]);
    let a = "FROM /messages/* WHERE a = 'x' INTO $upstream";
    check(&[a, "FROM /messages/modules/m WHERE $body.t > 3 INTO $upstream"], &[(Lint::Overlap, "r0 r1")]);
    check(&[a, "FROM /messages/* WHERE a = 'y' INTO $upstream"], &[]);
    check(&[a, "FROM /twinChangeNotifications WHERE a = 'x' INTO $upstream"], &[]);
    check(
        &[a, "FROM /messages/* WHERE a = 'x' INTO BrokeredEndpoint('/modules/m/inputs/i')"],
        &[(Lint::Loop, "r1")],
    );
}

#[test]
fn loops_through_modules() {
    let hop = |from: &str, to: &str| {
        alloc::format!(
            "FROM /messages/modules/{from}/outputs/* INTO BrokeredEndpoint('/modules/{to}/inputs/i')"
        )
    };
    check(&[&hop("a", "b"), &hop("b", "c")], &[]);
    check(&[&hop("a", "b"), &hop("b", "c"), &hop("c", "a")], &[(Lint::Loop, "r1 r2 r0")]);
    check(&[&hop("a", "a")], &[(Lint::Loop, "r0")]);
    check(
        &[
            "FROM /messages/* WHERE NOT is_defined($connectionModuleId) INTO BrokeredEndpoint('/modules/m/inputs/i')",
        ],
        &[],
    );
    check(
        &["FROM /messages/* WHERE $connectionModuleId = 'x' INTO BrokeredEndpoint('/modules/m/inputs/i')"],
        &[],
    );
}

#[test]
fn modules_that_do_not_exist() {
    let router = router(&["FROM /messages INTO BrokeredEndpoint('/modules/filtre/inputs/i')"]);
    let options = CompileOptions::new().with_known_modules(vec!["filter"]);
    assert!(router.lint(&options).iter().any(|finding| finding.lint == Lint::UnknownModule));
}

/// Conditions for which no message is found, each to a module of its own.
fn searched_in_vain(count: usize, more: &str) -> Vec<String> {
    let text = |at: usize| {
        alloc::format!(
            "FROM /messages/* WHERE length(upper(a) || lower(b)) = {}{more} INTO BrokeredEndpoint('/modules/m{at}/inputs/i')",
            at + 1000
        )
    };
    (0..count).map(text).collect()
}

#[test]
fn what_was_not_looked_at_is_said() {
    let texts = searched_in_vain(20, " AND NOT is_defined($connectionModuleId)");
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let findings = router(&texts).lint(&CompileOptions::new());
    assert_eq!(findings.iter().map(|finding| finding.lint).collect::<Vec<_>>(), [Lint::Incomplete]);
    let text = alloc::format!("{}", findings[0]);
    assert!(text.starts_with("lint[L009]: ") && !text.contains("-->"), "{text}");
}

#[test]
fn a_condition_is_searched_once_for_all_modules() {
    // Twenty modules times twenty routes, of which each is searched 400 times, would be more than the limit.
    let mut texts = searched_in_vain(20, "");
    texts.push(
        "FROM /messages/modules/m3/* WHERE a = 'x' INTO BrokeredEndpoint('/modules/m3/inputs/j')".into(),
    );
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    check(&texts, &[(Lint::Loop, "r20")]);
}
