//! The whole path over a real socket: an MQTT client in, a module or an upstream out.
#![allow(missing_docs, reason = "a test")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;

use common::{Scripted, while_running};
use edge_core::{Clock, SystemClock};
use edge_hub::{Hub, HubBuilder, IdentityAuth, IdentityEntry, Registry};
use edge_transport::iothub::{SasKey, SasToken};
use edge_transport::mqtt::packet::{ConnectCode, Packet, Publish, Quality};
use edge_transport::testing::MqttClient;
use edge_transport::{Listener, MqttListener, Resources, TransportLimits};

const KEY: &str = "c2VjcmV0";

fn token(subject: &str, key: &str) -> String {
    let key: SasKey = key.parse().unwrap();
    let expires = SystemClock.wall() + std::time::Duration::from_secs(3600);
    SasToken::sign("hub.local", &subject.parse().unwrap(), &key, expires)
}

/// Returns a hub that listens on a free port, with its address.
async fn hub(change: impl FnOnce(HubBuilder) -> HubBuilder) -> (Hub, SocketAddr) {
    hub_within(TransportLimits::default(), change).await
}

async fn hub_within(
    limits: TransportLimits,
    change: impl FnOnce(HubBuilder) -> HubBuilder,
) -> (Hub, SocketAddr) {
    let entry =
        |name: &str| IdentityEntry::new(name.parse().unwrap(), IdentityAuth::sas(vec![KEY.parse().unwrap()]));
    let identities = ["sensor1", "edge1/filter", "edge1/sink"].map(entry);
    let listener = MqttListener::bind("127.0.0.1:0", &Resources::new(limits)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let builder = Hub::builder("edge1".parse().unwrap())
        .authenticator(Arc::new(Registry::new(["hub.local"]).with_identities(identities)))
        .listener(Box::new(listener));
    (change(builder).build().unwrap(), address)
}

async fn connected(address: SocketAddr, id: &str) -> MqttClient {
    let mut client = MqttClient::dial(address).await.unwrap();
    assert_eq!(client.connect(id, &token(id, KEY)).await.unwrap(), ConnectCode::Accepted);
    client
}

#[tokio::test]
async fn telemetry_is_acknowledged_and_arrives() {
    let upstream = Arc::new(Scripted::upstream([]));
    let (hub, address) =
        hub(|b| b.endpoint(upstream.clone()).route("up", "FROM /messages/* INTO $upstream")).await;
    let (report, ()) = while_running(hub, async {
        let mut client = connected(address, "sensor1").await;
        for i in 0..100u8 {
            let id = client.publish("devices/sensor1/messages/events/a=b", &[i]).await.unwrap();
            let acked = client.receive(|packet| matches!(packet, Packet::PubAck(acked) if acked == id));
            assert!(acked.await.unwrap());
        }
        upstream.until(100).await;
    })
    .await;
    assert_eq!(upstream.accepted(), (0..100u8).map(|i| vec![i]).collect::<Vec<_>>());
    let ledger = report.unwrap().ledger;
    assert_eq!((ledger.total.delivered, ledger.total.residual()), (100, 0));
}

#[tokio::test]
async fn wrong_credentials_are_refused_with_code_five() {
    let (hub, address) = hub(|b| b).await;
    let handle = hub.handle();
    let (_, ()) = while_running(hub, async {
        for (id, token) in [
            ("sensor1", token("sensor1", "d3Jvbmc=")),
            ("sensor1", token("edge1/filter", KEY)),
            ("nobody", token("nobody", KEY)),
        ] {
            let mut client = MqttClient::dial(address).await.unwrap();
            assert_eq!(client.connect(id, &token).await.unwrap(), ConnectCode::NotAuthorized, "{id}");
            client.closed().await.unwrap();
        }
    })
    .await;
    let metrics = handle.metrics();
    assert!(metrics.contains(r#"reason="not_authenticated"} 2"#), "{metrics}");
    assert!(metrics.contains(r#"reason="unknown_identity"} 1"#), "{metrics}");
}

#[tokio::test]
async fn a_module_gets_what_another_sends_and_keeps_its_subscription() {
    let route =
        r#"FROM /messages/modules/filter/outputs/hot INTO BrokeredEndpoint("/modules/sink/inputs/in")"#;
    let (hub, address) = hub(|b| b.route("hot", route)).await;
    let handle = hub.handle();
    let (_, ()) = while_running(hub, async {
        let mut sink = connected(address, "edge1/sink").await;
        sink.subscribe("devices/edge1/modules/sink/inputs/#").await.unwrap();
        assert!(sink.receive(|packet| matches!(packet, Packet::SubAck { .. })).await.unwrap());
        let mut filter = connected(address, "edge1/filter").await;
        let topic = "devices/edge1/modules/filter/messages/events/%24.on=hot&a=1";
        for round in 0..2u8 {
            filter.publish(topic, &[round]).await.unwrap();
            let (topic, payload, id) = sink
                .receive(|packet| match packet {
                    Packet::Publish(Publish {
                        topic, quality: Quality::AtLeastOnce(id), payload, ..
                    }) => (topic.to_owned(), payload.to_vec(), id),
                    other => panic!("{other:?}"),
                })
                .await
                .unwrap();
            assert!(topic.starts_with("devices/edge1/modules/sink/inputs/in/"), "{topic}");
            assert_eq!(payload, [round]);
            sink.send(&Packet::PubAck(id)).await.unwrap();
            // The settled message is not delivered again after a reconnect, and the subscription is still there.
            until_real(|| handle.ledger().total.delivered == u64::from(round) + 1).await;
            sink = connected(address, "edge1/sink").await;
        }
    })
    .await;
}

/// Waits for something that real sockets bring about.
async fn until_real(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_same_id_takes_over_and_a_foreign_topic_ends_the_connection() {
    let (hub, address) = hub(|b| b).await;
    let handle = hub.handle();
    let (_, ()) = while_running(hub, async {
        let mut first = connected(address, "sensor1").await;
        let mut second = connected(address, "sensor1").await;
        first.closed().await.unwrap();
        second.publish("devices/other/messages/events/", b"x").await.unwrap();
        second.closed().await.unwrap();
    })
    .await;
    assert!(handle.metrics().contains(r#"kind="foreign_topic""#));
}

#[tokio::test]
async fn a_module_that_acknowledges_nothing_can_be_taken_over() {
    let route = r#"FROM /messages/* INTO BrokeredEndpoint("/modules/sink/inputs/in")"#;
    let limits = TransportLimits { max_deliveries: 1, ..TransportLimits::default() };
    let (hub, address) = hub_within(limits, |b| b.route("r", route)).await;
    let (_, ()) = while_running(hub, async {
        let mut first = connected(address, "edge1/sink").await;
        first.subscribe("devices/edge1/modules/sink/inputs/#").await.unwrap();
        assert!(first.receive(|packet| matches!(packet, Packet::SubAck { .. })).await.unwrap());
        let mut sensor = connected(address, "sensor1").await;
        for i in 0..3u8 {
            sensor.publish("devices/sensor1/messages/events/", &[i]).await.unwrap();
        }
        assert!(first.receive(|packet| matches!(packet, Packet::Publish(_))).await.unwrap());
        let mut second = connected(address, "edge1/sink").await;
        first.closed().await.unwrap();
        let again = second.receive(|packet| matches!(packet, Packet::Publish(p) if p.payload == [0]));
        assert!(again.await.unwrap(), "what was not acknowledged comes again");
    })
    .await;
}
