//! What routing allocates: nothing per message, and little per route.

use std::alloc::System;
use std::sync::{Mutex, PoisonError};

use edge_routing::{
    Code, Comparison, CompileOptions, Condition, MAX_DIAGNOSTICS, MAX_ROUTES, Matches, RouteSpec, Router,
    Sample, Truth,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The counts are of the whole process, so one test counts at a time.
static COUNTING: Mutex<()> = Mutex::new(());

fn specs(routes: usize) -> Vec<RouteSpec> {
    (0..routes)
        .map(|at| {
            let text = format!(
                "FROM /messages/* WHERE sensor = 'k{}' AND as_number(temperature) > {} AND $body.machine.m{} = 'warning' \
                 INTO BrokeredEndpoint(\"/modules/m{}/inputs/i\")",
                at / 4,
                at % 4 * 10,
                at % 100,
                at % 16
            );
            RouteSpec::new(format!("r{at}"), text)
        })
        .collect()
}

fn compile(specs: &[RouteSpec]) -> Router {
    Router::compile(specs, &CompileOptions::new()).expect("compiles").router
}

#[test]
fn messages_are_routed_without_allocating() {
    let _guard = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut specs = specs(1000);
    specs.push(RouteSpec::new(
        "dear",
        "FROM /* WHERE upper(concat(sensor, $body.text, unit)) = 'K1\u{c4}\nC' INTO $upstream",
    ));
    let router = compile(&specs);
    let body = br#"{"machine": {"m1": "warning", "m2": "warning"}, "m\u0061chine": {"m1": "warning"}, "text": "\u00e4\n"}"#;
    let message = |sensor: usize| {
        Sample::new("/Messages/modules/M")
            .with_property("Sensor", Some(&format!("k{sensor}")))
            .with_property("temperature", Some("1,025.5"))
            .with_property("unit", Some("c"))
            .with_json(body.to_vec())
    };
    let messages: Vec<Sample> = (0..8).map(message).collect();
    let mut matches = Matches::new();
    for message in &messages {
        router.route(message, &mut matches);
    }
    let mut found = 0;
    let region = Region::new(COUNTED);
    for _ in 0..10 {
        for message in &messages {
            router.route(message, &mut matches);
            found += matches.routes().len();
        }
    }
    let change = region.change();
    assert!(found > 0);
    assert_eq!((change.allocations, change.reallocations), (0, 0), "{change:?}");
}

#[test]
fn a_route_takes_less_than_a_kibibyte_beyond_its_text() {
    let _guard = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let specs = specs(10_000);
    let text: usize = specs.iter().map(|spec| spec.text.len() + spec.name.len()).sum();
    let region = Region::new(COUNTED);
    let router = compile(&specs);
    let change = region.change();
    // What was reallocated is among what was allocated and deallocated.
    let kept = change.bytes_allocated - change.bytes_deallocated;
    let each = (kept - text) / specs.len();
    println!("{each} bytes a route beyond its text");
    assert!(each <= 1024, "{each} bytes a route");
    assert_eq!(router.routes().len(), specs.len());
}

#[test]
fn a_recording_of_any_length_is_compared_in_the_same_memory() {
    let _guard = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let (old, new) = (compile(&specs(400)), compile(&specs(396)));
    let mut comparison = Comparison::new(&old, &new);
    let mut add = |number: usize| {
        let (sensor, temperature) = (number % 110, number % 60);
        let line = format!(
            "{{\"source\": \"/messages/\", \"properties\": {{\"sensor\": \"k{sensor}\", \"temperature\": \"{temperature}\"}}, \
             \"contentType\": \"application/json\", \"contentEncoding\": \"utf-8\", \"body\": {{\"machine\": {{\"m{}\": \"warning\"}}}}}}",
            number % 100
        );
        comparison.add(&Sample::parse(&line).expect("a message")).is_some()
    };
    // As many as it takes to meet every kind of message: the buffers then have their size.
    let period = 110 * 60 * 100 / 20;
    let changed = (0..period).filter(|&number| add(number)).count();
    let region = Region::new(COUNTED);
    let again = (period..period * 3).filter(|&number| add(number)).count();
    let change = region.change();
    assert!(changed > 0 && again == 2 * changed, "{changed} {again}");
    assert_eq!(change.bytes_allocated, change.bytes_deallocated, "{change:?}");
    let summary = comparison.summary();
    assert_eq!((summary.messages, summary.changed), (3 * period as u64, 3 * changed as u64));
}

#[test]
fn a_set_beyond_the_limit_is_refused() {
    let _guard = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let specs = vec![RouteSpec::new("", ""); MAX_ROUTES + 1];
    let errors = Router::compile(&specs, &CompileOptions::new()).expect_err("too many");
    assert_eq!(errors.iter().map(|error| error.code()).collect::<Vec<_>>(), [Code::TooManyRoutes]);
}

const MIB: usize = 1024 * 1024;

#[test]
fn a_condition_makes_no_more_text_than_its_limit() {
    let _guard = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let message = Sample::new("/messages").with_property("a", Some(&"x".repeat(260_000)));
    let parts: Vec<String> =
        (0..700).map(|at| format!("length(upper(lower(substring(a, {at})) || 'é')) > 0")).collect();
    for (text, expected) in [
        (format!("length(a{}) = 15600000", " || a".repeat(59)), Truth::True),
        (format!("length(a{}) > 0", " || a".repeat(119)), Truth::Undefined),
        (format!("length(concat(a{})) = 15600000", ", a".repeat(59)), Truth::True),
        (format!("length(concat(a{})) > 0", ", a".repeat(999)), Truth::Undefined),
        (format!("is_defined(a{})", " || a".repeat(119)), Truth::Undefined),
        (parts[..18].join(" AND "), Truth::True),
        (parts.join(" AND "), Truth::Undefined),
    ] {
        let condition = Condition::compile(&text).expect("compiles");
        let region = Region::new(COUNTED);
        let truth = condition.evaluate(&message);
        let allocated = region.change().bytes_allocated;
        assert_eq!(truth, expected, "{text:.60}");
        assert!(allocated < 72 * MIB, "{text:.60}: {allocated}");
    }
}

#[test]
fn the_limit_on_text_is_of_each_condition() {
    let _guard = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let message = Sample::new("/messages").with_property("a", Some(&"x".repeat(260_000)));
    // Every second shares a text with the one before it, every tenth makes too much.
    let specs: Vec<RouteSpec> = (0..40_usize)
        .map(|at| {
            let times = if at % 10 == 9 { 70 } else { 10 + at / 2 };
            let text =
                format!("FROM /messages WHERE length(a{}) > {at} INTO $upstream", " || a".repeat(times));
            RouteSpec::new(format!("r{at}"), text)
        })
        .collect();
    let router = compile(&specs);
    let (mut indexed, mut walked) = (Matches::new(), Matches::new());
    router.route(&message, &mut indexed);
    router.route_naively(&message, &mut walked);
    let expected: Vec<usize> = (0..40)
        .filter(|at| {
            let alone = compile(&specs[*at..=*at]);
            let mut matches = Matches::new();
            alone.route(&message, &mut matches);
            !matches.is_empty()
        })
        .collect();
    assert_eq!(indexed.routes(), expected);
    assert_eq!(walked.routes(), expected);
    assert!(expected.len() > 20 && expected.len() < 37, "{expected:?}");
}

#[test]
fn a_large_message_leaves_nothing_behind() {
    let _guard = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let router = compile(&[
        RouteSpec::new("a", "FROM /* WHERE $body.a = 'x' INTO $upstream"),
        RouteSpec::new("b", "FROM /* WHERE $body.b.* = 'x' INTO $upstream"),
    ]);
    let small = Sample::new("/messages").with_json(r#"{"a": "x"}"#);
    let wide: Vec<u8> = format!("{{{}\"a\": \"\\u0078\"}}", "\"a\": 0, \"b\": [0], ".repeat(12_000))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let large =
        Sample::new("/messages").with_json(wide).with_system_property("contentEncoding", Some("utf-16"));
    let region = Region::new(COUNTED);
    let mut matches = Matches::new();
    for message in [&small, &large, &small, &large] {
        router.route(message, &mut matches);
        assert_eq!(matches.routes(), [0]);
    }
    let change = region.change();
    let kept = change.bytes_allocated - change.bytes_deallocated;
    assert!(change.bytes_allocated > 1_000_000 && kept < 36 * 1024, "{change:?}");
}

#[test]
fn diagnostics_of_a_large_text_take_little() {
    let _guard = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = format!("FROM /messages/* WHERE {} INTO $upstream", vec!["a = 3"; 2700].join(" OR "));
    let region = Region::new(COUNTED);
    let errors =
        Router::compile(&[RouteSpec::new("r", text)], &CompileOptions::new()).expect_err("text is no number");
    let change = region.change();
    assert_eq!(errors.len(), MAX_DIAGNOSTICS + 1);
    let last = errors.iter().next_back().expect("the last");
    assert_eq!(last.code(), Code::MoreDiagnostics);
    assert!(last.message().starts_with("2600 more"), "{last}");
    let place = last.location().expect("a place");
    assert_eq!((place.line, place.column), (1, 24 + 100 * 9 + 2));
    assert!(errors.to_string().lines().all(|line| line.chars().count() < 240));
    assert!(change.bytes_allocated < 16 * MIB, "{change:?}");
}
