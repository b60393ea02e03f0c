//! Direct methods.

use super::*;

fn methods_are_answered(number: u8, name: &'static str, websockets: bool) {
    let mut bench = Bench::start(number, name, websockets);
    bench.listen(&["methods"]);
    let large = "y".repeat(100_000);
    for payload in
        [json!({ "a": [1, null, "ü"] }), json!(null), json!("text"), json!(7), json!({ "large": large })]
    {
        let result = bench.service("result", json!({ "do": "method", "name": "plain", "payload": payload }));
        assert_eq!(bench.client.skip_to("method")["name"], "plain");
        assert_eq!(result["status"], 200);
        // The service SDK turns no payload into an empty text.
        let expected = if payload.is_null() { json!("") } else { payload };
        assert_eq!(result["payload"], json!({ "asked": expected }));
    }
    for (method, status, payload) in [
        ("empty", 200, json!(null)),
        ("large", 200, json!("x".repeat(100_000))),
        ("list", 200, json!([1, [2, { "three": null }]])),
        ("failing", -417, json!({ "asked": 1 })),
    ] {
        let result = bench.service("result", json!({ "do": "method", "name": method, "payload": 1 }));
        assert_eq!((&result["status"], &result["payload"]), (&json!(status), &payload), "{method}");
    }
    bench.finish();
}

#[test]
fn of_a_device() {
    methods_are_answered(11, "sensor1", false);
}

#[test]
fn of_a_device_over_websocket() {
    methods_are_answered(12, "sensor1", true);
}

#[test]
fn of_a_module() {
    methods_are_answered(13, "edge1/filter", false);
}

#[test]
fn of_a_module_over_websocket() {
    methods_are_answered(14, "edge1/filter", true);
}

#[test]
fn without_an_answer_the_caller_hears_of_it() {
    let mut bench = Bench::start(15, "sensor1", false);
    let told = json!({ "do": "method", "name": "plain", "payload": {} });
    assert_eq!(bench.service("failed", told.clone())["status"], 404, "nobody listens");
    bench.listen(&["methods"]);
    let silent = json!({ "do": "method", "name": "silent", "payload": {}, "response_timeout": 5 });
    // The service SDK tries again after 504.
    assert_eq!(bench.service("failed", silent)["status"], 504);
    bench.leave();
    assert_eq!(bench.service("failed", told)["status"], 404, "nobody is there");
    bench.come_back();
    bench.client.skip_to("connected");
    bench = bench.restart(false);
    let patient = json!({ "do": "method", "name": "plain", "payload": {}, "connect_timeout": 30 });
    assert_eq!(bench.service("result", patient)["status"], 200, "subscriptions are kept");
    bench.finish();
}
