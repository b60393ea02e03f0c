//! `as_number(temperature) > 30 AND $body.machine.status = 'warning'` by several engines, from the bytes of a message:
//! a property as text, and a body of 256 bytes.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use edge_routing::{CompileOptions, Matches, RouteSpec, Router, Sample};
use sonic_rs::JsonValueTrait as _;
use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Context, TargetValue, TimeZone};
use vrl::value::{Secrets, Value};

const TEMPERATURE: &str = "31.5";

fn body() -> String {
    let mut text = String::from(
        r#"{"id": 17, "ambient": {"temperature": 21.3, "humidity": 24}, "machine": {"status": "warning"}, "pad": ""#,
    );
    while text.len() < 254 {
        text.push('x');
    }
    text + "\"}"
}

fn engines(c: &mut Criterion) {
    let mut group = c.benchmark_group("condition_from_bytes");
    let bytes = body().into_bytes();

    let text = "FROM /messages/* WHERE as_number(temperature) > 30 AND $body.machine.status = 'warning' INTO $upstream";
    let router = Router::compile(&[RouteSpec::new("r", text)], &CompileOptions::new()).expect("compiles").router;
    let message = Sample::new("/messages").with_property("temperature", Some(TEMPERATURE)).with_json(bytes.clone());
    let mut matches = Matches::new();
    group.bench_function("edge-routing", |b| {
        b.iter(|| {
            router.route(black_box(&message), &mut matches);
            assert!(!matches.is_empty());
        });
    });

    group.bench_function("closure over a lazy scan", |b| {
        b.iter(|| {
            let hot = black_box(TEMPERATURE).parse::<f64>().is_ok_and(|value| value > 30.0);
            let status = sonic_rs::get(black_box(&bytes[..]), &["machine", "status"]);
            assert!(hot && status.is_ok_and(|value| value.as_str() == Some("warning")));
        });
    });

    let program = vrl::compiler::compile(
        r#"((.temperature > 30.0) ?? false) && .body.machine.status == "warning""#,
        &[],
    )
    .expect("compiles")
    .program;
    let timezone = TimeZone::default();
    group.bench_function("vrl", |b| {
        b.iter(|| {
            let body: Value = serde_json::from_slice(black_box(&bytes)).expect("JSON");
            let temperature = Value::from_f64_or_zero(black_box(TEMPERATURE).parse().expect("a number"));
            let members = [("temperature".into(), temperature), ("body".into(), body)];
            let mut target = TargetValue {
                value: Value::Object(members.into_iter().collect()),
                metadata: Value::Object(Default::default()),
                secrets: Secrets::default(),
            };
            let mut state = RuntimeState::default();
            let result = program.resolve(&mut Context::new(&mut target, &mut state, &timezone));
            assert_eq!(result.ok(), Some(Value::Boolean(true)));
        });
    });

    let program = cel::Program::compile("temperature > 30.0 && body.machine.status == 'warning'").expect("compiles");
    group.bench_function("cel", |b| {
        b.iter(|| {
            let body: serde_json::Value = serde_json::from_slice(black_box(&bytes)).expect("JSON");
            let mut context = cel::Context::default();
            context.add_variable("body", body).expect("a value");
            let temperature: f64 = black_box(TEMPERATURE).parse().expect("a number");
            context.add_variable("temperature", temperature).expect("a value");
            assert!(matches!(program.execute(&context), Ok(cel::Value::Bool(true))));
        });
    });
    group.finish();
}

criterion_group!(benches, engines);
criterion_main!(benches);
