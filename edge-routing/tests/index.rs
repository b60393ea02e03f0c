//! The index against the walk over all routes: random sets, random messages.
//!
//! `ROUTING_CASES` sets how many sets are tried, each with 50 messages.

use edge_routing::{CompileOptions, Matches, RouteSpec, Router, Sample, Severity};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const NAMES: [&str; 6] = ["a", "B", "level", "kind", "$x", "$body.t"];
const TEXTS: [&str; 12] = ["x", "y", "xy", "", "1", "2", "1.0", " 2 ", "-1", "(1)", "1e1", "ä"];
const LEAVES: [&str; 14] = [
    "a",
    "b",
    "LEVEL",
    "kind",
    "$x",
    "{$x}",
    "$connectionDeviceId",
    "$body.t",
    "{$body.t}",
    "$body.u.v",
    "$body.l[0]",
    "$body.on",
    "$body.u.*",
    "missing",
];
const NUMBERS: [&str; 7] = ["0", "1", "2", "-1", "0.5", "10", "1 / 0"];
const SIGNS: [&str; 7] = ["=", "!=", "<>", "<", "<=", ">", ">="];
const SOURCES: [&str; 8] = [
    "/*",
    "/messages/*",
    "/messages/modules/*",
    "/messages/modules/m",
    "/Messages/Modules/M/outputs/*",
    "/messages/modules/m/outputs/o",
    "/messages/modules/n/outputs/o",
    "/twinChangeNotifications",
];

fn pick(from: &'static [&'static str]) -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(from)
}

/// One test, most of them of a kind that the index knows.
fn term() -> BoxedStrategy<String> {
    let is_body = |leaf: &str| leaf.contains("$body");
    prop_oneof![
        4 => (pick(&LEAVES), pick(&SIGNS), pick(&TEXTS)).prop_map(|(leaf, sign, text)| format!("{leaf} {sign} '{text}'")),
        4 => (pick(&LEAVES), pick(&SIGNS), pick(&NUMBERS))
            .prop_map(|(leaf, sign, number)| format!("as_number({leaf}) {sign} {number}")),
        3 => (pick(&LEAVES), pick(&SIGNS), pick(&NUMBERS)).prop_map(move |(leaf, sign, number)| {
            if is_body(leaf) { format!("{leaf} {sign} {number}") } else { format!("{number} {sign} as_number({leaf})") }
        }),
        2 => (pick(&LEAVES), pick(&TEXTS)).prop_map(|(leaf, text)| format!("starts_with({leaf}, '{text}')")),
        1 => (pick(&["ends_with", "contains"]), pick(&LEAVES), pick(&TEXTS))
            .prop_map(|(function, leaf, text)| format!("{function}({leaf}, '{text}')")),
        2 => (pick(&["is_defined", "is_null", "is_string", "is_number", "is_bool"]), pick(&LEAVES))
            .prop_map(|(function, leaf)| format!("{function}({leaf})")),
        2 => (pick(&LEAVES), pick(&["true", "false", "null"]), pick(&["=", "!=", "<", ">="])).prop_map(move |(leaf, word, sign)| {
            if is_body(leaf) { format!("{leaf} {sign} {word}") } else { format!("is_defined({leaf})") }
        }),
        1 => pick(&LEAVES).prop_map(move |leaf| if is_body(leaf) { format!("({leaf} AND true)") } else { format!("upper({leaf}) = 'X'") }),
        1 => pick(&LEAVES).prop_map(move |leaf| if is_body(leaf) { format!("NOT {leaf}") } else { format!("length({leaf}) > 1") }),
        1 => (pick(&LEAVES), pick(&LEAVES)).prop_map(|(a, b)| format!("{a} = {b}")),
        1 => (pick(&LEAVES), pick(&TEXTS)).prop_map(|(leaf, text)| format!("({leaf} ?? '{text}') = 'x'")),
        1 => pick(&["true", "false", "undefined = undefined", "null = null", "twin_change_includes(tags.t)"]).prop_map(str::to_owned),
    ]
    .boxed()
}

fn condition() -> impl Strategy<Value = String> {
    term().prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            5 => prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" AND "))),
            3 => prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" OR "))),
            1 => inner.prop_map(|term| format!("NOT ({term})")),
        ]
    })
}

fn route() -> impl Strategy<Value = String> {
    let sink = pick(&["$upstream", "BrokeredEndpoint('/modules/x/inputs/i')"]);
    (pick(&SOURCES), condition(), sink)
        .prop_map(|(source, condition, sink)| format!("FROM {source} WHERE {condition} INTO {sink}"))
}

fn text() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::weighted(0.9, pick(&TEXTS))
}

fn body() -> impl Strategy<Value = String> {
    let value = pick(&[
        "1",
        "2",
        "-1",
        "0.5",
        "10",
        "\"x\"",
        "\"1\"",
        "\"\"",
        "true",
        "false",
        "null",
        "{\"w\": 1}",
        "[1]",
        "\"2020-01-01T00:00:00\"",
    ]);
    let member = |name: &'static str| {
        prop::option::weighted(0.6, value.clone())
            .prop_map(move |value| value.map(|value| format!("\"{name}\": {value}")))
    };
    let inner = prop::option::weighted(0.6, value.clone());
    (member("t"), member("on"), inner.clone(), inner).prop_map(|(t, on, v, item)| {
        let mut members: Vec<String> = [t, on].into_iter().flatten().collect();
        members.extend(v.map(|v| format!("\"u\": {{\"v\": {v}}}")));
        members.extend(item.map(|item| format!("\"l\": [{item}]")));
        format!("{{{}}}", members.join(", "))
    })
}

fn message() -> impl Strategy<Value = Sample> {
    let source = pick(&[
        "/messages",
        "/messages/",
        "/messages/modules/m",
        "/messages/modules/M/Outputs/o/",
        "/messages/modules/n",
        "/twinChangeNotifications",
        "/messages/modules/m/outputs/o/more",
        "",
        "/",
        "messages",
    ]);
    let properties = prop::collection::vec((pick(&NAMES), text()), 0..4);
    (source, properties, text(), text(), body(), 0..8_u8).prop_map(
        |(source, properties, device, x, body, kind)| {
            let mut sample = Sample::new(source).with_system_property("connectionDeviceId", device);
            for (name, value) in properties {
                sample = sample.with_property(name, value);
            }
            if kind == 0 {
                sample = sample.with_system_property("x", x);
            }
            match kind {
                1 => sample.with_body(body),
                2 => sample.with_json(format!("{body} more")),
                _ => sample.with_json(body),
            }
        },
    )
}

#[test]
fn the_index_finds_what_the_walk_finds() {
    let cases = std::env::var("ROUTING_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(2500);
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    let routes = prop_oneof![
        3 => prop::collection::vec(route(), 0..12),
        1 => prop::collection::vec(route(), 40..60),
    ];
    let strategy = (routes, prop::collection::vec(message(), 50));
    let result = runner.run(&strategy, |(routes, messages)| {
        let specs: Vec<RouteSpec> =
            routes.iter().enumerate().map(|(at, text)| RouteSpec::new(format!("r{at}"), text)).collect();
        let router = match Router::compile(&specs, &CompileOptions::new()) {
            Ok(compiled) => compiled.router,
            Err(errors) => {
                // Some terms do not type-check together; what remains must.
                let bad: Vec<&str> = errors
                    .iter()
                    .filter(|error| error.severity() == Severity::Error)
                    .filter_map(|error| error.route())
                    .collect();
                let good: Vec<RouteSpec> =
                    specs.iter().filter(|spec| !bad.contains(&spec.name.as_str())).cloned().collect();
                Router::compile(&good, &CompileOptions::new()).expect("compiles").router
            }
        };
        let (mut indexed, mut walked) = (Matches::new(), Matches::new());
        for message in &messages {
            router.route(message, &mut indexed);
            router.route_naively(message, &mut walked);
            prop_assert_eq!(indexed.routes(), walked.routes(), "{:?}", message);
            prop_assert_eq!(indexed.deliveries(), walked.deliveries());
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
