//! A configuration is read again while messages are on their way.

use std::fs;
use std::net::SocketAddr;

use edge_e2e::load::{Load, device};
use edge_e2e::site::Site;
use edge_e2e::wait;

/// How the named upstream is delivered at first: next to nothing.
const HELD: &str = "bytes_per_day = \"100B\"";

#[test]
fn how_a_named_upstream_is_delivered_changes_without_a_restart() {
    let login = device();
    let upstream = format!(
        "[routes]\nall = 'FROM /messages/* INTO BrokeredEndpoint(\"/upstreams/archive\")'\n\
         [upstream]\ntype = \"file\"\n[[upstreams]]\nname = \"archive\"\ntype = \"file\"\npath = \"archive.ndjson\"\n\
         delivery = {{ {HELD} }}\n",
    );
    let mut site =
        Site::new(33, 1).listen("mqtt_plain = \"IP:1883\"").identity(&login.client_id).and(&upstream);
    let gateway = site.start(1883);
    let load = Load::start(SocketAddr::from((site.ip, 1883)), login, 100);
    wait::until("messages to be acknowledged", || (load.so_far().acked.len() > 200).then_some(()));
    let acked = load.stop().acked.len();
    let archive = site.folder().join("archive.ndjson");
    let arrived = || fs::read_to_string(&archive).unwrap_or_default().lines().count();
    assert!(arrived() < 10, "the budget holds back what it covers");

    site.rewrite(HELD, "in_flight = 50");
    gateway.reload();
    wait::until("what was held back to arrive", || (arrived() >= acked).then_some(()));
    assert!(gateway.stop().success());
}
