//! `as_number(temperature) > 30 AND $body.machine.status = 'warning'` by several engines, from the same message to the
//! same answer: a property as text, a body of 256 bytes, and the content type and encoding that say it is JSON.
//!
//! Every engine is given what its user would prepare once: compiled programs, and for cel an environment. Each does
//! the whole work, from the text of the property and the bytes of the body: vrl by its own `to_float` and
//! `parse_json`; cel, which has nothing to parse JSON with, is given a body parsed by `serde_json`. A second row for
//! vrl spares its program both: it is given the number, and a body parsed by `serde_json` into vrl's own values. At
//! the end ratios are printed that were measured in turns, so that other programs on the machine slow both sides.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, criterion_group};
use edge_routing::{CompileOptions, Fields, Matches, RouteSpec, Router, Sample};
use sonic_rs::JsonValueTrait as _;
use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Context, TargetValue, TimeZone};
use vrl::value::{KeyString, ObjectMap, Secrets, Value};

const ROUTE: &str =
    "FROM /messages/* WHERE as_number(temperature) > 30 AND $body.machine.status = 'warning' INTO $upstream";
const VRL: &str = r#"
if .contentType == "application/json" && .contentEncoding == "utf-8" && (to_float(.temperature) ?? 0.0) > 30.0 {
    body = parse_json(.body) ?? {}
    body.machine.status == "warning"
} else {
    false
}
"#;
const VRL_SPARED: &str = r#".contentType == "application/json" && .contentEncoding == "utf-8" && ((.temperature > 30.0) ?? false) && .body.machine.status == "warning""#;
const CEL: &str = "contentType == 'application/json' && contentEncoding == 'utf-8' \
    && double(temperature) > 30.0 && body.machine.status == 'warning'";

fn message() -> Sample {
    let mut text = String::from(
        r#"{"id": 17, "ambient": {"temperature": 21.3, "humidity": 24}, "machine": {"status": "warning"}, "pad": ""#,
    );
    while text.len() < 254 {
        text.push('x');
    }
    Sample::new("/messages").with_property("temperature", Some("31.5")).with_json(text + "\"}")
}

fn temperature(message: &Sample) -> f64 {
    message.property("temperature").flatten().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

type Engine = (&'static str, Box<dyn FnMut(&Sample) -> bool>);

/// The engines, ours first and the closure second.
fn engines() -> [Engine; 5] {
    let router =
        Router::compile(&[RouteSpec::new("r", ROUTE)], &CompileOptions::new()).expect("compiles").router;
    let mut matches = Matches::new();
    let ours = move |message: &Sample| {
        router.route(message, &mut matches);
        !matches.is_empty()
    };

    let closure = |message: &Sample| {
        let status = || sonic_rs::get(message.body(), &["machine", "status"]);
        temperature(message) > 30.0 && status().is_ok_and(|value| value.as_str() == Some("warning"))
    };

    let mut program = vrl_program(VRL);
    let vrl = move |message: &Sample| {
        let body = Value::Bytes(message.body().to_vec().into());
        program(message, text(message.property("temperature").flatten()), body)
    };

    let mut program = vrl_program(VRL_SPARED);
    let vrl_spared = move |message: &Sample| {
        let Ok(body) = serde_json::from_slice::<Value>(message.body()) else { return false };
        program(message, Value::from_f64_or_zero(temperature(message)), body)
    };

    let (environment, program) =
        (Arc::new(cel::Env::stdlib()), cel::Program::compile(CEL).expect("compiles"));
    let cel = move |message: &Sample| {
        let Ok(body) = serde_json::from_slice::<serde_json::Value>(message.body()) else { return false };
        let mut context = cel::Context::with_env(Arc::clone(&environment));
        let added = [
            context.add_variable("body", body),
            context.add_variable("temperature", message.property("temperature").flatten().unwrap_or_default()),
            context.add_variable("contentType", message.content_type().unwrap_or_default()),
            context.add_variable("contentEncoding", message.content_encoding().unwrap_or_default()),
        ];
        added.iter().all(Result::is_ok) && matches!(program.execute(&context), Ok(cel::Value::Bool(true)))
    };

    [
        ("edge-routing", Box::new(ours)),
        ("closure over a lazy scan", Box::new(closure)),
        ("vrl", Box::new(vrl)),
        ("vrl, spared the parsing", Box::new(vrl_spared)),
        ("cel", Box::new(cel)),
    ]
}

fn text(value: Option<&str>) -> Value {
    Value::from(value.unwrap_or_default())
}

/// Returns what runs a program of vrl on a message whose temperature and body were made by its caller.
fn vrl_program(source: &str) -> impl FnMut(&Sample, Value, Value) -> bool + use<> {
    let functions = vrl::stdlib::all();
    let program = vrl::compiler::compile(source, &functions).expect("compiles").program;
    let (timezone, mut state) = (TimeZone::default(), RuntimeState::default());
    move |message: &Sample, temperature: Value, body: Value| {
        let members: [(KeyString, Value); 4] = [
            ("temperature".into(), temperature),
            ("contentType".into(), text(message.content_type())),
            ("contentEncoding".into(), text(message.content_encoding())),
            ("body".into(), body),
        ];
        let mut target = TargetValue {
            value: Value::Object(members.into_iter().collect()),
            metadata: Value::Object(ObjectMap::default()),
            secrets: Secrets::default(),
        };
        program.resolve(&mut Context::new(&mut target, &mut state, &timezone)).ok()
            == Some(Value::Boolean(true))
    }
}

fn condition(c: &mut Criterion) {
    let mut group = c.benchmark_group("condition_from_bytes");
    let message = message();
    for (name, mut engine) in engines() {
        assert!(engine(&message), "{name} must find the message");
        assert!(
            !engine(&message.clone().with_property("temperature", Some("29"))),
            "{name} must not find a cold one"
        );
        group.bench_function(name, |b| b.iter(|| engine(black_box(&message))));
    }
    group.finish();
}

/// Medians of what each engine costs, and of its ratio to ours, measured in turns.
fn ratios() {
    const ROUNDS: usize = 301;
    let message = message();
    let [(_, mut ours), peers @ ..] = engines();
    let measure = |engine: &mut dyn FnMut(&Sample) -> bool, times: u32| {
        let start = Instant::now();
        for _ in 0..times {
            black_box(engine(black_box(&message)));
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(times)
    };
    for (name, mut engine) in peers {
        let mut rounds: Vec<[f64; 3]> = (0..ROUNDS)
            .map(|_| {
                let (own, other) = (measure(&mut *ours, 400), measure(&mut *engine, 100));
                [own, other, other / own]
            })
            .collect();
        let mut median = |at: usize| {
            rounds.sort_by(|a, b| a[at].total_cmp(&b[at]));
            rounds[ROUNDS / 2][at]
        };
        let (own, other, ratio) = (median(0), median(1), median(2));
        println!("edge-routing {own:.0} ns, {name} {other:.0} ns, ratio {ratio:.2}");
    }
}

criterion_group!(benches, condition);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    ratios();
}
