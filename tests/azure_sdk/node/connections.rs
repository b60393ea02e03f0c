//! Who gets in, for how long, and what happens when a connection ends.

use std::net::SocketAddr;

use edge_e2e::proxy::Proxy;

use super::*;

#[test]
fn a_wrong_key_is_refused_on_every_transport() {
    let site = site(11, DOORS);
    let gateway = site.start(443);
    for transport in ["mqtt", "mqtt-ws", "amqp", "amqp-ws", "http"] {
        for (right, wrong) in
            [("SharedAccessKey=", "SharedAccessKey=AAAA"), ("DeviceId=device1", "DeviceId=nobody")]
        {
            let mut device = client(&site, "device1", transport);
            let string = string(&site, "device1").replace(right, wrong);
            device.tell(&json!({ "do": "connect", "connection_string": string }).to_string());
            let mut heard = device.hear();
            if transport == "http" {
                // It connects with its first message.
                assert_eq!(heard["say"], "connected");
                heard = ask(&mut device, "failed", &json!({ "do": "send", "body": "x" }));
            }
            assert_eq!((&heard["say"], &heard["error"]), (&json!("failed"), &json!("UnauthorizedError")));
        }
    }
    assert_eq!(site.upstream().len(), 0, "who is refused sends nothing");
    stop(gateway);
}

fn lasts_by_newer_tokens(number: u8, transport: &str) {
    let site = site(number, DOORS);
    let gateway = site.start(443);
    let mut device = client(&site, "device1", transport);
    ask(&mut device, "connected", &json!({ "do": "connect", "renew": 2 }));
    for _ in 0..3 {
        device.skip_to("renewed");
    }
    device.tell(&json!({ "do": "send", "body": "{}" }).to_string());
    loop {
        match device.hear()["say"].as_str() {
            Some("renewed") => {}
            Some("sent") => break,
            other => panic!("the connection did not last: {other:?}"),
        }
    }
    assert_eq!(site.wait_for_upstream(1).len(), 1);
    finish(device);
    stop(gateway);
}

#[test]
fn a_newer_token_is_put_on_the_live_connection() {
    lasts_by_newer_tokens(12, "amqp");
}

#[test]
fn a_newer_token_is_put_on_the_live_websocket() {
    lasts_by_newer_tokens(19, "amqp-ws");
}

#[test]
fn amqp_and_mqtt_take_each_other_over() {
    let site = site(13, DOORS);
    let gateway = site.start(443);
    for (older, newer) in [("amqp", "mqtt"), ("mqtt", "amqp"), ("amqp-ws", "mqtt-ws"), ("mqtt-ws", "amqp")] {
        let first = connected(&site, "device1", older);
        let mut second = connected(&site, "device1", newer);
        first.skip_to("disconnected");
        ask(&mut second, "sent", &json!({ "do": "send", "body": "{}" }));
        finish(first);
        finish(second);
    }
    stop(gateway);
}

/// Sends in a row while the connection is cut again and again. `door` is the gateway's, behind a proxy at `port`.
fn loses_nothing_when_cut(number: u8, transport: &str, door: &str, port: u16) {
    let behind = port + 10_000;
    let site = site(number, &format!("{door} = \"IP:{behind}\""));
    let gateway = site.start(behind);
    let proxy = Proxy::start(SocketAddr::from((site.ip, port)), SocketAddr::from((site.ip, behind)));
    let mut device = client(&site, "device1", transport);
    ask(&mut device, "connected", &json!({ "do": "connect", "retry": true }));
    for count in [200, 400, 600] {
        let told = json!({ "do": "go_on", "until": count }).to_string();
        device.tell(&told);
        proxy.cut();
        loop {
            match device.hear()["say"].as_str() {
                Some("sent") => break,
                // A request of HTTP that was cut off is the application's to send again.
                Some("failed") if transport == "http" => device.tell(&told),
                Some("failed") => panic!("{transport} gave up"),
                _ => {}
            }
        }
    }
    finish(device);
    assert!(proxy.accepted() >= 3, "each cut made the device connect again");
    let arrived = site.wait_for_upstream(600);
    let mut numbers: Vec<u64> = arrived.iter().filter_map(|line| line["body"]["n"].as_u64()).collect();
    numbers.dedup();
    assert_eq!(numbers, (0..600).collect::<Vec<_>>(), "nothing is missing, and the order is kept");
    stop(gateway);
}

#[test]
fn cut_connections_of_amqp_lose_nothing() {
    loses_nothing_when_cut(14, "amqp", "amqp", 5671);
}

#[test]
fn cut_connections_of_amqp_in_websockets_lose_nothing() {
    loses_nothing_when_cut(15, "amqp-ws", "https", 443);
}

#[test]
fn cut_connections_of_mqtt_lose_nothing() {
    loses_nothing_when_cut(16, "mqtt", "mqtt", 8883);
}

#[test]
fn cut_connections_of_mqtt_in_websockets_lose_nothing() {
    loses_nothing_when_cut(17, "mqtt-ws", "https", 443);
}

#[test]
fn cut_connections_of_http_lose_nothing() {
    loses_nothing_when_cut(18, "http", "https", 443);
}
