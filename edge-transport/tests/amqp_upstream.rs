//! The AMQP upstream against a broker that does what the test tells it.

mod upstream;

use std::num::NonZeroU16;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::testing::endpoint::EndpointHarness;
use edge_core::{Disposition, Endpoint, EndpointError, EndpointId, Outcome, Report, Source, SystemKey};
use edge_transport::upstream::{AmqpLogin, AmqpUpstream, AmqpUpstreamOptions};
use fe2o3_amqp::types::definitions::AmqpError;
use tokio::sync::OnceCell;
use upstream::amqp_broker::{AmqpBroker, Cut, Verdict, stingy};
use upstream::broker::Mode;
use upstream::poison::{all_but, arrivals, deliver_past};
use upstream::{batch, message, pki, stored};

fn options(broker: &AmqpBroker) -> AmqpUpstreamOptions {
    let url = format!("amqp://127.0.0.1:{}", broker.port).parse().unwrap();
    AmqpUpstreamOptions::new(url, "/queue/events", "edge1").in_flight(NonZeroU16::new(8).unwrap())
}

fn open(options: AmqpUpstreamOptions) -> AmqpUpstream {
    AmqpUpstream::new(EndpointId::upstream(), options).unwrap()
}

fn text(bodies: &[Bytes]) -> Vec<String> {
    bodies.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect()
}

/// Runs the kit of endpoints.
#[derive(Default)]
struct Kit(OnceCell<AmqpBroker>);

impl Kit {
    async fn broker(&self) -> &AmqpBroker {
        self.0.get_or_init(AmqpBroker::start).await
    }
}

#[async_trait]
impl EndpointHarness for Kit {
    type Endpoint = AmqpUpstream;

    async fn open(&self) -> AmqpUpstream {
        open(options(self.broker().await))
    }

    async fn taken(&self) -> Vec<Bytes> {
        self.broker().await.bodies()
    }

    async fn refuse(&self, body: &[u8]) -> bool {
        let verdict = Verdict::Reject(AmqpError::NotAllowed, "not here");
        self.broker().await.state.verdicts.lock().unwrap().push((Bytes::copy_from_slice(body), verdict));
        true
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

mod kit {
    edge_core::endpoint_conformance!(super::Kit::default());
}

/// Sends as the hub's pump does, until all are accepted.
async fn pump(upstream: &AmqpUpstream, count: u64) {
    let mut at = 0;
    while at < count {
        match upstream.send(&batch(at..count)).await {
            Ok(outcomes) => {
                at += outcomes.iter().take_while(|outcome| **outcome == Outcome::Accepted).count() as u64;
            }
            Err(_lost) => upstream.ready().await,
        }
    }
}

/// Checks that a cut in the middle loses nothing, and that all arrive in the order of their first arrival.
async fn check_cut(when: Cut) {
    let broker = AmqpBroker::start().await;
    *broker.state.cut.lock().unwrap() = Some(("13".into(), when));
    let upstream = open(options(&broker));
    pump(&upstream, 30).await;
    let mut firsts = Vec::new();
    for body in text(&broker.bodies()) {
        if !firsts.contains(&body) {
            firsts.push(body);
        }
    }
    assert_eq!(firsts, (0..30).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(*broker.state.connections.borrow(), 2);
}

#[tokio::test]
async fn a_cut_before_the_outcome_loses_nothing() {
    check_cut(Cut::BeforeSettling).await;
}

#[tokio::test]
async fn a_cut_after_the_outcome_loses_nothing() {
    check_cut(Cut::AfterSettling).await;
}

#[tokio::test]
async fn a_message_that_the_broker_hangs_up_on_is_refused_and_the_rest_passes() {
    let broker = AmqpBroker::start().await;
    *broker.state.poison.lock().unwrap() = Some("5".into());
    deliver_past(&open(options(&broker)), 5).await;
    assert_eq!(arrivals(&broker.bodies()), all_but(5), "all the others have arrived, in order");
}

#[tokio::test]
async fn each_state_is_its_outcome() {
    let broker = AmqpBroker::start().await;
    broker.state.verdicts.lock().unwrap().extend([
        ("1".into(), Verdict::Reject(AmqpError::DecodeError, "no JSON")),
        ("2".into(), Verdict::Modify { undeliverable: true }),
        ("4".into(), Verdict::Modify { undeliverable: false }),
    ]);
    let upstream = open(options(&broker).in_flight(NonZeroU16::MIN));
    let outcomes = upstream.send(&batch(0..6)).await.unwrap();
    assert_eq!(outcomes[0], Outcome::Accepted);
    assert!(
        matches!(&outcomes[1], Outcome::Rejected { reason } if reason.ends_with("amqp:decode-error: no JSON")),
        "{:?}",
        outcomes[1]
    );
    assert!(matches!(&outcomes[2], Outcome::Rejected { reason } if reason.contains("cannot be delivered")));
    assert_eq!(outcomes[3..], [Outcome::Accepted, Outcome::Released, Outcome::Released]);
    assert_eq!(text(&broker.bodies()), ["0", "3"], "nothing overtakes what is released");
}

#[tokio::test]
async fn a_full_broker_and_a_release_are_for_later() {
    let broker = AmqpBroker::start().await;
    broker.state.verdicts.lock().unwrap().extend([
        ("0".into(), Verdict::Reject(AmqpError::ResourceLimitExceeded, "full")),
        ("1".into(), Verdict::Release),
    ]);
    let upstream = open(options(&broker).in_flight(NonZeroU16::MIN));
    assert_eq!(upstream.send(&batch(0..1)).await.unwrap(), [Outcome::Released]);
    assert_eq!(upstream.send(&batch(1..2)).await.unwrap(), [Outcome::Released]);
}

#[tokio::test]
async fn refused_credentials_are_named() {
    let broker = AmqpBroker::start().await;
    *broker.state.login.lock().unwrap() = Some(("edge1".into(), "right".into()));
    let error = open(options(&broker).login("edge1", "wrong")).send(&batch(0..1)).await.unwrap_err();
    assert!(matches!(error, EndpointError::Unauthorized { .. }), "{error:?}");
    assert_eq!(error.disposition(), Disposition::Retry);
    assert!(Report(&error).to_string().contains("check user name and password"), "{}", Report(&error));
    let error = open(options(&broker)).send(&batch(0..1)).await.unwrap_err();
    assert!(Report(&error).to_string().contains("by ANONYMOUS, it offers PLAIN"), "{}", Report(&error));
    let upstream = open(options(&broker).login("edge1", "right"));
    assert_eq!(upstream.send(&batch(0..1)).await.unwrap(), [Outcome::Accepted]);
}

#[tokio::test]
async fn a_wrong_address_is_named() {
    let broker = AmqpBroker::start().await;
    *broker.state.address.lock().unwrap() = Some("/queue/other".into());
    let error = open(options(&broker)).send(&batch(0..1)).await.unwrap_err();
    assert!(matches!(error, EndpointError::Unreachable { .. }), "{error:?}");
    let report = Report(&error).to_string();
    assert!(report.contains("link to \"/queue/events\"") && report.contains("amqp:not-found"), "{report}");
}

#[tokio::test]
async fn what_is_no_amqp_is_named() {
    let broker = upstream::broker::Broker::start(true).await;
    broker.set(Mode::Cut);
    let url = format!("amqp://127.0.0.1:{}", broker.port).parse().unwrap();
    let error = open(AmqpUpstreamOptions::new(url, "q", "edge1")).send(&batch(0..1)).await.unwrap_err();
    assert!(Report(&error).to_string().contains("the port of AMQP 1.0"), "{}", Report(&error));
    let web = upstream::http_server::HttpServer::start(None).await;
    let url = format!("amqp://127.0.0.1:{}", web.port).parse().unwrap();
    let error = open(AmqpUpstreamOptions::new(url, "q", "edge1")).send(&batch(0..1)).await.unwrap_err();
    assert!(Report(&error).to_string().contains("no AMQP 1.0 broker"), "{}", Report(&error));
}

#[tokio::test]
async fn what_is_too_large_for_the_broker_is_not_sent() {
    let broker = AmqpBroker::start().await;
    *broker.state.max_message_bytes.lock().unwrap() = Some(500);
    let upstream = open(options(&broker));
    let mut all = batch(0..3);
    all[1] = stored(1, message(1).to_builder().body(&[7; 500]).build());
    let outcomes = upstream.send(&all).await.unwrap();
    assert!(matches!(&outcomes[1], Outcome::Rejected { reason } if reason.contains("the broker takes 500")));
    assert_eq!((&outcomes[0], &outcomes[2]), (&Outcome::Accepted, &Outcome::Accepted));
}

#[tokio::test]
async fn a_large_message_goes_in_many_frames() {
    let broker = AmqpBroker::start().await;
    let upstream = open(options(&broker));
    let large = message(1).to_builder().body(&[7; 255 << 10]).build();
    assert_eq!(upstream.send(&[stored(0, large.clone())]).await.unwrap(), [Outcome::Accepted]);
    assert_eq!(broker.bodies(), [large.body_bytes()]);
}

#[tokio::test]
async fn the_window_is_kept() {
    let broker = AmqpBroker::start().await;
    broker.set(Mode::Withholding);
    let upstream = open(options(&broker).in_flight(NonZeroU16::new(3).unwrap()));
    let all = batch(0..20);
    let (outcomes, ()) = tokio::join!(upstream.send(&all), async {
        broker.holds(3).await;
        broker.set(Mode::Open);
    });
    assert_eq!(outcomes.unwrap(), vec![Outcome::Accepted; 20]);
    assert_eq!(broker.state.most_held.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_broker_that_never_settles_is_left() {
    let broker = AmqpBroker::start().await;
    broker.set(Mode::Withholding);
    let patience = Duration::from_millis(50);
    let upstream = open(options(&broker).ack_timeout(patience));
    let error = upstream.send(&batch(0..3)).await.unwrap_err();
    assert!(matches!(error, EndpointError::TimedOut { after } if after == patience), "{error:?}");
    broker.set(Mode::Open);
    assert_eq!(upstream.send(&batch(0..3)).await.unwrap(), vec![Outcome::Accepted; 3]);
}

#[tokio::test]
async fn a_broker_that_gives_no_credit_is_named() {
    let url = format!("amqp://127.0.0.1:{}", stingy().await).parse().unwrap();
    let upstream = open(AmqpUpstreamOptions::new(url, "q", "edge1").ack_timeout(Duration::from_millis(50)));
    let error = upstream.send(&batch(0..3)).await.unwrap_err();
    assert!(Report(&error).to_string().contains("gave no credit"), "{}", Report(&error));
}

#[tokio::test]
async fn a_broker_that_comes_back_makes_the_endpoint_ready() {
    let broker = AmqpBroker::start().await;
    broker.set(Mode::Cut);
    let upstream = open(options(&broker));
    let error = upstream.send(&batch(0..1)).await.unwrap_err();
    assert!(matches!(error, EndpointError::Unreachable { .. }), "{error:?}");
    broker.set(Mode::Open);
    upstream.ready().await;
    assert_eq!(upstream.send(&batch(0..1)).await.unwrap(), [Outcome::Accepted]);
}

#[tokio::test]
async fn closing_says_goodbye_and_is_final() {
    let broker = AmqpBroker::start().await;
    let upstream = open(options(&broker));
    assert_eq!(upstream.send(&batch(0..1)).await.unwrap(), [Outcome::Accepted]);
    upstream.close().await;
    broker.state.goodbyes.subscribe().wait_for(|said| *said == 1).await.unwrap();
    assert!(matches!(upstream.send(&batch(0..1)).await, Err(EndpointError::Closed)));
}

#[tokio::test]
async fn properties_arrive_as_they_are_documented() {
    let broker = AmqpBroker::start().await;
    let upstream = open(options(&broker));
    let message = edge_core::Message::builder(&Source::telemetry())
        .system(SystemKey::ConnectionDeviceId, "press+7")
        .system(SystemKey::ContentType, "application/json")
        .system(SystemKey::MessageId, "m1")
        .property("Linie", "süd")
        .null_property("spare")
        .body(b"{}")
        .build();
    assert_eq!(upstream.send(&[stored(0, message)]).await.unwrap(), [Outcome::Accepted]);
    let taken = broker.state.taken.lock().unwrap();
    assert!(taken[0].header.as_ref().unwrap().durable);
    let shown = format!("{:?}", taken[0]);
    for expected in [
        "press+7",
        "iothub-connection-device-id",
        "application/json",
        "String(\"m1\")",
        "String(\"süd\")",
        "Null",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
}

#[tokio::test]
async fn tls_shows_a_certificate_and_judges_the_brokers() {
    let dir = tempfile::tempdir().unwrap();
    let pki = pki::make(dir.path());
    let broker = AmqpBroker::start_with(Some(pki.server.clone())).await;
    let url = format!("amqps://localhost:{}", broker.port);
    let new = || {
        AmqpUpstreamOptions::new(url.parse().unwrap(), "q", "edge1")
            .ca_file(&pki.ca)
            .login_as(AmqpLogin::Anonymous)
    };
    let known = open(new().client_certificate(&pki.client_chain, &pki.client_key));
    assert_eq!(known.send(&batch(0..3)).await.unwrap(), vec![Outcome::Accepted; 3]);
    let error = open(new()).send(&batch(0..1)).await.unwrap_err();
    assert!(matches!(error, EndpointError::Unauthorized { .. }), "{error:?}");
    let foreign =
        open(new().client_certificate(&pki.client_chain, &pki.client_key).ca_file(&pki.client_chain));
    let error = foreign.send(&batch(0..1)).await.unwrap_err();
    assert!(matches!(error, EndpointError::Unreachable { .. }), "{error:?}");
    assert_eq!(broker.bodies().len(), 3, "nothing reaches a broker that nobody vouches for");
}

#[tokio::test]
async fn contradictory_options_are_refused() {
    let broker = AmqpBroker::start().await;
    let plain = options(&broker);
    let empty = AmqpUpstreamOptions::new("amqp://localhost".parse().unwrap(), "", "c");
    for (options, expected) in [
        (plain.clone().ca_file("ca.pem"), "write amqps://127.0.0.1"),
        (plain.login_as(AmqpLogin::External), "state one, or a user name"),
        (empty, "write the name of a queue"),
    ] {
        let error = AmqpUpstream::new(EndpointId::upstream(), options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
