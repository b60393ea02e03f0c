//! The broker upstream goes away for a while.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use edge_bench::server::Dialect;
use edge_e2e::load::Load;
use edge_e2e::mosquitto::Mosquitto;
use edge_e2e::site::Site;
use edge_e2e::wait;

/// How much is sent while the broker is away, and after.
const MESSAGES: usize = 2_000;

#[test]
fn a_stopped_broker_gets_everything_in_order_when_it_is_back() {
    let login = Dialect::IotHub.publisher(0);
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

    let all: BTreeSet<u64> = known.acked.iter().copied().collect();
    let arrived = wait::until("every acknowledged message at the broker", || {
        let arrived = listener.numbers();
        all.is_subset(&arrived.iter().copied().collect()).then_some(arrived)
    });
    let mut seen = BTreeSet::new();
    let first: Vec<u64> = arrived.iter().copied().filter(|number| seen.insert(*number)).collect();
    assert!(first.is_sorted(), "the order was lost");
    println!(
        "{} acknowledged, {} arrived, {} of them twice",
        all.len(),
        first.len(),
        arrived.len() - first.len()
    );
    assert!(gateway.stop().success());
}
