//! CONNECT and CONNACK, and the last word.

use edge_core::{AuthError, Credentials};

use super::*;
use crate::mqtt::packet::Will;

fn check_code(connect: Connect<'_>, code: ConnectCode, reports: &[IncidentKind]) {
    let mut bench = Bench::new(TransportLimits::default());
    bench.send(&Packet::Connect(connect));
    bench.check_received(&[Packet::ConnAck { session_present: false, code }]);
    bench.check_closed(reports);
    assert!(bench.hello.is_none());
}

#[test]
fn hellos_that_are_none() {
    let bad = [IncidentKind::BadHello];
    let name = user_name("d");
    check_code(connect("e", &name), ConnectCode::ClientId, &bad);
    check_code(connect("d/m", &name), ConnectCode::ClientId, &bad);
    check_code(connect("", &name), ConnectCode::ClientId, &bad);
    check_code(connect("d x", &name), ConnectCode::ClientId, &bad);
    check_code(connect("d", "hub.local/d"), ConnectCode::BadUserName, &bad);
    check_code(connect("d", ""), ConnectCode::BadUserName, &bad);
    check_code(
        Connect { user_name: None, password: None, ..connect("d", "") },
        ConnectCode::BadUserName,
        &bad,
    );
    check_code(Connect { password: Some(&[0xff]), ..connect("d", &name) }, ConnectCode::BadUserName, &bad);
}

#[test]
fn another_protocol_level_is_answered_with_1() {
    let mut bench = Bench::new(TransportLimits::default());
    bench.bytes(b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x01d");
    bench.check_received(&[Packet::ConnAck { session_present: false, code: ConnectCode::ProtocolLevel }]);
    bench.check_closed(&[IncidentKind::Unsupported]);
}

#[test]
fn what_is_no_connect_is_closed_without_a_word() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"\xc0\x00", b"\x16\x03\x01\x02\x00", b"\x10\x04\x00\x04XXXX"] {
        let mut bench = Bench::new(TransportLimits::default());
        bench.bytes(bytes);
        bench.check_received(&[]);
        bench.check_closed(&[IncidentKind::Malformed]);
    }
}

#[test]
fn a_connect_that_is_too_large_is_closed_before_it_is_there() {
    let mut bench = Bench::new(TransportLimits::default());
    bench.bytes(&[0x10, 0xff, 0xff, 0x03]);
    bench.check_closed(&[IncidentKind::Oversize]);
}

fn check_refusal(refusal: Refusal, code: ConnectCode) {
    let mut bench = Bench::new(TransportLimits::default());
    bench.send(&Packet::Connect(connect("d", &user_name("d"))));
    bench.input(Input::Opened(Err(refusal)));
    bench.check_received(&[Packet::ConnAck { session_present: false, code }]);
    bench.check_closed(&[]);
}

#[test]
fn refusals_have_their_codes() {
    let identity = || "d".parse().unwrap();
    check_refusal(AuthError::Unknown { identity: identity() }.into(), ConnectCode::NotAuthorized);
    check_refusal(AuthError::Disabled { identity: identity() }.into(), ConnectCode::NotAuthorized);
    check_refusal(
        AuthError::Unavailable { identity: identity(), source: "down".into() }.into(),
        ConnectCode::Unavailable,
    );
    check_refusal(Refusal::TooManyClients { limit: 1 }, ConnectCode::Unavailable);
    check_refusal(Refusal::NotReady { reason: "starting".to_owned() }, ConnectCode::Unavailable);
}

fn check_session_present(clean: bool, resumed: bool, session_present: bool) {
    let mut bench = Bench::new(TransportLimits::default());
    bench.send(&Packet::Connect(Connect { clean_session: clean, ..connect("d", &user_name("d")) }));
    assert_eq!(bench.hello.as_ref().unwrap().clean, clean);
    bench.accept(resumed, FeedSet::EMPTY);
    bench.check_received(&[Packet::ConnAck { session_present, code: ConnectCode::Accepted }]);
}

#[test]
fn session_present_is_honest() {
    check_session_present(false, false, false);
    check_session_present(false, true, true);
    check_session_present(true, false, false);
    check_session_present(true, true, false);
}

#[test]
fn credentials_are_the_token_or_else_the_certificate() {
    let resources = Resources::new(TransportLimits::default());
    let chain = vec![vec![1, 2, 3]];
    for (password, expected) in [
        (Some(&b"token"[..]), Credentials::SasToken("token".to_owned())),
        (Some(b""), Credentials::X509(chain.clone())),
        (None, Credentials::X509(chain.clone())),
    ] {
        let mut bench = Bench::new(TransportLimits::default());
        bench.core = ServerSession::new(bench.now, &resources, None, chain.clone());
        bench.send(&Packet::Connect(Connect { password, ..connect("d", &user_name("d")) }));
        assert_eq!(bench.hello.as_ref().unwrap().credentials, expected);
    }
    let mut bench = Bench::new(TransportLimits::default());
    bench.send(&Packet::Connect(Connect { password: None, ..connect("d", &user_name("d")) }));
    assert_eq!(bench.hello.as_ref().unwrap().credentials, Credentials::None);
}

#[test]
fn what_follows_the_connect_waits_for_the_decision() {
    let mut bench = Bench::new(TransportLimits::default());
    let mut bytes = encoded(&Packet::Connect(connect("d", &user_name("d"))));
    let topic = "devices/d/messages/events/";
    let publish = Publish { topic, quality: qos1(1), dup: false, retain: false, payload: b"1" };
    bytes.extend(encoded(&Packet::Publish(publish)));
    bytes.extend(encoded(&Packet::PingReq));
    bench.bytes(&bytes);
    assert!(!bench.core.wants_bytes());
    assert!(bench.published.is_empty());
    bench.accept(false, FeedSet::EMPTY);
    assert_eq!(bench.published.len(), 1);
    let accepted = Packet::ConnAck { session_present: false, code: ConnectCode::Accepted };
    bench.check_received(&[accepted, Packet::PingResp]);
}

#[test]
fn a_second_connect_is_closed() {
    let mut bench = Bench::open("d");
    bench.send(&Packet::Connect(connect("d", &user_name("d"))));
    bench.check_closed(&[IncidentKind::Malformed]);
}

fn open_with_will(topic: &str, qos: QoS) -> Bench {
    let mut bench = Bench::new(TransportLimits::default());
    let will = Will { topic, payload: b"gone", qos, retain: true };
    bench.send(&Packet::Connect(Connect { will: Some(will), ..connect("d", &user_name("d")) }));
    if bench.hello.is_some() {
        bench.accept(false, FeedSet::EMPTY);
    }
    bench
}

#[test]
fn the_last_word_is_published_when_the_client_is_lost() {
    let mut bench = open_with_will("devices/d/messages/events/a=1", QoS::AtLeastOnce);
    bench.input(Input::End);
    bench.check_closed(&[]);
    let properties: Vec<_> = bench.last_words[0].properties().iter().collect();
    assert_eq!(bench.last_words[0].body(), b"gone");
    assert_eq!(
        properties,
        [("a", Some("1")), ("iothub-MessageType", Some("Will")), ("mqtt-retain", Some("true"))]
    );
}

#[test]
fn the_last_word_is_forgotten_in_order() {
    let mut bench = open_with_will("devices/d/messages/events/", QoS::AtMostOnce);
    bench.send(&Packet::Disconnect);
    bench.check_closed(&[]);
    assert!(bench.last_words.is_empty());

    let mut bench = open_with_will("devices/d/messages/events/", QoS::AtMostOnce);
    bench.input(Input::Event(SessionEvent::Closed(CloseReason::TakenOver)));
    bench.check_closed(&[]);
    assert!(bench.last_words.is_empty());
}

#[test]
fn a_last_word_elsewhere_is_refused() {
    let mut bench = open_with_will("devices/e/messages/events/", QoS::AtMostOnce);
    bench.check_received(&[Packet::ConnAck { session_present: false, code: ConnectCode::NotAuthorized }]);
    bench.check_closed(&[IncidentKind::ForeignTopic]);
    open_with_will("devices/d/messages/events/", QoS::ExactlyOnce).check_closed(&[IncidentKind::Unsupported]);
}
