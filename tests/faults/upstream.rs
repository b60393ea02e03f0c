//! The broker upstream goes away for a while.

use std::net::SocketAddr;

use edge_e2e::load::{Load, device};
use edge_e2e::mosquitto::Mosquitto;
use edge_e2e::site::Site;
use edge_e2e::wait;

/// How much is sent while the broker is away, and after.
const MESSAGES: usize = 2_000;

#[test]
fn a_stopped_broker_gets_everything_in_order_when_it_is_back() {
    let login = device();
    let site = Site::new(31, 1).listen("mqtt_plain = \"IP:1883\"").identity(&login.client_id);
    let mut broker = Mosquitto::start(site.folder(), site.ip, 1884);
    let listener = broker.listen();
    let upstream = format!(
        "[routes]\nall = \"FROM /messages/* INTO $upstream\"\n[upstream]\ntype = \"mqtt\"\n\
         url = \"mqtt://{}:1884\"\ntopic = \"edge/{{device_id}}/events\"\nclient_id = \"edge1\"\n",
        site.ip
    );
    let site = site.and(&upstream);
    let gateway = site.start(1883);
    let load = Load::start(SocketAddr::from((site.ip, 1883)), login, 100);
    let acked = |count: usize| {
        wait::until("messages to be acknowledged", || (load.so_far().acked.len() >= count).then_some(()));
    };
    wait::until("messages at the broker", || (listener.numbers().len() > 100).then_some(()));

    broker.stop();
    let before = load.so_far().acked.len();
    acked(before + MESSAGES);
    broker.resume();
    acked(before + 2 * MESSAGES);
    let known = load.stop();
    let twice = known.has_arrived(|| listener.numbers());
    println!("{twice} arrived more than once");
    assert!(gateway.stop().success());
}
