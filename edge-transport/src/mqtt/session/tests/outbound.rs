//! What a client receives.

use std::sync::{Arc, Mutex};

use edge_core::{Channel, Delivery, Settlement, Settler, Source};

use super::*;

#[derive(Default)]
struct Log(Mutex<Vec<(u64, Settlement)>>);

impl Settler for Log {
    fn settle(&self, tag: u64, settlement: Settlement) {
        self.0.lock().unwrap().push((tag, settlement));
    }
}

impl Log {
    fn delivery(self: &Arc<Self>, tag: u64, body: &[u8]) -> Delivery {
        let message = Message::builder(&Source::telemetry()).body(body).build();
        Delivery::new(message, Channel::Input("in".parse().unwrap()), self.clone(), tag)
    }

    fn seen(&self) -> Vec<(u64, Settlement)> {
        self.0.lock().unwrap().clone()
    }
}

const TOPIC: &str = "devices/e/modules/m/inputs/in/";

fn publish(id: u16, payload: &[u8]) -> Packet<'_> {
    Packet::Publish(Publish { topic: TOPIC, quality: qos1(id), dup: false, retain: false, payload })
}

fn deliver(bench: &mut Bench, delivery: Delivery) {
    bench.input(Input::Event(SessionEvent::Deliver(delivery)));
}

#[test]
fn a_puback_accepts_and_the_end_releases() {
    let log = Arc::new(Log::default());
    let mut bench = Bench::open("e/m");
    for tag in 0..3 {
        deliver(&mut bench, log.delivery(tag, b"x"));
    }
    bench.check_received(&[publish(1, b"x"), publish(2, b"x"), publish(3, b"x")]);
    bench.send(&puback(2));
    assert_eq!(log.seen(), [(1, Settlement::Accept)]);
    bench.input(Input::End);
    assert_eq!(log.seen(), [(1, Settlement::Accept), (0, Settlement::Release), (2, Settlement::Release)]);
}

#[test]
fn what_may_have_been_delivered_before_says_so() {
    let log = Arc::new(Log::default());
    let mut bench = Bench::open("e/m");
    deliver(&mut bench, log.delivery(0, b"x").redelivered());
    let packets = bench.received();
    assert!(matches!(v4::decode(&packets[0]), Ok(Packet::Publish(Publish { dup: true, .. }))));
}

#[test]
fn deliveries_in_flight_are_bounded() {
    let log = Arc::new(Log::default());
    let limits = TransportLimits { max_deliveries: 2, ..TransportLimits::default() };
    let mut bench = Bench::open_with("e/m", limits);
    deliver(&mut bench, log.delivery(0, b"x"));
    assert!(bench.core.wants_event());
    deliver(&mut bench, log.delivery(1, b"x"));
    assert!(!bench.core.wants_event());
    bench.send(&puback(1));
    assert!(bench.core.wants_event());
}

#[test]
fn a_client_that_does_not_read_gets_nothing_more() {
    let log = Arc::new(Log::default());
    let limits = TransportLimits { max_outbound_bytes: 100, ..TransportLimits::default() };
    let mut bench = Bench::open_with("e/m", limits);
    deliver(&mut bench, log.delivery(0, &[0; 100]));
    assert!(!bench.core.wants_event());
    bench.received();
    assert!(bench.core.wants_event());
}

#[test]
fn qos_0_is_the_clients_own_choice() {
    let log = Arc::new(Log::default());
    let mut bench = Bench::open("e/m");
    bench.subscribe(1, &[("devices/e/modules/m/inputs/#", QoS::AtMostOnce)]);
    bench.resolve(true);
    bench.received();
    deliver(&mut bench, log.delivery(0, b"x"));
    let quiet =
        Publish { topic: TOPIC, quality: Quality::AtMostOnce, dup: false, retain: false, payload: b"x" };
    bench.check_received(&[Packet::Publish(quiet)]);
    assert_eq!(log.seen(), [(0, Settlement::Accept)]);
}

#[test]
fn what_fits_into_no_topic_is_rejected() {
    let log = Arc::new(Log::default());
    let mut bench = Bench::open("e/m");
    let message = Message::builder(&Source::telemetry()).property("p", &"x".repeat(70_000)).build();
    let channel = Channel::Input("in".parse().unwrap());
    deliver(&mut bench, Delivery::new(message, channel, log.clone(), 9));
    bench.check_received(&[]);
    assert_eq!(log.seen(), [(9, Settlement::Reject)]);
}
