//! The service side over AMQP, on loopback: messages to devices, and what became of them.

mod common;

use std::sync::Arc;

use common::{Running, run};
use edge_core::service::{IdentitySpec, LockOutcome, Service as _};
use edge_core::{Clock as _, IncidentKind, Message, Source, SystemClock, SystemKey};
use edge_transport::testing::{AmqpClient, AmqpEvent, FakeGateway, FakeService};
use edge_transport::{AmqpListener, Resources, TransportLimits};

const SEND: &str = "amqps://hub.local/messages/devicebound";
const FEEDBACK: &str = "/messages/serviceBound/feedback";

async fn start() -> (Running, FakeService) {
    let resources = Resources::new(TransportLimits::default());
    let service = FakeService::default();
    service.create(IdentitySpec::new("d".parse().unwrap())).await.unwrap();
    let listener = AmqpListener::bind("127.0.0.1:0", &resources).await.unwrap();
    (run(listener.with_service(Arc::new(service.clone())), resources), service)
}

async fn connect(running: &Running, audience: &str, token: &str) -> AmqpClient {
    let mut client = AmqpClient::dial(running.address).await.unwrap();
    client.open().await.unwrap();
    assert_eq!(client.put_token(audience, token).await.unwrap(), 200);
    client
}

fn batch(lock: &str) -> Message {
    let message = Message::builder(&Source::telemetry()).system(SystemKey::LockToken, lock);
    message.body(format!("[\"{lock}\"]").as_bytes()).build()
}

#[tokio::test]
async fn messages_to_devices_are_accepted_or_say_why_not() {
    let (running, service) = start().await;
    let mut client = connect(&running, "https://hub.local", FakeService::TOKEN).await;
    assert!(client.attach_sender(5, SEND).await.unwrap());
    let to = |to: &str| {
        let message = Message::builder(&Source::telemetry()).system(SystemKey::To, to);
        message
            .system(SystemKey::MessageId, "m1")
            .system(SystemKey::Ack, "full")
            .property("a", "1")
            .body(b"hi")
            .build()
    };
    for (address, accepted) in [
        ("/devices/d/messages/devicebound", true),
        ("/devices/nobody/messages/devicebound", false),
        ("/devices/d/messages/events", false),
        ("", false),
    ] {
        let id = client.send_message(5, &to(address)).await.unwrap();
        assert_eq!(client.accepted(id).await.unwrap(), accepted, "{address}");
    }
    let waiting = service.waiting(&"d".parse().unwrap());
    assert_eq!((waiting.len(), waiting[0].body()), (1, &b"hi"[..]));
    let system = |key| waiting[0].system().value(key);
    assert_eq!((system(SystemKey::MessageId), system(SystemKey::Ack)), (Some("m1"), Some("full")));
    assert_eq!(waiting[0].properties().value("a"), Some(Some("1")));
}

#[tokio::test]
async fn feedback_comes_one_batch_at_a_time_and_is_settled() {
    let (running, service) = start().await;
    service.put_feedback(batch("1"));
    service.put_feedback(batch("2"));
    let mut client = connect(&running, "hub.local", FakeService::TOKEN).await;
    assert!(client.attach_receiver(6, FEEDBACK).await.unwrap());
    for lock in ["1", "2"] {
        let (id, body) = client.receive(6).await.unwrap();
        assert_eq!(body, format!("[\"{lock}\"]").as_bytes());
        client.settle(id, Some(true)).await.unwrap();
    }
    // It is answered after the settlement that came before it.
    assert_eq!(client.put_token("hub.local", FakeService::TOKEN).await.unwrap(), 200);
    let complete = |lock: &str| (lock.to_owned(), LockOutcome::Complete);
    assert_eq!(service.settled(), [complete("1"), complete("2")]);
    assert!(!client.attach_receiver(7, FEEDBACK).await.unwrap(), "one link for feedback is enough");
}

#[tokio::test]
async fn feedback_that_is_given_back_comes_again() {
    let (running, service) = start().await;
    service.put_feedback(batch("1"));
    let mut client = connect(&running, "hub.local", FakeService::TOKEN).await;
    assert!(client.attach_receiver(6, FEEDBACK).await.unwrap());
    let (id, first) = client.receive(6).await.unwrap();
    client.settle(id, None).await.unwrap();
    let (id, second) = client.receive(6).await.unwrap();
    assert_eq!(first, second);
    client.settle(id, Some(true)).await.unwrap();
    assert_eq!(client.put_token("hub.local", FakeService::TOKEN).await.unwrap(), 200);
    let outcomes: Vec<_> = service.settled().into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [LockOutcome::Abandon, LockOutcome::Complete]);
}

#[tokio::test]
async fn devices_have_no_links_of_the_service_side() {
    let (running, service) = start().await;
    service.put_feedback(batch("1"));
    let mut client = connect(&running, "hub.local/devices/d", FakeGateway::TOKEN).await;
    assert!(!client.attach_sender(5, SEND).await.unwrap());
    assert!(!client.attach_receiver(6, FEEDBACK).await.unwrap());
    assert_eq!(running.gateway.incidents(), [IncidentKind::ForeignTopic; 2]);
    assert_eq!(
        client.put_token("hub.local", FakeGateway::TOKEN).await.unwrap(),
        401,
        "a policy's token is another one"
    );
    assert_eq!(service.settled(), []);
}

#[tokio::test]
async fn a_connection_ends_when_its_only_token_has_run_out() {
    let (running, service) = start().await;
    service.let_tokens_expire(SystemClock.wall());
    let mut client = connect(&running, "hub.local", FakeService::TOKEN).await;
    assert_eq!(client.closed().await.unwrap(), "amqp:unauthorized-access");
    // Who has a token of its own as well goes on with it.
    let mut client = connect(&running, "hub.local/devices/d", FakeGateway::TOKEN).await;
    assert!(client.attach_sender(5, "/devices/d/messages/events").await.unwrap());
    assert_eq!(client.put_token("hub.local", FakeService::TOKEN).await.unwrap(), 200);
    // Refused, or taken just before and ended: the link goes either way.
    client.attach_sender(6, SEND).await.unwrap();
    while !matches!(client.event().await.unwrap(), AmqpEvent::Detached { handle: 6, .. }) {}
    let id = client.send_data(5, b"still here").await.unwrap();
    assert!(client.accepted(id).await.unwrap());
}
