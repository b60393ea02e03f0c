//! The MQTT upstream against a broker that does what the test tells it.

mod upstream;

use std::num::NonZeroU16;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::testing::endpoint::EndpointHarness;
use edge_core::{Disposition, Endpoint, EndpointError, EndpointId, Outcome, Report, Source, SystemKey};
use edge_transport::upstream::{MqttUpstream, MqttUpstreamOptions, MqttVersion};
use tokio::sync::OnceCell;
use upstream::broker::{Broker, Cut, Mode};
use upstream::poison::{all_but, arrivals, deliver_past};
use upstream::{batch, message, pki, stored};

fn options(broker: &Broker, version: MqttVersion) -> MqttUpstreamOptions {
    let (url, topic) = (broker.url().parse().unwrap(), "edge/{device_id}/events".parse().unwrap());
    MqttUpstreamOptions::new(url, topic, "edge1").version(version).in_flight(NonZeroU16::new(8).unwrap())
}

fn open(options: MqttUpstreamOptions) -> MqttUpstream {
    MqttUpstream::new(EndpointId::upstream(), options).unwrap()
}

fn text(bodies: &[Bytes]) -> Vec<String> {
    bodies.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect()
}

/// Runs the kit of endpoints against a broker of one version.
struct Kit {
    version: MqttVersion,
    broker: OnceCell<Broker>,
}

impl Kit {
    fn new(version: MqttVersion) -> Self {
        Self { version, broker: OnceCell::new() }
    }

    async fn broker(&self) -> &Broker {
        self.broker.get_or_init(|| Broker::start(self.version == MqttVersion::V5)).await
    }
}

#[async_trait]
impl EndpointHarness for Kit {
    type Endpoint = MqttUpstream;

    async fn open(&self) -> MqttUpstream {
        open(options(self.broker().await, self.version))
    }

    async fn taken(&self) -> Vec<Bytes> {
        self.broker().await.bodies()
    }

    async fn refuse(&self, body: &[u8]) -> bool {
        self.broker().await.state.reasons.lock().unwrap().push((Bytes::copy_from_slice(body), 0x87));
        self.version == MqttVersion::V5
    }

    async fn cut(&self) -> bool {
        self.broker().await.set(Mode::Cut);
        true
    }

    async fn restore(&self) {
        self.broker().await.set(Mode::Open);
    }

    async fn withhold(&self) -> bool {
        self.broker().await.set(Mode::Withholding);
        true
    }

    async fn withheld(&self) {
        self.broker().await.holds(1).await;
    }

    async fn answer(&self) {
        self.restore().await;
    }
}

mod kit_5 {
    edge_core::endpoint_conformance!(super::Kit::new(super::MqttVersion::V5));
}

mod kit_3_1_1 {
    edge_core::endpoint_conformance!(super::Kit::new(super::MqttVersion::V311));
}

/// Sends what is not accepted yet until everything is, and returns how often it had to.
async fn deliver(upstream: &MqttUpstream, count: u64) -> usize {
    let mut left = batch(0..count);
    for tries in 1..10 {
        if let Ok(outcomes) = upstream.send(&left).await {
            let accepted = outcomes.iter().take_while(|outcome| **outcome == Outcome::Accepted).count();
            left.drain(..accepted);
        }
        if left.is_empty() {
            return tries;
        }
    }
    panic!("{} messages never arrive", left.len());
}

async fn check_cut(version: MqttVersion, when: Cut) {
    let broker = Broker::start(version == MqttVersion::V5).await;
    *broker.state.cut.lock().unwrap() = Some(("5".into(), when));
    let upstream = open(options(&broker, version));
    let tries = deliver(&upstream, 20).await;
    assert!(tries >= 2, "the connection was cut");
    let mut seen = Vec::new();
    for body in text(&broker.bodies()) {
        let number: u64 = body.parse().unwrap();
        assert!(number <= seen.len() as u64, "{number} overtakes {}", seen.len());
        if number == seen.len() as u64 {
            seen.push(number);
        }
    }
    assert_eq!(seen.len(), 20, "all have arrived, in order");
}

#[tokio::test]
async fn a_connection_cut_before_puback_loses_nothing() {
    check_cut(MqttVersion::V5, Cut::BeforePuback).await;
    check_cut(MqttVersion::V311, Cut::BeforePuback).await;
}

#[tokio::test]
async fn a_connection_cut_after_puback_loses_nothing() {
    check_cut(MqttVersion::V5, Cut::AfterPuback).await;
    check_cut(MqttVersion::V311, Cut::AfterPuback).await;
}

#[tokio::test]
async fn a_message_that_the_broker_hangs_up_on_is_refused_and_the_rest_passes() {
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let broker = Broker::start(version == MqttVersion::V5).await;
        *broker.state.poison.lock().unwrap() = Some("5".into());
        let upstream = open(options(&broker, version));
        deliver_past(&upstream, 5).await;
        assert_eq!(arrivals(&broker.bodies()), all_but(5), "all the others have arrived, in order");
    }
}

#[tokio::test]
async fn an_interruption_keeps_what_was_answered() {
    let broker = Broker::start(true).await;
    *broker.state.cut.lock().unwrap() = Some(("2".into(), Cut::AfterPuback));
    let upstream = open(options(&broker, MqttVersion::V5).in_flight(NonZeroU16::MIN));
    let outcomes = upstream.send(&batch(0..5)).await.unwrap();
    let accepted = outcomes.iter().take_while(|outcome| **outcome == Outcome::Accepted).count();
    assert_eq!(outcomes.len(), 5);
    assert_eq!(accepted, 3);
    assert!(outcomes.iter().skip(accepted).all(|outcome| *outcome == Outcome::Released));
}

#[tokio::test]
async fn refused_credentials_are_named() {
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let broker = Broker::start(version == MqttVersion::V5).await;
        *broker.state.login.lock().unwrap() = Some(("edge1".into(), "right".into()));
        let upstream = open(options(&broker, version).login("edge1", "wrong"));
        let error = upstream.send(&batch(0..1)).await.unwrap_err();
        assert!(matches!(error, EndpointError::Unauthorized { .. }), "{error:?}");
        assert_eq!(error.disposition(), Disposition::Retry);
        assert!(Report(&error).to_string().contains("BadUserNamePassword"), "{}", Report(&error));
        let upstream = open(options(&broker, version).login("edge1", "right"));
        assert_eq!(upstream.send(&batch(0..1)).await.unwrap(), [Outcome::Accepted]);
    }
}

#[tokio::test]
async fn a_broker_of_the_other_version_is_named() {
    for (version, code, expected) in
        [(MqttVersion::V5, 0x84, "try version 3.1.1"), (MqttVersion::V311, 1, "3.1.1")]
    {
        let broker = Broker::start(version == MqttVersion::V5).await;
        *broker.state.connack.lock().unwrap() = code;
        let error = open(options(&broker, version)).send(&batch(0..1)).await.unwrap_err();
        assert!(matches!(error, EndpointError::Unreachable { .. }), "{error:?}");
        assert!(Report(&error).to_string().contains(expected), "{}", Report(&error));
    }
}

#[tokio::test]
async fn reason_codes_decide_each_message() {
    let broker = Broker::start(true).await;
    broker.state.reasons.lock().unwrap().extend([
        ("0".into(), 0x10),
        ("1".into(), 0x90),
        ("2".into(), 0x99),
        ("4".into(), 0x97),
    ]);
    let upstream = open(options(&broker, MqttVersion::V5).in_flight(NonZeroU16::MIN));
    let outcomes = upstream.send(&batch(0..6)).await.unwrap();
    assert_eq!(outcomes[0], Outcome::Accepted, "nobody listens, and that is no refusal");
    assert!(matches!(&outcomes[1], Outcome::Rejected { reason } if reason.contains("TopicNameInvalid")));
    assert!(matches!(&outcomes[2], Outcome::Rejected { reason } if reason.contains("PayloadFormatInvalid")));
    assert_eq!(outcomes[3..], [Outcome::Accepted, Outcome::Released, Outcome::Released]);
    assert_eq!(text(&broker.bodies()), ["0", "3"], "nothing overtakes what is released");
}

#[tokio::test]
async fn what_is_too_large_for_the_broker_is_not_sent() {
    let broker = Broker::start(true).await;
    broker.state.welcome.lock().unwrap().max_packet_bytes = Some(500);
    let upstream = open(options(&broker, MqttVersion::V5));
    let mut all = batch(0..3);
    all[1] = stored(1, message(1).to_builder().body(&[7; 500]).build());
    let outcomes = upstream.send(&all).await.unwrap();
    assert!(matches!(&outcomes[1], Outcome::Rejected { reason } if reason.contains("the broker takes 500")));
    assert_eq!((&outcomes[0], &outcomes[2]), (&Outcome::Accepted, &Outcome::Accepted));
    let outcomes = upstream.send(&all[1..2]).await.unwrap();
    assert!(matches!(outcomes.as_slice(), [Outcome::Rejected { .. }]), "alone, too");
}

#[tokio::test]
async fn the_brokers_window_is_kept() {
    let broker = Broker::start(true).await;
    broker.state.welcome.lock().unwrap().receive_max = Some(2);
    broker.set(Mode::Withholding);
    let upstream = open(options(&broker, MqttVersion::V5));
    let all = batch(0..20);
    let (outcomes, ()) = tokio::join!(upstream.send(&all), async {
        broker.holds(2).await;
        broker.set(Mode::Open);
    });
    assert_eq!(outcomes.unwrap(), vec![Outcome::Accepted; 20]);
    assert_eq!(broker.state.most_held.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_broker_without_qos_1_is_refused() {
    let broker = Broker::start(true).await;
    broker.state.welcome.lock().unwrap().max_qos = Some(0);
    let error = open(options(&broker, MqttVersion::V5)).send(&batch(0..1)).await.unwrap_err();
    assert!(Report(&error).to_string().contains("QoS 1"), "{}", Report(&error));
}

#[tokio::test]
async fn a_broker_that_never_answers_is_left() {
    let broker = Broker::start(true).await;
    broker.set(Mode::Withholding);
    let patience = Duration::from_millis(50);
    let upstream = open(options(&broker, MqttVersion::V5).ack_timeout(patience));
    let error = upstream.send(&batch(0..3)).await.unwrap_err();
    assert!(matches!(error, EndpointError::TimedOut { after } if after == patience), "{error:?}");
    broker.set(Mode::Open);
    assert_eq!(upstream.send(&batch(0..3)).await.unwrap(), vec![Outcome::Accepted; 3]);
}

#[tokio::test]
async fn a_silent_connection_is_tried_and_made_anew() {
    let broker = Broker::start(true).await;
    let options = options(&broker, MqttVersion::V5);
    let upstream = open(options.keep_alive(Duration::from_secs(1)).ack_timeout(Duration::from_millis(50)));
    assert_eq!(upstream.send(&batch(0..1)).await.unwrap(), [Outcome::Accepted]);
    broker.set(Mode::Withholding);
    upstream.ready().await;
    assert_eq!(*broker.state.connections.borrow(), 2, "the unanswered ping gave the first one away");
}

#[tokio::test]
async fn a_broker_that_comes_back_makes_the_endpoint_ready() {
    let broker = Broker::start(true).await;
    broker.set(Mode::Cut);
    let upstream = open(options(&broker, MqttVersion::V5));
    let error = upstream.send(&batch(0..1)).await.unwrap_err();
    assert!(matches!(error, EndpointError::Unreachable { .. }), "{error:?}");
    broker.set(Mode::Open);
    upstream.ready().await;
    assert_eq!(upstream.send(&batch(0..1)).await.unwrap(), [Outcome::Accepted]);
}

#[tokio::test]
async fn closing_says_goodbye_and_is_final() {
    let broker = Broker::start(true).await;
    let upstream = open(options(&broker, MqttVersion::V5));
    assert_eq!(upstream.send(&batch(0..1)).await.unwrap(), [Outcome::Accepted]);
    upstream.close().await;
    broker.state.goodbyes.subscribe().wait_for(|said| *said == 1).await.unwrap();
    assert!(matches!(upstream.send(&batch(0..1)).await, Err(EndpointError::Closed)));
}

#[tokio::test]
async fn properties_arrive_as_they_are_documented() {
    let broker = Broker::start(true).await;
    let upstream = open(options(&broker, MqttVersion::V5));
    let message = edge_core::Message::builder(&Source::telemetry())
        .system(SystemKey::ConnectionDeviceId, "press+7")
        .system(SystemKey::ContentType, "application/json")
        .property("Linie", "süd")
        .null_property("spare")
        .body(b"{}")
        .build();
    assert_eq!(upstream.send(&[stored(0, message)]).await.unwrap(), [Outcome::Accepted]);
    let taken = broker.state.taken.lock().unwrap();
    assert_eq!(taken[0].topic, "edge/press%2B7/events");
    assert_eq!(taken[0].content_type.as_deref(), Some("application/json"));
    let user: Vec<_> = taken[0].user_properties.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(user, [("$connectionDeviceId", "press+7"), ("Linie", "süd"), ("spare", "")]);
}

#[tokio::test]
async fn tls_shows_a_certificate_and_judges_the_brokers() {
    let dir = tempfile::tempdir().unwrap();
    let pki = pki::make(dir.path());
    let broker = Broker::start_with(true, Some(pki.server.clone())).await;
    let url = format!("mqtts://localhost:{}", broker.port);
    let new = || MqttUpstreamOptions::new(url.parse().unwrap(), "t".parse().unwrap(), "edge1");

    let known = open(new().ca_file(&pki.ca).client_certificate(&pki.client_chain, &pki.client_key));
    assert_eq!(known.send(&batch(0..3)).await.unwrap(), vec![Outcome::Accepted; 3]);

    let error = open(new().ca_file(&pki.ca)).send(&batch(0..1)).await.unwrap_err();
    assert!(matches!(error, EndpointError::Unauthorized { .. }), "{error:?}");

    let foreign =
        open(new().client_certificate(&pki.client_chain, &pki.client_key).ca_file(&pki.client_chain));
    let error = foreign.send(&batch(0..1)).await.unwrap_err();
    assert!(matches!(error, EndpointError::Unreachable { .. }), "{error:?}");
    assert_eq!(text(&broker.bodies()).len(), 3, "nothing reaches a broker that nobody vouches for");
}

#[tokio::test]
async fn contradictory_options_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(true).await;
    let plain = options(&broker, MqttVersion::V5);
    let tls = MqttUpstreamOptions::new("mqtts://localhost".parse().unwrap(), "t".parse().unwrap(), "c");
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for (options, expected) in [
        (plain.clone().ca_file("ca.pem"), "write mqtts://127.0.0.1"),
        (
            plain.version(MqttVersion::V311).properties("user-properties".parse().unwrap()),
            "has no user properties",
        ),
        (tls.clone().ca_file("/nowhere/ca.pem"), "reading /nowhere/ca.pem failed"),
        (tls.ca_file(&empty), "holds no certificate"),
    ] {
        let error = MqttUpstream::new(EndpointId::upstream(), options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
