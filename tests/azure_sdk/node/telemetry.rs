//! What devices send.

use super::*;

const COUNT: usize = 1000;

fn arrives(number: u8, transport: &str) {
    let site = site(number, DOORS);
    let gateway = site.start(443);
    let mut device = connected(&site, "device1", transport);
    ask(&mut device, "sent", &json!({ "do": "send", "body": "{\"t\":21.5}" }));
    ask(&mut device, "sent", &json!({ "do": "large", "bytes": 255 << 10 }));
    let arrived = site.wait_for_upstream(2);
    let line = &arrived[0];
    let system = &line["systemProperties"];
    assert_eq!(line["body"], json!({ "t": 21.5 }), "{line}");
    assert_eq!(line["properties"], json!({ "line": "7/8+9 %&=", "empty": "" }), "{line}");
    assert_eq!(system["messageId"], "7f0ac2f4-3a5c-4a0e-9d5b-0f1e2d3c4b5a", "{line}");
    assert_eq!(system["cid"], "c/1", "{line}");
    assert_eq!(system["contentType"], "application/json", "{line}");
    assert_eq!(system["contentEncoding"], "utf-8", "{line}");
    assert_eq!(system["connectionDeviceId"], "device1", "{line}");
    assert_eq!(arrived[1]["bodyText"].as_str().map(str::len), Some(255 << 10));
    let mut expected = 2;
    if transport == "http" {
        ask(&mut device, "sent", &json!({ "do": "batch", "bodies": ["{\"b\":1}", "{\"b\":2}"] }));
        expected += 2;
        let arrived = site.wait_for_upstream(expected);
        for (line, b) in arrived.iter().skip(2).zip([1, 2]) {
            // The SDK leaves the system properties of a batch out.
            let body = format!("{{\"b\":{b}}}");
            assert_eq!((&line["bodyText"], &line["properties"]["line"]), (&json!(body), &json!("7/8+9 %&=")));
        }
    }
    ask(&mut device, "sent", &json!({ "do": "in_a_row", "messages": COUNT }));
    ask(&mut device, "sent", &json!({ "do": "at_once", "messages": COUNT }));
    ask(&mut device, "closed", &json!({ "do": "close" }));
    finish(device);
    let arrived = site.wait_for_upstream(expected + 2 * COUNT);
    stop(gateway);
    let mut numbers: Vec<u64> = arrived.iter().filter_map(|line| line["body"]["n"].as_u64()).collect();
    assert!(numbers[..COUNT].is_sorted(), "one after another means in order");
    numbers.sort_unstable();
    assert_eq!(
        numbers,
        (0..2 * COUNT as u64).collect::<Vec<_>>(),
        "no message is lost, and none comes twice"
    );
}

#[test]
fn over_mqtt() {
    arrives(1, "mqtt");
}

#[test]
fn over_mqtt_in_websockets() {
    arrives(2, "mqtt-ws");
}

#[test]
fn over_amqp() {
    arrives(3, "amqp");
}

#[test]
fn over_amqp_in_websockets() {
    arrives(4, "amqp-ws");
}

#[test]
fn over_http() {
    arrives(5, "http");
}
