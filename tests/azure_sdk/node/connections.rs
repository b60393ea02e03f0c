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

#[test]
fn a_newer_token_is_put_on_the_live_connection() {
    let site = site(12, DOORS);
    let gateway = site.start(443);
    let mut device = client(&site, "device1", "amqp");
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

#[test]
fn cut_connections_of_amqp_lose_nothing() {
    let site = site(14, "https = \"IP:443\"\namqp = \"IP:15671\"");
    let gateway = site.start(15671);
    let proxy = Proxy::start(SocketAddr::from((site.ip, 5671)), SocketAddr::from((site.ip, 15671)));
    let mut device = client(&site, "device1", "amqp");
    ask(&mut device, "connected", &json!({ "do": "connect", "retry": true }));
    for _ in 0..3 {
        device.tell(&json!({ "do": "in_a_row", "messages": 200 }).to_string());
        proxy.cut();
        device.skip_to("sent");
    }
    finish(device);
    assert!(proxy.accepted() >= 3, "each cut made the device connect again");
    let arrived = site.wait_for_upstream(600);
    let mut numbers: Vec<u64> = arrived.iter().filter_map(|line| line["body"]["n"].as_u64()).collect();
    numbers.dedup();
    assert_eq!(numbers, (0..600).collect::<Vec<_>>(), "nothing is missing, and the order is kept");
    stop(gateway);
}
