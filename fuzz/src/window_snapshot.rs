//! Kept windows that are damaged or made up, with a sum that is right.

use edge_core::{Message, Source, SystemKey, Timestamp};
use edge_stream::{Stream, WindowSpec};

/// Windows of each kind, which the first byte of the input chooses among.
const KINDS: [&str; 3] = [
    r#"{"type":"hopping","size":"20s","hop":"10s"}"#,
    r#"{"type":"session","gap":"5s","max":"1m"}"#,
    r#"{"type":"sliding","size":"10s"}"#,
];

/// Makes a snapshot of the input, after its first byte, goes on from it, and checks that the windows are kept the same.
///
/// # Panics
/// Panics when something does not hold.
pub fn window_snapshot(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let kind = KINDS.get(usize::from(kind % 3)).copied().unwrap_or_default();
    let spec = format!(
        r#"{{"name":"w","window":{kind},"time":"$body.t","time_unit":"s","lateness":"5s",
            "limits":{{"max_keys":3,"max_values":8,"max_total_values":20}},
            "values":{{"d":"stddev($body.v)","m":"max($body.v)","p":"percentile($body.v, 50)","n":"count($body.w)"}}}}"#
    );
    let spec: WindowSpec = serde_json::from_str(&spec).expect("it is a declaration");
    let definition = spec.check().expect("it is sound");
    // The head must be right, or nothing behind it is looked at.
    let head = Stream::new(definition.clone()).snapshot();
    let head = head.get(..16).unwrap_or_default();
    let mut snapshot = [head, data].concat();
    let sum = crc32fast::hash(&snapshot);
    snapshot.extend_from_slice(&sum.to_le_bytes());
    let Ok(mut stream) = Stream::restore(definition.clone(), &snapshot) else { return };
    for n in 0..40u64 {
        let time = if n % 5 == 0 { n / 2 } else { n };
        let body = format!(r#"{{"t":{time},"v":{}.5}}"#, n % 7);
        let message = Message::builder(&Source::telemetry())
            .system(SystemKey::ConnectionDeviceId, ["a", "b", "c", "d", "e"][(n % 5) as usize])
            .body(body.as_bytes())
            .build();
        let now = Timestamp::from_unix_ms(1000 * n);
        let results = stream.message(&message, now, now).expect("it is an event");
        for result in results {
            assert!(serde_json::from_str::<serde_json::Value>(&result.to_json()).is_ok());
        }
        assert!(stream.held().0 <= 3);
    }
    stream.tick(Timestamp::from_unix_ms(10_000_000));
    let kept = stream.snapshot();
    let again = Stream::restore(definition, &kept).expect("what is kept can be read");
    assert_eq!(again.snapshot(), kept);
}
