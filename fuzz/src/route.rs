//! Routes: from text to deliveries.

use edge_routing::{CompileOptions, Diagnostics, Matches, RouteSpec, Router, Sample};

/// Compiles each line as a route, and checks what the diagnostics say, and that an index changes no delivery.
///
/// # Panics
/// Panics when something does not hold.
pub fn route(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    check(&[RouteSpec::new("whole", text)]);
    let lines = text.lines().take(8).enumerate();
    check(&lines.map(|(number, line)| RouteSpec::new(format!("line {number}"), line)).collect::<Vec<_>>());
}

fn check(specs: &[RouteSpec]) {
    let compiled = match Router::compile(specs, &CompileOptions::new()) {
        Ok(compiled) => compiled,
        Err(errors) => {
            assert!(errors.iter().next().is_some(), "refused for no reason");
            return check_places(&errors, specs);
        }
    };
    check_places(&compiled.warnings, specs);
    let strict = Router::compile(specs, &CompileOptions::new().with_strict(true));
    assert_eq!(
        strict.is_ok(),
        compiled.warnings.iter().next().is_none(),
        "strict means that a warning is an error"
    );
    let (mut quick, mut naive) = (Matches::new(), Matches::new());
    for message in samples() {
        compiled.router.route(&message, &mut quick);
        compiled.router.route_naively(&message, &mut naive);
        assert_eq!(quick.routes(), naive.routes());
        assert_eq!(quick.deliveries(), naive.deliveries());
        for delivery in quick.deliveries() {
            assert!(compiled.router.endpoint(delivery.endpoint).is_some());
            assert!(compiled.router.routes().get(delivery.route).is_some());
        }
    }
}

/// Every diagnostic stands at a place of its text, and can be printed.
fn check_places(diagnostics: &Diagnostics, specs: &[RouteSpec]) {
    for diagnostic in diagnostics.iter() {
        let spec = specs.iter().find(|spec| Some(spec.name.as_str()) == diagnostic.route());
        if let (Some(span), Some(spec)) = (diagnostic.span(), spec) {
            let end = spec.text.len() + 2;
            assert!(span.start() <= span.end() && span.end() <= end, "{span:?} in {:?}", spec.text);
        }
        if let Some(location) = diagnostic.location() {
            assert!(location.line >= 1 && location.column >= 1);
        }
    }
    let printed = diagnostics.to_string();
    assert!(
        printed.len() < 64 * 1024 * (diagnostics.len() + 1),
        "a diagnostic shows a line, not the whole text"
    );
}

/// Messages that routes tell apart.
fn samples() -> [Sample; 4] {
    [
        Sample::new("/messages/"),
        Sample::new("/messages/modules/m/outputs/o/")
            .with_property("a", Some("1"))
            .with_property("Temperature", Some("31.5"))
            .with_property("empty", None)
            .with_json(br#"{"a": 1, "t": 31.5, "m": {"s": "warning", "l": [1, 2, null]}, "z": null}"#),
        Sample::new("/twinChangeNotifications/")
            .with_json(br#"{"properties": {"reported": {"a": {"b": 1}}}}"#),
        Sample::new("").with_body(b"\xff\xfe{").with_system_property("contentEncoding", Some("utf-16")),
    ]
}
