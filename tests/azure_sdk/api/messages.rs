//! Messages to devices.

use super::*;

fn message(n: u64) -> Value {
    json!({
        "do": "send",
        "body": format!("message {n}"),
        "properties": {
            "messageId": format!("m/{n}"), "correlationId": "c&1=", "userId": "me", "contentType": "text/plain",
            "contentEncoding": "utf-8", "a-b": "c/d+e&f=", "n": n.to_string(),
        },
    })
}

fn check(heard: &Value, n: u64) {
    assert_eq!(heard["body"], format!("message {n}"));
    let system = &heard["system"];
    assert_eq!(system["message_id"], format!("m/{n}"));
    assert_eq!(system["correlation_id"], "c&1=");
    assert_eq!(system["content_type"], "text/plain");
    assert_eq!(system["content_encoding"], "utf-8");
    assert_eq!(heard["properties"]["a-b"], "c/d+e&f=");
    assert_eq!(heard["properties"]["n"], n.to_string());
}

fn number_of(heard: &Value) -> Option<u64> {
    heard["properties"]["n"].as_str()?.parse().ok()
}

fn messages_wait_for_the_device(number: u8, websockets: bool) {
    let mut bench = Bench::start(number, "sensor1", websockets);
    bench.listen(&["messages"]);
    bench.service("sent", message(0));
    check(&bench.client.skip_to("message"), 0);
    bench.leave();
    for n in 1..=20 {
        bench.service("sent", message(n));
    }
    bench = bench.restart(false);
    for n in 21..=30 {
        bench.service("sent", message(n));
    }
    bench.come_back();
    // The SDK hands messages to the application from several threads, so their order is not to be seen here.
    let mut heard: Vec<_> = (1..=30).map(|_| bench.client.skip_to("message")).collect();
    heard.sort_by_key(number_of);
    for (n, heard) in (1..).zip(&heard) {
        check(heard, n);
    }
    // Settled is settled: nothing comes again.
    bench.client("sent", &json!({ "do": "send", "body": "all seen" }));
    bench.leave();
    bench.service("sent", message(31));
    bench.come_back();
    check(&bench.client.skip_to("message"), 31);
    bench.finish();
}

#[test]
fn every_one_once() {
    messages_wait_for_the_device(21, false);
}

#[test]
fn every_one_once_over_websocket() {
    messages_wait_for_the_device(22, true);
}
