//! The gateway ends without warning, again and again, while devices send.

use std::net::SocketAddr;
use std::time::Duration;

use edge_bench::clock;
use edge_e2e::load::{Load, device};
use edge_e2e::site::Site;
use edge_e2e::wait;

const ROUNDS: u64 = 20;

#[test]
fn no_acknowledged_message_is_missing_after_twenty_sudden_ends() {
    let login = device();
    let site = Site::new(30, 1).listen("mqtt_plain = \"IP:1883\"").identity(&login.client_id);
    let site = site.and("[routes]\nall = \"FROM /messages/* INTO $upstream\"\n");
    let mut gateway = site.start(1883);
    let load = Load::start(SocketAddr::from((site.ip, 1883)), login, 100);
    let mut seed = clock::unix_seconds();
    println!("seed {seed}");
    for round in 1..=ROUNDS {
        let connections = load.so_far().connected;
        let acked = load.so_far().acked.len();
        wait::until("messages to be acknowledged", || (load.so_far().acked.len() > acked + 20).then_some(()));
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The moment is what is random; nothing is waited for here.
        clock::pause(Duration::from_millis((seed >> 33) % 200));
        gateway.kill();
        gateway = site.start(1883);
        wait::until("the device to connect again", || (load.so_far().connected > connections).then_some(()));
        println!("round {round}: {} acknowledged", load.so_far().acked.len());
    }
    let known = load.stop();
    assert!(known.acked.len() > 20 * 20, "{} acknowledged", known.acked.len());
    let twice = known.has_arrived(|| site.numbers());
    println!("{twice} arrived more than once");
    assert!(gateway.stop().success());
}
