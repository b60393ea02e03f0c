//! What a client sends.

use edge_core::{Feed, SystemKey};
use proptest::prelude::*;

use super::*;

const EVENTS: &str = "devices/d/messages/events/";

#[test]
fn one_read_is_one_batch_and_answers_keep_their_order() {
    let mut bench = Bench::open("d");
    let mut bytes = Vec::new();
    for id in 1..=3 {
        let publish = Publish { topic: EVENTS, quality: qos1(id), dup: false, retain: false, payload: b"x" };
        bytes.extend(encoded(&Packet::Publish(publish)));
    }
    bench.bytes(&bytes);
    bench.publish(EVENTS, Quality::AtMostOnce, b"quiet");
    bench.publish(EVENTS, qos1(4), b"y");
    assert_eq!((bench.batches, bench.published.len()), (3, 5));
    bench.check_received(&[]);
    bench.resolve(true);
    bench.check_received(&[puback(1), puback(2), puback(3)]);
    bench.resolve(true);
    bench.check_received(&[]);
    bench.resolve(true);
    bench.check_received(&[puback(4)]);
}

#[test]
fn a_batch_that_is_not_taken_closes_without_an_answer() {
    let mut bench = Bench::open("d");
    bench.publish(EVENTS, qos1(1), b"x");
    bench.resolve(false);
    bench.check_received(&[]);
    bench.check_closed(&[]);
}

#[test]
fn flags_become_properties() {
    let mut bench = Bench::open("d");
    let publish = Publish { topic: EVENTS, quality: qos1(1), dup: true, retain: true, payload: b"" };
    bench.send(&Packet::Publish(publish));
    let properties: Vec<_> = bench.published[0].properties().iter().collect();
    assert_eq!(properties, [("mqtt-dup", Some("true")), ("mqtt-retain", Some("true"))]);
}

#[test]
fn a_modules_output_is_its_source() {
    let mut bench = Bench::open("e/m");
    bench.publish("devices/e/modules/m/messages/events/%24.on=hot&%24.mid=x/", qos1(1), b"");
    bench.publish("devices/e/modules/m/messages/events", qos1(2), b"");
    assert_eq!(bench.published[0].source(), "/messages/modules/m/outputs/hot/");
    assert_eq!(bench.published[0].system().value(SystemKey::MessageId), Some("x"));
    assert_eq!(bench.published[1].source(), "/messages/modules/m/");
    bench.publish("devices/e/modules/m/messages/events/%24.on=a%2Fb", qos1(3), b"");
    bench.check_closed(&[IncidentKind::Malformed]);
}

#[test]
fn nobody_publishes_for_another() {
    let mut bench = Bench::open("d");
    bench.publish(EVENTS, qos1(1), b"mine");
    bench.publish("devices/e/messages/events/", qos1(2), b"theirs");
    bench.check_closed(&[IncidentKind::ForeignTopic]);
    assert_eq!(bench.published.len(), 1);
    let mut bench = Bench::open("d");
    bench.publish("devices/d/messages/events/%24.cdid=e&%24.cmid=root", qos1(1), b"");
    assert_eq!(bench.published[0].system().value(SystemKey::ConnectionDeviceId), Some("d"));
    assert_eq!(bench.published[0].system().value(SystemKey::ConnectionModuleId), None);
}

#[test]
fn what_came_before_a_mistake_is_published() {
    let mut bench = Bench::open("d");
    let publish =
        Publish { topic: EVENTS, quality: Quality::AtMostOnce, dup: false, retain: false, payload: b"" };
    let mut bytes = encoded(&Packet::Publish(publish));
    bytes.extend([0xf0, 0]);
    bench.bytes(&bytes);
    assert_eq!(bench.published.len(), 1);
    bench.check_closed(&[IncidentKind::Malformed]);
}

#[test]
fn what_is_not_offered_closes() {
    let id = 1.try_into().unwrap();
    for packet in [
        Packet::PubRec(id),
        Packet::PubRel(id),
        Packet::PubComp(id),
        Packet::Publish(Publish {
            topic: EVENTS,
            quality: Quality::ExactlyOnce(id),
            dup: false,
            retain: false,
            payload: b"",
        }),
    ] {
        let mut bench = Bench::open("d");
        bench.send(&packet);
        bench.check_closed(&[IncidentKind::Unsupported]);
    }
    for packet in [Packet::PingResp, Packet::UnsubAck(id), Packet::SubAck { packet_id: id, codes: &[0] }] {
        let mut bench = Bench::open("d");
        bench.send(&packet);
        bench.check_closed(&[IncidentKind::Malformed]);
    }
}

#[test]
fn messages_are_limited_by_body_and_properties() {
    let max = TransportLimits::default().max_message_bytes;
    let mut bench = Bench::open("d");
    bench.publish("devices/d/messages/events/a=%31", qos1(1), &vec![0; max - 2]);
    assert_eq!(bench.published.len(), 1);
    assert!(bench.reports.is_empty());
    bench.resolve(true);
    bench.publish("devices/d/messages/events/a=1", qos1(2), &vec![0; max - 1]);
    bench.check_closed(&[IncidentKind::Oversize]);
}

#[test]
fn packets_are_limited_before_they_are_kept() {
    let mut bench = Bench::open("d");
    bench.bytes(&[0x30, 0xff, 0xff, 0xff, 0x7f]);
    bench.check_closed(&[IncidentKind::Oversize]);
    let mut bench = Bench::open("d");
    bench.bytes(&[0x82, 0x80, 0x80, 0x02]);
    bench.check_closed(&[IncidentKind::Oversize]);
}

#[test]
fn flow_control_is_not_reading() {
    let limits = TransportLimits { max_unacknowledged_messages: 2, ..TransportLimits::default() };
    let mut bench = Bench::open_with("d", limits);
    bench.publish(EVENTS, qos1(1), b"");
    assert!(bench.core.wants_bytes());
    bench.publish(EVENTS, qos1(2), b"");
    assert!(!bench.core.wants_bytes());
    bench.resolve(true);
    assert!(bench.core.wants_bytes());

    let limits = TransportLimits { max_unacknowledged_bytes: 1000, ..TransportLimits::default() };
    let mut bench = Bench::open_with("d", limits);
    bench.publish(EVENTS, qos1(1), &[0; 1000]);
    assert!(!bench.core.wants_bytes());
    bench.resolve(true);
    assert!(bench.core.wants_bytes());
}

#[test]
fn all_that_waits_for_a_receipt_stops_reading() {
    let limits = TransportLimits { max_unacknowledged_messages: 3, ..TransportLimits::default() };
    let mut bench = Bench::open_with("d", limits);
    bench.subscribe(1, &[("weather/#", QoS::AtLeastOnce)]);
    let mut list = FiltersBuf::for_unsubscribe();
    list.push("weather/#", QoS::AtMostOnce).unwrap();
    bench.send(&Packet::Unsubscribe { packet_id: 2.try_into().unwrap(), filters: list.as_filters() });
    assert!(bench.core.wants_bytes());
    bench.publish("$iothub/methods/res/200/?$rid=1", qos1(3), b"");
    assert!(!bench.core.wants_bytes());
    bench.resolve(true);
    assert!(bench.core.wants_bytes());
    bench.subscribe(4, &[("weather/#", QoS::AtLeastOnce)]);
    assert!(!bench.core.wants_bytes());
    bench.resolve(true);
    bench.resolve(true);
    assert_eq!(bench.received().len(), 4);
    for id in 5..7 {
        bench.subscribe(id, &[("weather/#", QoS::AtLeastOnce)]);
        assert!(bench.core.wants_bytes(), "nothing is left over");
    }
}

#[test]
fn a_flood_of_pings_is_not_answered_without_end() {
    let limits = TransportLimits { max_outbound_bytes: 10, ..TransportLimits::default() };
    let mut bench = Bench::open_with("d", limits);
    bench.bytes(&[0xc0, 0].repeat(5));
    assert!(!bench.core.wants_bytes());
    assert_eq!(bench.received().len(), 5);
    assert!(bench.core.wants_bytes());
}

#[test]
fn subscriptions_are_answered_after_their_receipt() {
    let mut bench = Bench::open("e/m");
    let filters = [
        ("devices/e/modules/m/inputs/#", QoS::AtLeastOnce),
        ("$iothub/methods/POST/#", QoS::AtMostOnce),
        ("weather/+", QoS::ExactlyOnce),
        ("devices/other/messages/devicebound/#", QoS::AtLeastOnce),
    ];
    bench.subscribe(7, &filters);
    assert_eq!(bench.subscribed, [FeedSet::from(Feed::Inputs).with(Feed::Methods)]);
    assert_eq!(bench.reports, [IncidentKind::ForeignTopic]);
    bench.check_received(&[]);
    bench.resolve(true);
    bench.check_received(&[Packet::SubAck { packet_id: 7.try_into().unwrap(), codes: &[1, 0, 1, 1] }]);
    let mut list = FiltersBuf::for_unsubscribe();
    list.push("$iothub/methods/POST/#", QoS::AtMostOnce).unwrap();
    bench.send(&Packet::Unsubscribe { packet_id: 8.try_into().unwrap(), filters: list.as_filters() });
    assert_eq!(bench.unsubscribed, [FeedSet::from(Feed::Methods)]);
    bench.resolve(true);
    bench.check_received(&[Packet::UnsubAck(8.try_into().unwrap())]);
}

#[test]
fn a_subscription_that_is_not_taken_closes() {
    let mut bench = Bench::open("d");
    bench.subscribe(1, &[("devices/d/messages/devicebound/#", QoS::AtLeastOnce)]);
    bench.resolve(false);
    bench.check_closed(&[]);
}

#[test]
fn messages_around_a_subscription_are_answered_in_order() {
    let mut bench = Bench::open("d");
    bench.publish(EVENTS, qos1(1), b"");
    bench.subscribe(2, &[("weather/#", QoS::AtLeastOnce)]);
    bench.publish("$iothub/methods/res/200/?$rid=1", qos1(3), b"");
    bench.publish(EVENTS, qos1(4), b"");
    bench.resolve(true);
    bench.check_received(&[puback(1)]);
    bench.resolve(true);
    bench.check_received(&[Packet::SubAck { packet_id: 2.try_into().unwrap(), codes: &[1] }, puback(3)]);
    bench.resolve(true);
    bench.check_received(&[puback(4)]);
    bench.publish("$iothub/methods/res/200/?$rid=2", qos1(5), b"");
    bench.check_received(&[puback(5)]);
}

#[test]
fn parts_of_packets_draw_on_a_budget_and_give_back() {
    let limits = TransportLimits { max_partial_bytes: 1000, ..TransportLimits::default() };
    let mut bench = Bench::open_with("d", limits);
    let publish = Publish { topic: EVENTS, quality: qos1(1), dup: false, retain: false, payload: &[1; 5000] };
    let bytes = encoded(&Packet::Publish(publish));
    bench.bytes(&bytes[..500]);
    assert!(!bench.closed);
    bench.bytes(&bytes[500..]);
    assert_eq!(bench.published.len(), 1);
    bench.bytes(&bytes[..900]);
    bench.bytes(&bytes[900..2000]);
    bench.check_closed(&[IncidentKind::Oversize]);
}

/// A day in the life of a client, as bytes.
fn script() -> Vec<u8> {
    let mut bytes = Vec::new();
    for id in 1..=5u16 {
        let payload = vec![id as u8; usize::from(id) * 40];
        let publish =
            Publish { topic: EVENTS, quality: qos1(id), dup: false, retain: false, payload: &payload };
        bytes.extend(encoded(&Packet::Publish(publish)));
        bytes.extend(encoded(&Packet::PingReq));
    }
    bytes
}

proptest! {
    #[test]
    fn cuts_change_nothing(cuts in proptest::collection::vec(1..300usize, 1..30)) {
        let mut bench = Bench::open("d");
        let script = script();
        let mut rest = &script[..];
        for cut in cuts.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            rest = after;
            bench.bytes(piece);
        }
        let bodies: Vec<_> = bench.published.iter().map(|m| (m.body().len(), m.body()[0])).collect();
        prop_assert_eq!(bodies, [(40, 1), (80, 2), (120, 3), (160, 4), (200, 5)]);
        prop_assert_eq!(bench.received().len(), 5);
    }

    #[test]
    fn any_bytes_are_taken_without_a_panic(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6),
        damaged in any::<proptest::sample::Index>(),
        byte: u8,
    ) {
        let mut bench = Bench::open("d");
        let mut script = script();
        let at = damaged.index(script.len());
        script[at] = byte;
        for piece in pieces.iter().chain([&script]) {
            bench.bytes(piece);
        }
        bench.pass(Duration::from_secs(100));
        prop_assert!(bench.closed);
    }
}
