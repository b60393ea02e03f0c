//! A gateway that misbehaves.

use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::{
    Authenticated, Durability, FeedSet, Gateway, Hello, Incident, Message, MethodAnswer, Receipt, Refusal,
    Session, SessionEvent, TwinRequest,
};
use edge_transport::mqtt::packet::{ConnectCode, Packet};
use edge_transport::testing::MqttClient;
use edge_transport::{Listener, MqttListener, Resources, Stop, TransportLimits};
use tokio::task::JoinSet;

/// Panics when the device `bad` sends something.
struct Panics;

#[derive(Debug)]
struct PanickingSession(Authenticated);

#[async_trait]
impl Gateway for Panics {
    async fn open(&self, hello: Hello) -> Result<Box<dyn Session>, Refusal> {
        Ok(Box::new(PanickingSession(Authenticated::new(hello.claimed, "sas", None))))
    }

    fn report(&self, incident: &Incident<'_>) {
        panic!("nothing is to be reported: {incident:?}");
    }
}

impl Session for PanickingSession {
    fn authenticated(&self) -> &Authenticated {
        &self.0
    }

    fn resumed(&self) -> bool {
        false
    }

    fn feeds(&self) -> FeedSet {
        FeedSet::EMPTY
    }

    fn publish(&mut self, _batch: Vec<Message>) -> Receipt {
        assert_ne!(self.0.identity.to_string(), "bad", "the panic that this test is about");
        Receipt::ready(Ok(Durability::Memory))
    }

    fn subscribe(&mut self, _feeds: FeedSet) -> Receipt {
        Receipt::ready(Ok(Durability::Memory))
    }

    fn unsubscribe(&mut self, _feeds: FeedSet) -> Receipt {
        Receipt::ready(Ok(Durability::Memory))
    }

    fn poll_event(&mut self, _cx: &mut Context<'_>) -> Poll<SessionEvent> {
        Poll::Pending
    }

    fn poll_urgent(&mut self, _cx: &mut Context<'_>) -> Poll<SessionEvent> {
        Poll::Pending
    }

    fn twin(&mut self, _tag: Bytes, _request: TwinRequest) {}

    fn answer_method(&mut self, _id: u64, _answer: MethodAnswer) {}
}

#[tokio::test]
async fn a_panic_ends_one_connection_and_nothing_else() {
    let resources = Resources::new(TransportLimits::default());
    let listener = MqttListener::bind("127.0.0.1:0", &resources).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stopper, stop) = Stop::pair();
    let mut tasks = JoinSet::new();
    tasks.spawn(Box::new(listener).serve(Arc::new(Panics), stop));
    let mut good = MqttClient::dial(address).await.unwrap();
    let mut bad = MqttClient::dial(address).await.unwrap();
    assert_eq!(good.connect("good", "").await.unwrap(), ConnectCode::Accepted);
    assert_eq!(bad.connect("bad", "").await.unwrap(), ConnectCode::Accepted);
    bad.publish("devices/bad/messages/events/", b"x").await.unwrap();
    bad.closed().await.unwrap();
    let id = good.publish("devices/good/messages/events/", b"x").await.unwrap();
    assert!(good.receive(|packet| packet == Packet::PubAck(id)).await.unwrap());
    let mut later = MqttClient::dial(address).await.unwrap();
    assert_eq!(later.connect("later", "").await.unwrap(), ConnectCode::Accepted);
    assert_eq!(resources.connections(), 2);
}
