//! Connections end, gateways restart, tokens expire: the device notices at most a delay.

use std::net::SocketAddr;

use edge_e2e::proxy::Proxy;
use edge_e2e::script::Script;
use edge_e2e::site::Site;
use edge_e2e::wait;
use serde_json::json;

const UPSTREAM: &str = "[routes]\nall = \"FROM /messages/* INTO $upstream\"\n";

/// Checks that the numbers from 0 have all arrived, in order but for repetitions.
fn nothing_is_missing(site: &Site, count: u64) {
    let count = usize::try_from(count).unwrap();
    wait::until("all messages upstream", || {
        let mut numbers: Vec<u64> =
            site.upstream().iter().filter_map(|line| line["body"]["n"].as_u64()).collect();
        let mut seen = std::collections::BTreeSet::new();
        numbers.retain(|number| seen.insert(*number));
        assert!(numbers.is_sorted(), "the order was lost: {numbers:?}");
        (numbers.len() >= count).then_some(())
    });
}

#[test]
fn a_cut_connection_loses_nothing() {
    let site = Site::new(23, 1).listen("mqtt = \"IP:18883\"").tls(None).identity("sensor1").and(UPSTREAM);
    let gateway = site.start(18883);
    let proxy = Proxy::start(SocketAddr::from((site.ip, 8883)), SocketAddr::from((site.ip, 18883)));
    let mut arguments = site.script("sensor1");
    arguments["options"] = json!({ "connection_retry_interval": 1 });
    let mut script = Script::start("steady.py", &arguments);
    script.expect("connected");
    for _ in 0..3 {
        script.skip_to("sent");
        proxy.cut();
    }
    script.skip_to("sent");
    script.tell("stop");
    let sent = script.skip_to("stopped")["count"].as_u64().unwrap();
    script.finish();
    assert!(proxy.accepted() >= 4, "each cut made the device connect again");
    nothing_is_missing(&site, sent);
    assert!(gateway.stop().success());
}

#[test]
fn a_restarted_gateway_loses_nothing() {
    let site = Site::new(23, 2).listen("mqtt = \"IP:8883\"").tls(None).identity("sensor1").and(UPSTREAM);
    let mut gateway = site.start(8883);
    let mut arguments = site.script("sensor1");
    arguments["options"] = json!({ "connection_retry_interval": 1 });
    let mut script = Script::start("steady.py", &arguments);
    script.expect("connected");
    for round in 0..2 {
        script.skip_to("sent");
        if round == 0 {
            assert!(gateway.stop().success());
        } else {
            gateway.kill();
        }
        gateway = site.start(8883);
    }
    script.skip_to("sent");
    script.tell("stop");
    let sent = script.skip_to("stopped")["count"].as_u64().unwrap();
    script.finish();
    nothing_is_missing(&site, sent);
    assert!(gateway.stop().success());
}

#[test]
fn a_token_is_renewed() {
    let site = Site::new(23, 3).listen("mqtt = \"IP:18883\"").tls(None).identity("sensor1").and(UPSTREAM);
    let gateway = site.start(18883);
    let proxy = Proxy::start(SocketAddr::from((site.ip, 8883)), SocketAddr::from((site.ip, 18883)));
    let mut arguments = site.script("sensor1");
    // The SDK renews two minutes before the end, by a new connection with a new token.
    arguments["options"] = json!({ "sastoken_ttl": 124 });
    let mut script = Script::start("steady.py", &arguments);
    script.expect("connected");
    assert_eq!(proxy.accepted(), 1);
    wait::until("the device to come with a new token", || (proxy.accepted() >= 2).then_some(()));
    script.skip_to("sent");
    script.tell("stop");
    let sent = script.skip_to("stopped")["count"].as_u64().unwrap();
    script.finish();
    nothing_is_missing(&site, sent);
    assert!(gateway.stop().success());
}
