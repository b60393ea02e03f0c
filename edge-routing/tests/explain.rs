//! What explanations say.

use edge_routing::{CompileOptions, Outcome, RouteSpec, Router, Sample};

fn router(routes: &[(&str, &str)]) -> Router {
    let specs: Vec<RouteSpec> = routes.iter().map(|(name, text)| RouteSpec::new(*name, *text)).collect();
    Router::compile(&specs, &CompileOptions::new()).expect("compiles").router
}

#[test]
fn every_outcome_is_told() {
    let router = router(&[
        ("first", "FROM /messages/* INTO $upstream"),
        ("second", "FROM /messages/* WHERE level = '3' INTO $upstream"),
        ("elsewhere", "FROM /twinChangeNotifications INTO $upstream"),
        ("false", "FROM /messages/* WHERE level = '4' INTO $upstream"),
        ("undefined", "FROM /messages/* WHERE kind = '4' INTO $upstream"),
    ]);
    let explanation = router.explain(&Sample::new("/messages").with_property("level", Some("3")), &[]);
    let outcomes: Vec<&Outcome> = explanation.routes.iter().map(|route| &route.outcome).collect();
    assert_eq!(
        outcomes,
        [
            &Outcome::Delivers,
            &Outcome::Overruled { by: "first".into() },
            &Outcome::OtherSource { wanted: "/twinChangeNotifications/".into() },
            &Outcome::ConditionFalse,
            &Outcome::ConditionUndefined,
        ]
    );
    let one = router.explain(&Sample::new("/messages"), &["undefined"]);
    assert_eq!(one.routes.len(), 1);
}

#[test]
fn missing_values_are_explained() {
    let condition = "$body.a = 1 OR $body.b.c = 1 OR ($body.list > 1 AND upper(bare) = 'X') OR $messageId = 'x' OR kind = 'y'";
    let router = router(&[("r", &format!("FROM /messages/* WHERE {condition} INTO $upstream"))]);
    let message =
        Sample::new("/messages").with_property("bare", None).with_json(r#"{"list": [1], "a": "1\n"}"#);
    let text = router.explain(&message, &[]).text(false);
    assert_eq!(
        text,
        "\
message from /messages goes nowhere
r: no, the condition is undefined
  $body.a = 1 OR $body.b.c = 1 OR ($body.list > 1 AND upper(bare) = 'X') OR $messageId = 'x' OR kind = 'y' = undefined
    $body.a = 1 = false
      $body.a = '1 '
      1
    $body.b.c = 1 = false
      $body.b.c = null  (the body has no such member)
      1
    $body.list > 1 AND upper(bare) = 'X' = undefined
      $body.list > 1 = undefined
        $body.list = undefined  (an object, an array or a point in time has no value)
        1
      upper(bare) = 'X' = undefined
        upper(bare) = undefined
          bare = no value  (the property is there without a value)
        'X'
    $messageId = 'x' = undefined
      $messageId = undefined  (the message has no such system property)
      'x'
    kind = 'y' = undefined
      kind = undefined  (the message has no such property)
      'y'
"
    );
    let undeclared = router.explain(&Sample::new("/messages").with_body("{}"), &[]).text(false);
    assert!(undeclared.contains("does not declare its body as application/json"), "{undeclared}");
    let broken = router.explain(&Sample::new("/messages").with_json("{"), &[]).text(false);
    assert!(broken.contains("not one JSON object"), "{broken}");
}

#[test]
fn colours_are_only_added() {
    let router = router(&[("r", "FROM /messages/* WHERE a = 'x' AND 1 = 1 INTO $upstream")]);
    let explanation = router.explain(&Sample::new("/messages").with_property("a", Some("\u{1b}[31mx")), &[]);
    let (plain, coloured) = (explanation.text(false), explanation.text(true));
    assert!(!plain.contains('\u{1b}'));
    let mut stripped = coloured.clone();
    for code in ["\u{1b}[32m", "\u{1b}[31m", "\u{1b}[2m", "\u{1b}[0m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain);
    assert_ne!(coloured, plain);
}

#[test]
fn long_texts_are_cut() {
    let router = router(&[("r", "FROM /messages/* WHERE upper(a) = 'X' INTO $upstream")]);
    let explanation =
        router.explain(&Sample::new("/messages").with_property("a", Some(&"é".repeat(9_000))), &[]);
    let node = &explanation.routes[0].condition.as_ref().expect("a condition").parts[0];
    assert_eq!(node.value, edge_routing::NodeValue::Text(format!("{}…", "É".repeat(2048))));
}

#[cfg(feature = "serde")]
#[test]
fn numbers_that_json_has_not_are_text() {
    let router = router(&[("r", "FROM /messages/* WHERE as_number(a) > 1 / 0 INTO $upstream")]);
    let explanation = router.explain(&Sample::new("/messages").with_property("a", Some("-1e999")), &[]);
    let data = serde_json::to_value(&explanation).expect("it serialises");
    let parts = &data["routes"][0]["condition"]["parts"];
    assert_eq!(parts[0]["value"], serde_json::json!({ "number": "-inf" }));
    assert_eq!(parts[1]["value"], serde_json::json!({ "number": "inf" }));
    assert_eq!(parts[1]["parts"][0]["value"], serde_json::json!({ "number": 1.0 }));
}
