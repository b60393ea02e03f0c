//! What a message costs that goes through windows: read, counted, and now and then a result.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use edge_core::{Message, Source, SystemKey, Timestamp};
use edge_stream::{Stream, WindowSpec};

/// How many messages a turn has: ten of each of a hundred devices.
const MESSAGES: u64 = 1000;

fn message(number: u64) -> Message {
    let body = format!(
        r#"{{"machine":{{"temperature":{}.5,"pressure":1.25}},"ambient":{{"temperature":21,"humidity":26}},"n":{number}}}"#,
        number % 40
    );
    Message::builder(&Source::telemetry())
        .system(SystemKey::ConnectionDeviceId, &format!("device{}", number % 100))
        .body(body.as_bytes())
        .build()
}

fn windows(criterion: &mut Criterion) {
    let messages: Vec<Message> = (0..MESSAGES).map(message).collect();
    let mut group = criterion.benchmark_group("windows");
    group.throughput(Throughput::Elements(MESSAGES));
    for (name, window, values) in [
        ("tumbling avg", r#"{"type":"tumbling","size":"10s"}"#, r#"{"a":"avg($body.machine.temperature)"}"#),
        (
            "tumbling avg min max stddev p99",
            r#"{"type":"tumbling","size":"10s"}"#,
            r#"{"a":"avg($body.machine.temperature)","b":"min($body.machine.temperature)",
                "c":"max($body.machine.temperature)","d":"stddev($body.machine.temperature)",
                "e":"percentile($body.machine.temperature, 99)"}"#,
        ),
        (
            "hopping 60 avg",
            r#"{"type":"hopping","size":"60s","hop":"1s"}"#,
            r#"{"a":"avg($body.machine.temperature)"}"#,
        ),
        ("sliding avg", r#"{"type":"sliding","size":"10s"}"#, r#"{"a":"avg($body.machine.temperature)"}"#),
        ("session count", r#"{"type":"session","gap":"5s"}"#, r#"{"a":"count()"}"#),
    ] {
        let spec = format!(r#"{{"name":"w","window":{window},"values":{values}}}"#);
        let spec: WindowSpec = serde_json::from_str(&spec).expect("it is a declaration");
        let definition = spec.check().expect("it is sound");
        group.bench_function(name, |bencher| {
            let mut stream = Stream::new(definition.clone());
            let mut now = 0;
            bencher.iter(|| {
                let mut results = 0;
                for message in &messages {
                    // A message of each device ten times a second.
                    now += 1;
                    let at = Timestamp::from_unix_ms(now);
                    results += stream.message(message, at, at).expect("it is an event").len();
                }
                results
            });
        });
    }
    group.finish();
}

criterion_group!(benches, windows);
criterion_main!(benches);
