//! What routing allocates: nothing per message, and little per route.

use std::alloc::System;
use std::sync::{Mutex, PoisonError};

use edge_routing::{CompileOptions, Matches, RouteSpec, Router, Sample};
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
