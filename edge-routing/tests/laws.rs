//! Laws that hold for every text, every message and every set.

use edge_routing::{CompileOptions, Condition, EdgeHubConfig, Matches, RouteSpec, Router, Sample, Truth};
use proptest::prelude::*;

/// Pieces of conditions, so that random texts often mean something.
const PIECES: [&str; 74] = [
    "a",
    "b",
    "level",
    "missing",
    "$connectionDeviceId",
    "{$a}",
    "$body.a",
    "$body.b.c",
    "$body.l[0]",
    "$body.",
    "$body.a.*",
    "$twin.x",
    "'x'",
    "'1'",
    "\"y\"",
    "'",
    "\"",
    "1",
    "-2",
    "0.5",
    "1e3",
    "0x1F",
    "e5",
    "true",
    "false",
    "null",
    "undefined",
    "TRUE",
    "AND",
    "OR",
    "NOT",
    "and",
    "=",
    "!=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "||",
    "??",
    "(",
    ")",
    "(",
    ")",
    ",",
    "{",
    "}",
    "@",
    "\\",
    ";",
    "is_defined(",
    "is_null(",
    "as_number(",
    "length(",
    "substring(",
    "concat(",
    "twin_change_includes(tags.a)",
    "FROM",
    "/messages/*",
    "/* c */",
    "WHERE",
    "INTO",
    "$upstream",
    "BrokeredEndpoint(\"/modules/m/inputs/i\")",
    "\n",
    "\t",
    "ä",
    "😀",
];

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24).prop_map(|pieces| pieces.join(" "))
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![4 => soup(), 1 => any::<String>(), 1 => prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24).prop_map(|pieces| pieces.concat())]
}

fn value() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        prop::sample::select(&["x", "y", "1", "-2", "0.5", "", "true", "ä😀"][..])
            .prop_map(|text| Some(text.to_owned())),
        any::<String>().prop_map(Some),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop::sample::select(
        &["1", "-2", "0.5", "\"x\"", "\"1\"", "true", "null", "\"2020-01-01T00:00:00\""][..],
    );
    prop_oneof![
        (leaf.clone(), leaf.clone(), leaf)
            .prop_map(|(a, c, l)| format!(r#"{{"a": {a}, "b": {{"c": {c}}}, "l": [{l}]}}"#).into_bytes()),
        Just(b"{}".to_vec()),
        any::<Vec<u8>>(),
    ]
}

prop_compose! {
    fn message()(
        source in prop::sample::select(&["/messages", "/messages/modules/m", "/messages/modules/m/outputs/o", "/twinChangeNotifications"][..]),
        properties in prop::collection::vec((prop::sample::select(&["a", "B", "level", "$body.a"][..]), value()), 0..4),
        device in value(),
        body in body(),
        typed in any::<bool>(),
    ) -> Sample {
        let mut sample = Sample::new(source).with_system_property("connectionDeviceId", device.as_deref());
        for (name, value) in properties {
            sample = sample.with_property(name, value.as_deref());
        }
        if typed { sample.with_json(body) } else { sample.with_body(body) }
    }
}

/// Conditions that compile, most of them of a shape that people write.
fn condition() -> impl Strategy<Value = String> {
    let term = prop::sample::select(
        &[
            "a = 'x'",
            "B != '1'",
            "as_number(level) > 0",
            "as_number(a) <= 1",
            "$body.a = 1",
            "$body.a > 0",
            "$body.b.c = 'x'",
            "is_defined(level)",
            "$connectionDeviceId = 'x'",
            "starts_with(a, 'x')",
            "$body.l[0] < 1",
            "missing = 'x'",
            "true",
        ][..],
    );
    let clause = (prop::collection::vec(term, 1..4), prop::sample::select(&[" AND ", " OR "][..]))
        .prop_map(|(terms, sign)| terms.join(sign));
    prop::collection::vec((clause, any::<bool>()), 1..3).prop_map(|clauses| {
        let clauses: Vec<String> = clauses
            .into_iter()
            .map(|(text, not)| if not { format!("NOT ({text})") } else { format!("({text})") })
            .collect();
        clauses.join(" OR ")
    })
}

fn spec(index: usize) -> impl Strategy<Value = RouteSpec> {
    (
        prop::sample::select(
            &[
                "/*",
                "/messages/*",
                "/messages/modules/m",
                "/messages/modules/m/outputs/o",
                "/twinChangeNotifications",
            ][..],
        ),
        condition(),
        prop::sample::select(
            &[
                "$upstream",
                "BrokeredEndpoint('/modules/x/inputs/i')",
                "BrokeredEndpoint('/modules/y/inputs/i')",
            ][..],
        ),
        prop::option::of(0_u8..=9),
    )
        .prop_map(move |(source, condition, sink, priority)| {
            let spec =
                RouteSpec::new(format!("r{index}"), format!("FROM {source} WHERE {condition} INTO {sink}"));
            match priority {
                Some(priority) => spec.with_priority(priority),
                None => spec,
            }
        })
}

fn set() -> impl Strategy<Value = Vec<RouteSpec>> {
    (0..8_usize).prop_flat_map(|len| (0..len).map(spec).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Any text is compiled or refused with a place in it, and what compiles can be evaluated.
    #[test]
    fn conditions_are_total(text in any_text(), message in message()) {
        match Condition::compile(&text) {
            Ok(condition) => {
                let truth = condition.evaluate(&message);
                prop_assert_eq!(truth, condition.evaluate(&message));
                for warning in condition.warnings() {
                    prop_assert!(warning.span().is_some_and(|span| text.get(span.start()..span.end()).is_some()), "{warning}");
                }
            }
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                for error in &errors {
                    let span = error.span().expect("errors of a condition have a place");
                    prop_assert!(text.get(span.start()..span.end().min(text.len())).is_some(), "{error}");
                    prop_assert!(error.to_string().ends_with('\n'));
                }
            }
        }
    }

    /// Any text is a route or is refused.
    #[test]
    fn routes_are_total(text in any_text()) {
        let compiled = Router::compile(&[RouteSpec::new("r", text)], &CompileOptions::new());
        if let Err(errors) = compiled {
            prop_assert!(errors.has_errors() && errors.iter().all(|error| error.route() == Some("r")));
        }
    }

    /// Strictness refuses what is warned of, and nothing else.
    #[test]
    fn strictness_is_about_warnings(text in soup()) {
        let specs = [RouteSpec::new("r", format!("FROM /messages/* WHERE {text} INTO $upstream"))];
        let lenient = Router::compile(&specs, &CompileOptions::new());
        let strict = Router::compile(&specs, &CompileOptions::new().with_strict(true));
        prop_assert_eq!(lenient.is_ok_and(|compiled| compiled.warnings.is_empty()), strict.is_ok());
    }

    /// Any text is a configuration or is refused.
    #[test]
    fn configurations_are_total(text in any::<String>()) {
        if let Err(errors) = EdgeHubConfig::parse(&text) {
            prop_assert!(errors.has_errors());
        }
    }

    /// Each endpoint gets one copy, at the highest priority of the routes that match alone.
    #[test]
    fn one_copy_at_the_highest_priority(specs in set(), message in message()) {
        let router = Router::compile(&specs, &CompileOptions::new()).expect("compiles").router;
        let mut matches = Matches::new();
        router.route(&message, &mut matches);
        let mut alone = Matches::new();
        let mut expected = Vec::new();
        for (index, spec) in specs.iter().enumerate() {
            let single = Router::compile(std::slice::from_ref(spec), &CompileOptions::new()).expect("compiles").router;
            single.route(&message, &mut alone);
            if !alone.is_empty() {
                expected.push(index);
            }
        }
        prop_assert_eq!(matches.routes(), &expected[..]);
        for delivery in matches.deliveries() {
            let endpoint = router.endpoint(delivery.endpoint).expect("exists");
            let same = expected.iter().map(|&index| &router.routes()[index]).filter(|route| route.sink() == endpoint);
            let best = same.map(|route| route.priority()).max().expect("a route leads there");
            prop_assert_eq!(delivery.priority, best);
            prop_assert_eq!(router.routes()[delivery.route].priority(), best);
        }
        let reached = expected.iter().map(|&index| router.routes()[index].sink()).collect::<std::collections::BTreeSet<_>>();
        prop_assert_eq!(matches.deliveries().len(), reached.len());
    }

    /// The order of the routes decides nothing but ties.
    #[test]
    fn order_does_not_matter(specs in set(), message in message()) {
        let deliveries = |specs: &[RouteSpec]| {
            let router = Router::compile(specs, &CompileOptions::new()).expect("compiles").router;
            let mut matches = Matches::new();
            router.route(&message, &mut matches);
            let list = matches.deliveries().iter();
            list.map(|d| (router.endpoint(d.endpoint).cloned(), d.priority.number())).collect::<std::collections::BTreeSet<_>>()
        };
        let reversed: Vec<RouteSpec> = specs.iter().rev().cloned().collect();
        prop_assert_eq!(deliveries(&specs), deliveries(&reversed));
    }

    /// A double negation changes nothing about what is routed.
    #[test]
    fn negation_is_its_own_inverse(text in condition(), message in message()) {
        let truth = |text: &str| Condition::compile(text).expect("compiles").evaluate(&message);
        let negated = match truth(&text) {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Undefined => Truth::Undefined,
        };
        let once = format!("NOT ({text})");
        prop_assert_eq!(truth(&once), negated);
        let twice = format!("NOT ({once})");
        prop_assert_eq!(truth(&twice), truth(&text));
    }
}

/// The deepest and the longest texts that compile are evaluated on an ordinary stack.
#[test]
fn the_largest_conditions_are_evaluated() {
    let message = Sample::new("/messages").with_property("a", Some("x"));
    let truth = |text: &str| Condition::compile(text).map(|condition| condition.evaluate(&message)).ok();
    let nested = |open: &str, close: &str, levels: usize| {
        format!("{}a{} = 'x'", open.repeat(levels), close.repeat(levels))
    };
    assert_eq!(truth(&nested("(", ")", 120)), Some(Truth::True));
    assert_eq!(truth(&nested("lower(", ")", 120)), Some(Truth::True));
    assert_eq!(truth(&format!("{}true", "NOT ".repeat(120))), Some(Truth::True));
    assert_eq!(truth(&format!("a = 'y'{}", " OR a = 'x'".repeat(2500))), Some(Truth::True));
    assert_eq!(truth(&format!("1{} = 121", " + 1".repeat(120))), Some(Truth::True));
    assert_eq!(truth(&nested("(", ")", 130)), None);
}
