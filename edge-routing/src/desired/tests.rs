use super::*;
use crate::diagnostic::Code;

const STORE: &str = r#""storeAndForwardConfiguration": {"timeToLiveSecs": 10}"#;

#[track_caller]
fn check(document: &str, expected: Result<usize, &[Code]>) {
    match (EdgeHubConfig::parse(document), expected) {
        (Ok(config), Ok(count)) => assert_eq!(config.routes.len(), count, "{document}"),
        (Err(errors), Err(codes)) => {
            assert_eq!(errors.iter().map(crate::Diagnostic::code).collect::<Vec<_>>(), codes, "{document}");
        }
        (found, expected) => panic!("{document}: {found:?}, expected {expected:?}"),
    }
}

fn desired(version: &str, routes: &str) -> String {
    alloc::format!(r#"{{"schemaVersion": {version}, "routes": {routes}, {STORE}}}"#)
}

#[test]
fn schema_versions() {
    for good in ["1.0", "1.1", "1.2", "1.3", "1.1.0", "1.3.0.7"] {
        check(&desired(&alloc::format!("{good:?}"), "{}"), Ok(0));
    }
    for bad in ["\"1\"", "\"0.1\"", "\"2.0\"", "\"\"", "\"1.4\"", "null", "1.1", "\"1.x\""] {
        check(&desired(bad, "{}"), Err(&[Code::InvalidSchemaVersion]));
    }
}

#[test]
fn routes_by_schema() {
    let text = r#""FROM /* INTO $upstream""#;
    check(&desired("\"1.0\"", &alloc::format!(r#"{{"a": {text}, "b": " "}}"#)), Ok(1));
    check(&desired("\"1.0\"", r#"{"a": {"route": "x"}}"#), Err(&[Code::InvalidConfiguration]));
    check(&desired("\"1.1\"", r#"{"a": " "}"#), Err(&[Code::EmptySource]));
    check(&desired("\"1.1\"", r#"{"a": {"priority": 1}}"#), Err(&[Code::EmptySource]));
    check(&desired("\"1.1\"", r#"{"a": null}"#), Ok(0));
    check(&desired("\"1.1\"", r#"{"a": 3, "b": {"route": 4}}"#), Err(&[Code::InvalidConfiguration; 2]));
    for priority in ["10", "-1", "1.5", "\"1\""] {
        let routes = alloc::format!(r#"{{"a": {{"route": {text}, "priority": {priority}}}}}"#);
        check(&desired("\"1.2\"", &routes), Err(&[Code::InvalidPriority]));
    }
    let routes = alloc::format!(r#"{{"a": {{"route": {text}, "timeToLiveSecs": -1}}}}"#);
    check(&desired("\"1.2\"", &routes), Err(&[Code::InvalidConfiguration]));
}

#[test]
fn missing_parts() {
    check(r#"{"schemaVersion": "1.1"}"#, Err(&[Code::MissingConfiguration; 2]));
    check(r#"{"schemaVersion": "1.0"}"#, Ok(0));
    check("{", Err(&[Code::InvalidJson]));
    check("[]", Err(&[Code::InvalidSchemaVersion]));
}

#[test]
fn misspelt_keys_are_warned_of() {
    let routes = r#"{"a": {"route": "x", "timeToLiveSec": 5}}"#;
    let config = EdgeHubConfig::parse(&desired("\"1.1\"", routes)).expect("accepted");
    let warning = config.warnings.iter().next().expect("a warning");
    assert_eq!((warning.code(), warning.help()), (Code::UnknownKey, Some("did you mean 'timeToLiveSecs'?")));
}

#[test]
fn whole_manifests() {
    let manifest = alloc::format!(
        r#"{{"modulesContent": {{
            "$edgeAgent": {{"properties.desired": {{"modules": {{"filter": {{}}, "asa": {{}}}}}}}},
            "$edgeHub": {{"properties.desired": {}}}
        }}}}"#,
        desired("\"1.1\"", r#"{"a": "FROM /* INTO $upstream"}"#)
    );
    let config = EdgeHubConfig::parse(&manifest).expect("accepted");
    assert_eq!(config.routes.len(), 1);
    assert_eq!(config.time_to_live_secs, Some(10));
    assert_eq!(config.modules.as_deref(), Some(&["filter".into(), "asa".into()][..]));
}

#[test]
fn limits_of_the_store() {
    let document = |limits: &str| {
        alloc::format!(
            r#"{{"schemaVersion": "1.1", "routes": {{}}, "storeAndForwardConfiguration": {{"timeToLiveSecs": 10, "storeLimits": {limits}}}}}"#
        )
    };
    let found = |limits: &str| EdgeHubConfig::parse(&document(limits)).expect("valid").store_max_bytes;
    assert_eq!(found(r#"{"maxSizeBytes": 536870912}"#), Some(536_870_912));
    assert_eq!(found(r#"{"maxSizeBytes": 9223372036854775807}"#), Some(i64::MAX.unsigned_abs()));
    assert_eq!(found("{}"), None);
    assert_eq!(found("null"), None);
    for bad in ["-1", "1.5", "1e19", "\"5\"", "{}"] {
        check(&document(&alloc::format!(r#"{{"maxSizeBytes": {bad}}}"#)), Err(&[Code::InvalidConfiguration]));
    }
    check(&document("7"), Err(&[Code::InvalidConfiguration]));
}
