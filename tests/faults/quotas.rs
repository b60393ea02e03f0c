//! The gateway ends without warning, again and again, while its quota is used up: one endpoint keeps up, the others are
//! away, and each route wants something else to happen when there is no more room.

mod tally;

use std::net::SocketAddr;
use std::time::Duration;

use edge_bench::clock;
use edge_e2e::gateway::Gateway;
use edge_e2e::load::{Load, device_number};
use edge_e2e::site::Site;
use edge_e2e::wait;
use tally::{DiskWatch, Ledger, arrivals};

const ROUNDS: u64 = 8;
/// What the files of the store may take, and one segment, which is a sixteenth of it.
const MAX_BYTES: u64 = 4 << 20;
const SEGMENT_BYTES: u64 = MAX_BYTES / 16;
/// The devices that every route but `tight` hears; the last one is all that `tight` hears, and is refused in the end.
const DEVICES: usize = 3;
const STUCK: [&str; 4] = ["stuck", "spill", "latest", "tight"];
const UNDISTURBED: [&str; 2] = ["drains", "tight"];

/// Returns the routes, and endpoints that are away or are files.
fn configuration(site: Site, away: bool) -> Site {
    let tight = DEVICES - 1;
    let site = (0..DEVICES).fold(site, |site, n| site.identity(&device_number(n).client_id));
    let route = |condition: &str, name: &str, rest: &str| {
        let to = format!("BrokeredEndpoint(\\\"/upstreams/{name}\\\")");
        format!("{name} = {{ route = \"FROM /messages/* WHERE {condition} INTO {to}\", {rest} }}\n")
    };
    let free = format!("$connectionDeviceId <> 'device{tight}'");
    let mut text = format!("[store_and_forward]\nmax_bytes = \"{MAX_BYTES}\"\n[routes]\n");
    text.push_str("drains = \"FROM /messages/* INTO $upstream\"\n");
    text.push_str(&route(&free, "stuck", "overflow = \"drop-oldest\", max_queue_bytes = \"512KiB\""));
    text.push_str(&route(&free, "spill", "overflow = \"drop-oldest\""));
    let latest = "overflow = \"keep-latest-per-key:device\", max_queue_bytes = \"128KiB\"";
    text.push_str(&route(&free, "latest", latest));
    let only = format!("$connectionDeviceId = 'device{tight}'");
    text.push_str(&route(&only, "tight", "overflow = \"refuse\", max_queue_bytes = \"256KiB\""));
    for name in STUCK {
        text.push_str(&format!("[[upstreams]]\nname = \"{name}\"\n"));
        text.push_str(&if away {
            format!("type = \"mqtt\"\nurl = \"mqtt://{}:1\"\nclient_id = \"{name}\"\n", site.ip)
        } else {
            format!("type = \"file\"\npath = \"state/{name}.ndjson\"\n")
        });
    }
    site.and(&text)
}

fn wait_for_acknowledgements(loads: &[Load], more: usize) {
    for load in &loads[..DEVICES - 1] {
        let before = load.so_far().acked.len();
        wait::until("messages to be acknowledged", || {
            (load.so_far().acked.len() >= before + more).then_some(())
        });
    }
}

/// Reads the ledger of a gateway that has just been started.
fn ledger(site: &Site) -> Ledger {
    let ledger = Ledger::of(SocketAddr::from((site.ip, 9600)));
    ledger.adds_up();
    ledger
}

#[test]
fn what_is_missing_after_sudden_ends_at_the_quota_was_counted() {
    let doors = "mqtt_plain = \"IP:1883\"\nmetrics = \"IP:9600\"";
    let site = configuration(Site::new(34, 1).listen(doors), true);
    let mut gateway = site.start(1883);
    let watch = DiskWatch::start(&site.folder().join("state").join("store"), MAX_BYTES + SEGMENT_BYTES);
    let address = SocketAddr::from((site.ip, 1883));
    let loads: Vec<Load> = (0..DEVICES).map(|n| Load::start(address, device_number(n), 1_000)).collect();
    let mut seed = clock::unix_seconds();
    println!("seed {seed}");
    for round in 1..=ROUNDS {
        wait_for_acknowledgements(&loads, 400);
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The moment is what is random; nothing is waited for here.
        clock::pause(Duration::from_millis((seed >> 33) % 300));
        let acked: usize = loads.iter().map(|load| load.so_far().acked.len()).sum();
        gateway.kill();
        gateway = site.start(1883);
        let ledger = ledger(&site);
        let accepted = ledger.line("drains").accepted;
        assert!(accepted >= acked as u64, "round {round}: {accepted} accepted, {acked} acknowledged");
        println!("round {round}: {acked} acknowledged, {}", ledger.shown());
    }
    wait::until("the quotas to be felt", || {
        let ledger = ledger(&site);
        let felt = |name: &str, cause: &str| ledger.line(name).dropped_for(cause) > 0;
        (felt("stuck", "overflow_oldest") && felt("spill", "overflow_oldest") && felt("latest", "superseded"))
            .then_some(())
    });
    let sent: Vec<_> = loads.into_iter().map(Load::stop).collect();
    gateway.kill();
    let most = watch.stop();
    println!("the files took {most} bytes at most, of {MAX_BYTES} and {SEGMENT_BYTES}");

    // All endpoints are back: everything that is stored arrives.
    let site = configuration(site.rewritten().listen(doors), false);
    let gateway: Gateway = site.start(1883);
    wait::until("all that is stored to be delivered", || (ledger(&site).stored() == 0).then_some(()));
    let ledger = ledger(&site);
    println!("{}", ledger.shown());
    for name in STUCK.into_iter().chain(["drains"]) {
        let file = if name == "drains" { "upstream" } else { name };
        let arrived = arrivals(&site.folder().join("state").join(format!("{file}.ndjson")));
        let line = ledger.line(name);
        let distinct: u64 = arrived.values().map(|numbers| numbers.len() as u64).sum();
        if name == "drains" {
            // What is fresh is delivered before it is durable, and was not acknowledged when the end came between.
            assert!(distinct >= line.accepted, "{name}: {distinct} of {} arrived", line.accepted);
        } else {
            let kept = line.accepted - line.dropped();
            assert_eq!(distinct, kept, "{name}: each copy arrived or is counted as dropped");
        }
        assert_eq!(line.dropped() == 0, UNDISTURBED.contains(&name), "{name}: {line:?}");
        let heard = |number: &usize| (*number == DEVICES - 1) == (name == "tight") || name == "drains";
        let mut missing = 0;
        for number in (0..DEVICES).filter(heard) {
            let arrived = arrived.get(&format!("device{number}")).cloned().unwrap_or_default();
            let acked = &sent[number].acked;
            assert!(arrived.iter().all(|n| *n < sent[number].sent), "{name}: what arrived was sent");
            missing += acked.iter().filter(|n| !arrived.contains(n)).count() as u64;
            if name == "latest" {
                let (last, latest) = (acked.iter().max(), arrived.last());
                assert!(latest >= last, "latest: {last:?} was acknowledged last, {latest:?} arrived last");
            }
        }
        println!("{name}: {distinct} of {} arrived, {missing} acknowledged ones did not", line.accepted);
        assert!(missing <= line.dropped(), "{name}: {missing} are missing, {} were dropped", line.dropped());
    }
    assert!(gateway.stop().success());
}
