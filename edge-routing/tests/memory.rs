//! What routing allocates: nothing per message, and little per route.

use std::alloc::System;
use std::sync::{Mutex, PoisonError};

use edge_routing::{Code, Comparison, CompileOptions, MAX_ROUTES, Matches, RouteSpec, Router, Sample};
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
