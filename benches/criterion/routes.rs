//! What it costs to find out where a message goes.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use edge_bench::scenario::payload;
use edge_core::{Message, Source, SystemKey};
use edge_routing::{CompileOptions, Matches, RouteSpec, Router};

fn router(texts: &[String]) -> Router {
    let specs: Vec<RouteSpec> =
        texts.iter().enumerate().map(|(n, text)| RouteSpec::new(format!("r{n}"), text.as_str())).collect();
    Router::compile(&specs, &CompileOptions::new()).expect("the routes of a benchmark are right").router
}

fn message() -> Message {
    Message::builder(&Source::telemetry())
        .body(&payload(256))
        .system(SystemKey::ContentType, "application/json")
        .system(SystemKey::ContentEncoding, "utf-8")
        .property("temperature", "31")
        .property("sensor", "k3")
        .build()
}

/// One route, by what its condition looks at.
fn conditions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("condition");
    let (message, mut matches) = (message(), Matches::new());
    for (name, condition) in [
        ("none", ""),
        ("property", "WHERE as_number(temperature) > 30"),
        ("body", "WHERE $body.temperature > 20 AND $body.machine.status = 'ok'"),
    ] {
        let router = router(&[format!("FROM /messages/* {condition} INTO $upstream")]);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                router.route(black_box(&message), &mut matches);
                matches.deliveries().len()
            });
        });
    }
}

/// Sets of routes, of which one matches.
fn sets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("set");
    let (message, mut matches) = (message(), Matches::new());
    for size in [10, 100, 1_000] {
        let route = |number| format!("FROM /messages/* WHERE sensor = 'k{number}' INTO $upstream");
        let router = router(&(0..size).map(route).collect::<Vec<_>>());
        group.bench_with_input(BenchmarkId::from_parameter(size), &router, |bencher, router| {
            bencher.iter(|| {
                router.route(black_box(&message), &mut matches);
                matches.deliveries().len()
            });
        });
    }
}

criterion_group!(routes, conditions, sets);
criterion_main!(routes);
