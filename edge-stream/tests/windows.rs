//! What windows promise, case by case.

use edge_core::{Message, Report, Source, SystemKey, Timestamp};
use edge_stream::{ClosedBy, EventError, SnapshotError, Stream, WindowResult, WindowSpec};

fn spec(text: &str) -> WindowSpec {
    serde_json::from_str(text).unwrap()
}

fn stream(text: &str) -> Stream {
    Stream::new(spec(text).check().unwrap_or_else(|mistakes| panic!("{mistakes}")))
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

fn send(stream: &mut Stream, device: &str, ms: u64, body: &str) -> Result<Vec<WindowResult>, EventError> {
    let message = Message::builder(&Source::telemetry())
        .system(SystemKey::ConnectionDeviceId, device)
        .body(body.as_bytes())
        .build();
    stream.message(&message, at(ms), at(ms))
}

const TUMBLING: &str = r#"{"name":"w","window":{"type":"tumbling","size":"10s"},
    "values":{"mean":"avg($body.t)","total":"sum($body.t)"}}"#;

/// The declaration above with more in it.
fn with(more: &str) -> String {
    TUMBLING.replace("\"values\"", &format!("{more},\"values\""))
}

#[test]
fn a_result_is_json_with_its_place() {
    let mut stream = stream(TUMBLING);
    send(&mut stream, "d\"1", 1000, r#"{"t":20.5}"#).unwrap();
    let results = send(&mut stream, "d\"1", 10_000, r#"{"t":1}"#).unwrap();
    let json: serde_json::Value = serde_json::from_str(&results[0].to_json()).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "window": "w", "key": "d\"1", "start": "1970-01-01T00:00:00.000Z", "end": "1970-01-01T00:00:10.000Z",
            "events": 1, "closed_by": "time", "values": {"mean": 20.5, "total": 20.5}
        })
    );
}

#[test]
fn a_sum_beyond_the_range_is_null_and_the_mean_is_not() {
    let mut stream = stream(TUMBLING);
    for body in [r#"{"t":1.7e308}"#, r#"{"t":1.7e308}"#] {
        send(&mut stream, "d", 0, body).unwrap();
    }
    let results = send(&mut stream, "d", 10_000, r#"{"t":1}"#).unwrap();
    assert_eq!(results[0].values, [("mean".into(), Some(1.7e308)), ("total".into(), None)]);
}

#[test]
fn what_cannot_be_read_says_why() {
    let mut stream = stream(TUMBLING);
    let mut check = |body: &str, expected: &str| {
        let error = send(&mut stream, "d", 0, body).unwrap_err();
        assert_eq!(Report(&error).to_string(), expected, "{body}");
    };
    check("x", "a field is in the body, which cannot be read: the body is not JSON at line 1, column 1");
    check(r#"{"t":"20"}"#, "`$body.t` is a text, where a finite number is wanted");
    check(r#"{"t":1e999}"#, "`$body.t` is infinite or not a number, where a finite number is wanted");
    check(r#"{"t":true}"#, "`$body.t` is a truth value, where a finite number is wanted");
    check(r#"{"t":[1]}"#, "`$body.t` is an object or array, where a finite number is wanted");
    check("{}", "none of the fields has a value: $body.t");
    assert_eq!((stream.counts().errors, stream.counts().events), (6, 0));
}

#[test]
fn not_a_number_in_a_property_is_an_error() {
    let mut stream =
        stream(r#"{"name":"w","window":{"type":"sliding","size":"1s"},"values":{"a":"max(t)"}}"#);
    for text in ["NaN", "inf", "-inf", "x", ""] {
        let message = Message::builder(&Source::telemetry())
            .system(SystemKey::ConnectionDeviceId, "d")
            .property("t", text)
            .build();
        assert!(stream.message(&message, at(0), at(0)).is_err(), "{text}");
    }
}

#[test]
fn a_time_far_ahead_does_not_close_windows() {
    let mut stream = stream(&with(r#""time":"$body.at""#));
    send(&mut stream, "d", 1000, r#"{"t":1,"at":1000}"#).unwrap();
    let error = send(&mut stream, "d", 1000, r#"{"t":1,"at":4000000000}"#).unwrap_err();
    assert_eq!(error, EventError::Ahead { ahead_ms: 3_999_999_000 });
    assert_eq!(send(&mut stream, "d", 1000, r#"{"t":3,"at":"1970-01-01T00:00:02Z"}"#).unwrap(), []);
    for at in ["null", "\"soon\"", "-1", "1e300", "[]"] {
        let body = format!(r#"{{"t":1,"at":{at}}}"#);
        assert!(matches!(send(&mut stream, "d", 1000, &body), Err(EventError::Time { .. })), "{at}");
    }
}

#[test]
fn keys_do_not_make_each_other_late() {
    let mut stream = stream(&with(r#""time":"$body.at""#));
    send(&mut stream, "a", 3_000_000, r#"{"t":1,"at":3000000}"#).unwrap();
    for second in 0..12 {
        send(&mut stream, "b", 3_000_000, &format!(r#"{{"t":1,"at":{}}}"#, 1000 * second)).unwrap();
    }
    assert_eq!((stream.counts().late, stream.counts().results), (0, 1));
}

#[test]
fn silence_closes_windows_once() {
    let mut stream = stream(&with(r#""idle":"30s""#));
    send(&mut stream, "d", 1000, r#"{"t":1}"#).unwrap();
    assert_eq!(stream.tick(at(30_999)), []);
    let results = stream.tick(at(31_000));
    assert_eq!((results.len(), results[0].closed_by), (1, ClosedBy::Silence));
    assert_eq!(stream.tick(at(90_000)), []);
    assert_eq!(stream.held(), (0, 0));
    send(&mut stream, "d", 9000, r#"{"t":1}"#).unwrap();
    assert_eq!(stream.counts().late, 1, "the window has closed");
    assert_eq!(stream.held(), (0, 0));
}

#[test]
fn limits_close_windows_early_and_say_so() {
    let mut stream = stream(&with(r#""limits":{"max_keys":2}"#));
    for device in ["a", "b"] {
        assert_eq!(send(&mut stream, device, 0, r#"{"t":1}"#).unwrap(), []);
    }
    let results = send(&mut stream, "c", 0, r#"{"t":1}"#).unwrap();
    assert_eq!((&*results[0].key, results[0].closed_by), ("a", ClosedBy::Limit));
    assert_eq!((stream.counts().evicted, stream.held().0), (1, 2));
    for n in 0..10 {
        send(&mut stream, &format!("d{n}"), 0, r#"{"t":1}"#).unwrap();
    }
    assert_eq!((stream.held().0, stream.counts().evicted, stream.counts().forgotten), (2, 11, 9));
}

#[test]
fn more_values_than_are_kept_leave_percentiles_out() {
    let mut stream = stream(
        r#"{"name":"w","window":{"type":"tumbling","size":"10s"},"limits":{"max_values":5},
            "values":{"n":"count()","p":"percentile($body.t, 50)"}}"#,
    );
    for n in 0..6 {
        send(&mut stream, "d", 0, &format!(r#"{{"t":{n}}}"#)).unwrap();
    }
    let results = send(&mut stream, "d", 10_000, r#"{"t":1}"#).unwrap();
    assert_eq!(results[0].values, [("n".into(), Some(6.0)), ("p".into(), None)]);
    assert!(results[0].to_json().ends_with(r#""limited":["p"]}"#));
}

#[test]
fn values_of_all_keys_are_bounded() {
    let mut stream = stream(
        r#"{"name":"w","window":{"type":"sliding","size":"1h"},"limits":{"max_total_values":100,"max_values":20},
            "values":{"p":"percentile($body.t, 50)"}}"#,
    );
    for n in 0..2000u64 {
        send(&mut stream, &format!("d{}", n % 7), n, &format!(r#"{{"t":{n}}}"#)).unwrap();
        assert!(stream.held().1 <= 100, "{:?}", stream.held());
    }
    assert!(stream.counts().evicted > 0);
}

#[test]
fn all_mistakes_are_found_at_once() {
    let mistakes = spec(
        r#"{"name":"a/b","window":{"type":"hopping","size":"10","hop":"20s","gap":"1s"},"lateness":"soon",
            "late":"keep","on_error":"dead","time_unit":"s","key":"$nobody","limits":{"max_keys":0},
            "values":{"a":"mean($body.t)","b":"percentile($body.t, 101)","c":"avg($body..t)"}}"#,
    )
    .check()
    .unwrap_err();
    let mut keys: Vec<_> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    keys.sort_unstable();
    let expected = [
        "key",
        "late",
        "lateness",
        "limits.max_keys",
        "name",
        "on_error",
        "time_unit",
        "values.a",
        "values.b",
        "values.c",
        "window.gap",
        "window.hop",
        "window.size",
    ];
    assert_eq!(keys, expected, "{mistakes}");
}

#[test]
fn unknown_keys_are_refused() {
    let error = serde_json::from_str::<WindowSpec>(r#"{"name":"w","window":{"type":"sliding"},"vaules":{}}"#);
    assert!(error.unwrap_err().to_string().contains("unknown field `vaules`, expected one of"));
}

#[test]
fn too_many_open_windows_are_refused() {
    let text = r#"{"name":"w","window":{"type":"hopping","size":"1d","hop":"1s"},"values":{"n":"count()"}}"#;
    let mistakes = spec(text).check().unwrap_err();
    assert!(mistakes.to_string().starts_with("window.hop: a key would have 86400"), "{mistakes}");
}

#[test]
fn damaged_snapshots_are_errors() {
    let mut stream = stream(TUMBLING);
    send(&mut stream, "d", 0, r#"{"t":1}"#).unwrap();
    let good = stream.snapshot();
    let definition = spec(TUMBLING).check().unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(Stream::restore(definition.clone(), &bad).is_err(), "byte {at}");
        assert!(Stream::restore(definition.clone(), &good[..at]).is_err(), "cut at {at}");
    }
    let other = spec(&TUMBLING.replace("10s", "20s")).check().unwrap();
    assert_eq!(Stream::restore(other, &good).unwrap_err(), SnapshotError::OtherDefinition);
    let limits = spec(&with(r#""limits":{"max_keys":5}"#)).check().unwrap();
    assert!(Stream::restore(limits, &good).is_ok(), "limits may change");
}
