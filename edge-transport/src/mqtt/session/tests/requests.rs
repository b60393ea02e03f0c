//! Twins and direct methods.

use edge_core::{Feed, MethodCall, TwinAnswer};
use proptest::prelude::*;

use super::*;

const EVENTS: &str = "devices/d/messages/events/";
const REPORTED: &str = "$iothub/twin/PATCH/properties/reported/";

/// A client that is subscribed to all that is not a message.
fn listening(limits: TransportLimits) -> Bench {
    let mut bench = Bench::new(limits);
    bench.send(&Packet::Connect(connect("d", &user_name("d"))));
    let feeds = FeedSet::from(Feed::TwinResponses).with(Feed::Desired).with(Feed::Methods);
    bench.accept(true, feeds);
    assert_eq!(bench.received().len(), 1);
    bench
}

fn get(rid: &str) -> Vec<u8> {
    let topic = format!("$iothub/twin/GET/?$rid={rid}");
    encoded(&quiet(&topic, b" "))
}

fn quiet<'a>(topic: &'a str, payload: &'a [u8]) -> Packet<'a> {
    Packet::Publish(Publish { topic, quality: Quality::AtMostOnce, dup: false, retain: false, payload })
}

fn answer(bench: &mut Bench, tag: &str, answer: TwinAnswer) {
    let tag = Bytes::copy_from_slice(tag.as_bytes());
    bench.input(Input::Event(SessionEvent::Twin { tag, answer }));
}

fn call(bench: &mut Bench, id: u64, name: &str, payload: &'static [u8]) {
    let call = MethodCall::new(id, name.to_owned(), payload.into());
    bench.input(Input::Event(SessionEvent::Method(call)));
}

#[test]
fn requests_reach_the_gateway_as_they_are() {
    let mut bench = listening(TransportLimits::default());
    bench.publish(EVENTS, qos1(1), b"x");
    bench.publish("$iothub/twin/GET/?$rid=4f-1", qos1(2), b" ");
    bench.publish(&format!("{REPORTED}?$rid=4f-2"), qos1(3), b"{\"a\":null}");
    bench.publish("$iothub/twin/GET/?$rid=4f-3", Quality::AtMostOnce, b"");
    let patch = TwinRequest::Report(Bytes::from_static(b"{\"a\":null}"));
    let expected = [
        (Bytes::from_static(b"4f-1"), TwinRequest::Read),
        (Bytes::from_static(b"4f-2"), patch),
        (Bytes::from_static(b"4f-3"), TwinRequest::Read),
    ];
    assert_eq!(bench.twins, expected);
    bench.check_received(&[]);
    bench.resolve(true);
    bench.check_received(&[puback(1), puback(2), puback(3)]);
    assert!(bench.reports.is_empty());
}

#[test]
fn answers_have_the_request_id_and_the_version() {
    let mut bench = listening(TransportLimits::default());
    bench.bytes(&[get("a&b=%20c/d"), get("2"), get("3")].concat());
    answer(&mut bench, "2", TwinAnswer::new(204, "").with_version(9));
    answer(&mut bench, "a&b=%20c/d", TwinAnswer::new(200, "{}"));
    answer(&mut bench, "3", TwinAnswer::new(400, "{\"errorCode\":400004}"));
    bench.check_received(&[
        quiet("$iothub/twin/res/204/?$rid=2&$version=9", b""),
        quiet("$iothub/twin/res/200/?$rid=a&b=%20c/d", b"{}"),
        quiet("$iothub/twin/res/400/?$rid=3", b"{\"errorCode\":400004}"),
    ]);
}

#[test]
fn who_is_not_subscribed_hears_answers_and_nothing_else() {
    let mut bench = Bench::open("d");
    bench.bytes(&get("1"));
    assert_eq!(bench.twins.len(), 1);
    call(&mut bench, 1, "reboot", b"null");
    bench.input(Input::Event(SessionEvent::Desired { version: 2, patch: Bytes::from_static(b"{}") }));
    bench.check_received(&[]);
    answer(&mut bench, "1", TwinAnswer::new(200, "{}"));
    bench.check_received(&[Packet::Publish(Publish {
        topic: "$iothub/twin/res/200/?$rid=1",
        quality: Quality::AtMostOnce,
        dup: false,
        retain: false,
        payload: b"{}",
    })]);
}

#[test]
fn answers_that_nobody_asked_for_are_dropped() {
    let mut bench = listening(TransportLimits::default());
    answer(&mut bench, "1", TwinAnswer::new(200, "{}"));
    answer(&mut bench, "1", TwinAnswer::new(503, "{}"));
    bench.pass(Duration::from_secs(5));
    bench.check_received(&[]);
}

#[test]
fn failures_that_would_be_met_by_a_storm_are_held_back() {
    for status in [404, 429, 500, 503] {
        let mut bench = listening(TransportLimits::default());
        bench.bytes(&get("1"));
        answer(&mut bench, "1", TwinAnswer::new(status, "{}"));
        bench.pass(Duration::from_millis(999));
        bench.check_received(&[]);
        bench.pass(Duration::from_millis(1));
        bench.check_received(&[quiet(&format!("$iothub/twin/res/{status}/?$rid=1"), b"{}")]);
    }
}

#[test]
fn requests_beyond_the_limit_are_left_unread() {
    let limits = TransportLimits { max_twin_requests: 2, ..TransportLimits::default() };
    let mut bench = listening(limits);
    let mut bytes: Vec<u8> = (0..5).flat_map(|n| get(&n.to_string())).collect();
    bytes.extend(encoded(&Packet::PingReq));
    bench.bytes(&bytes);
    assert_eq!(bench.twins.len(), 2);
    assert!(!bench.core.wants_bytes());
    answer(&mut bench, "0", TwinAnswer::new(200, "{}"));
    assert_eq!(bench.twins.len(), 3);
    assert!(!bench.core.wants_bytes());
    // Waiting for the gateway is no silence of the client.
    bench.pass(Duration::from_secs(1000));
    answer(&mut bench, "1", TwinAnswer::new(503, "{}"));
    answer(&mut bench, "2", TwinAnswer::new(503, "{}"));
    assert_eq!(bench.twins.len(), 3);
    bench.received();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.twins.len(), 5);
    assert_eq!(bench.received().len(), 2);
    answer(&mut bench, "3", TwinAnswer::new(200, "{}"));
    assert!(bench.core.wants_bytes());
    let packets = bench.received();
    assert_eq!(v4::decode(&packets[1]), Ok(Packet::PingResp));
    assert!(!bench.closed);
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let max = TransportLimits::default().max_twin_patch_bytes;
    let mut bench = listening(TransportLimits::default());
    bench.publish("$iothub/twin/PUT/properties/reported/?$rid=1", qos1(1), b"{}");
    bench.publish("$iothub/twin/PATCH/properties/desired/?$rid=2", qos1(2), b"{}");
    bench.publish(&format!("{REPORTED}?$rid=3"), qos1(3), &vec![b' '; max + 1]);
    assert!(bench.twins.is_empty());
    let packets = bench.received();
    let mut answers = Vec::new();
    for packet in &packets {
        if let Packet::Publish(publish) = v4::decode(packet).unwrap() {
            let code = std::str::from_utf8(&publish.payload[..20]).unwrap();
            answers.push((publish.topic, code));
        }
    }
    assert_eq!(
        answers,
        [
            ("$iothub/twin/res/400/?$rid=1", "{\"errorCode\":400004,"),
            ("$iothub/twin/res/400/?$rid=2", "{\"errorCode\":400004,"),
            ("$iothub/twin/res/413/?$rid=3", "{\"errorCode\":413001,"),
        ]
    );
    assert_eq!(packets.len(), 6, "each is acknowledged too");
    assert_eq!(bench.reports, [IncidentKind::Unsupported, IncidentKind::Unsupported, IncidentKind::Oversize]);
    bench.publish(&format!("{REPORTED}?$rid=4"), qos1(4), &vec![b' '; max]);
    assert_eq!(bench.twins.len(), 1);
}

#[test]
fn a_request_that_cannot_be_answered_closes() {
    let long = format!("$iothub/twin/GET/?$rid={}", "x".repeat(1025));
    for topic in ["$iothub/twin/GET/", "$iothub/twin/GET/?$rid=", REPORTED, &long] {
        let mut bench = listening(TransportLimits::default());
        bench.publish(topic, qos1(1), b"{}");
        bench.check_closed(&[IncidentKind::Malformed]);
        bench.check_received(&[]);
    }
}

#[test]
fn methods_are_called_and_answered() {
    let mut bench = listening(TransportLimits::default());
    call(&mut bench, 7, "reboot", b"{\"in\":5}");
    call(&mut bench, 8, "größe", b"");
    bench.check_received(&[
        quiet("$iothub/methods/POST/reboot/?$rid=7", b"{\"in\":5}"),
        quiet("$iothub/methods/POST/größe/?$rid=8", b"null"),
    ]);
    bench.publish("$iothub/methods/res/200/?$rid=8", qos1(1), b"");
    bench.publish("$iothub/methods/res/-3/?$rid=7", Quality::AtMostOnce, b"{\"ok\":true}");
    bench.publish("$iothub/methods/res/200/?$rid=99", Quality::AtMostOnce, b"late");
    let expected = [
        (8, MethodAnswer::new(200, "")),
        (7, MethodAnswer::new(-3, "{\"ok\":true}")),
        (99, MethodAnswer::new(200, "late")),
    ];
    assert_eq!(bench.method_answers, expected);
    bench.check_received(&[puback(1)]);
    assert!(bench.reports.is_empty());
}

#[test]
fn answers_without_method_or_status_are_counted() {
    let max = TransportLimits::default().max_method_answer_bytes;
    let mut bench = listening(TransportLimits::default());
    for topic in ["res/ok/?$rid=1", "res/200/?$rid=x", "res/200/", "res/?$rid=1", "res/9999999999/?$rid=1"] {
        bench.publish(&format!("$iothub/methods/{topic}"), Quality::AtMostOnce, b"{}");
    }
    assert_eq!(bench.reports, [IncidentKind::Malformed; 5]);
    bench.publish("$iothub/methods/res/200/?$rid=1", qos1(1), &vec![b'1'; max + 1]);
    assert_eq!(bench.reports.last(), Some(&IncidentKind::Oversize));
    let malformed = (1, MethodAnswer::malformed());
    assert_eq!(
        bench.method_answers,
        [malformed.clone(), malformed.clone(), malformed],
        "the caller need not wait"
    );
    bench.check_received(&[puback(1)]);
    bench.publish("$iothub/methods/res/200/?$rid=1", qos1(2), &vec![b'1'; max]);
    assert_eq!(bench.method_answers.len(), 4);
    assert!(!bench.closed);
}

#[test]
fn changes_of_desired_properties_have_their_version() {
    let mut bench = listening(TransportLimits::default());
    let patch = Bytes::from_static(b"{\"a\":null,\"$version\":5}");
    bench.input(Input::Event(SessionEvent::Desired { version: 5, patch: patch.clone() }));
    bench.check_received(&[quiet("$iothub/twin/PATCH/properties/desired/?$version=5", &patch)]);
}

#[test]
fn a_client_that_does_not_hear_what_is_urgent_is_closed() {
    let limits = TransportLimits { max_urgent_bytes: 100, ..TransportLimits::default() };
    let mut bench = listening(limits);
    call(&mut bench, 1, "m", b"0123456789");
    assert!(!bench.closed);
    bench.received();
    call(&mut bench, 2, "m", b"0123456789");
    call(&mut bench, 3, "m", b"0123456789");
    assert!(!bench.closed);
    call(&mut bench, 4, "m", b"0123456789");
    bench.check_closed(&[IncidentKind::Stalled]);
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The client's next bytes arrive.
    Arrive(usize),
    /// The gateway answers one of the requests that wait, with this status.
    Answer(usize, u16),
    /// The client reads.
    Read,
    /// Half a second passes.
    Pass,
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop::sample::select(vec![200u16, 204, 400, 429, 503]);
    prop_oneof![
        (1..200usize).prop_map(Step::Arrive),
        (any::<usize>(), status).prop_map(|(which, status)| Step::Answer(which, status)),
        Just(Step::Read),
        Just(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn each_request_is_answered_once_in_whatever_order(
        steps in proptest::collection::vec(step(), 1..200),
        count in 1..40u16,
    ) {
        let limits = TransportLimits { max_twin_requests: 3, ..TransportLimits::default() };
        let mut bench = listening(limits);
        let stream: Vec<u8> = (1..=count).flat_map(|n| {
            let topic = format!("{REPORTED}?$rid=r{n}");
            let payload = n.to_string();
            let publish = Publish {
                topic: &topic, quality: qos1(n), dup: false, retain: false, payload: payload.as_bytes(),
            };
            encoded(&Packet::Publish(publish))
        }).collect();
        let mut rest = &stream[..];
        let mut waiting: Vec<Bytes> = Vec::new();
        let (mut answered, mut acknowledged, mut asked) = (Vec::new(), Vec::new(), 0u16);
        let finish = [Step::Arrive(usize::MAX), Step::Answer(0, 200), Step::Read, Step::Pass];
        let last = finish.iter().copied().cycle().take(12 * usize::from(count) + 12);
        for step in steps.into_iter().chain(last) {
            match step {
                Step::Arrive(bytes) if bench.core.wants_bytes() => {
                    let (now, later) = rest.split_at(bytes.min(rest.len()));
                    rest = later;
                    bench.bytes(now);
                }
                Step::Answer(which, status) if !waiting.is_empty() => {
                    let tag = waiting.swap_remove(which % waiting.len());
                    let answer = TwinAnswer::new(status, tag.clone());
                    bench.input(Input::Event(SessionEvent::Twin { tag, answer }));
                }
                Step::Read => {
                    for packet in bench.received() {
                        match v4::decode(&packet).unwrap() {
                            Packet::Publish(publish) => {
                                let rid = std::str::from_utf8(publish.payload).unwrap().to_owned();
                                prop_assert_eq!(publish.topic.split_once("/?$rid=").unwrap().1, &rid);
                                answered.push(rid);
                            }
                            Packet::PubAck(id) => acknowledged.push(id.get()),
                            other => prop_assert!(false, "{other:?}"),
                        }
                    }
                }
                Step::Pass => bench.pass(Duration::from_millis(500)),
                _ => {}
            }
            for (tag, request) in bench.twins.drain(..) {
                asked += 1;
                prop_assert_eq!(&tag, &Bytes::from(format!("r{asked}")));
                prop_assert_eq!(request, TwinRequest::Report(asked.to_string().into()));
                waiting.push(tag);
            }
            prop_assert!(waiting.len() <= 3);
        }
        answered.sort_by_key(|rid| rid[1..].parse::<u16>().unwrap());
        prop_assert_eq!(answered, (1..=count).map(|n| format!("r{n}")).collect::<Vec<_>>());
        prop_assert_eq!(acknowledged, (1..=count).collect::<Vec<_>>());
    }
}
