//! MQTT over TCP, on loopback, against a gateway that notes everything.

mod common;

use bytes::Bytes;
use common::{start, start_with};
use edge_core::{
    Channel, CloseReason, Feed, FeedSet, Identity, IncidentKind, Message, Settlement, Source, SystemKey,
    TwinRequest,
};
use edge_transport::TransportLimits;
use edge_transport::mqtt::packet::{ConnectCode, Packet, Publish, Quality, v4};
use edge_transport::testing::MqttClient;

#[tokio::test]
async fn telemetry_is_published_and_acknowledged() {
    let running = start().await;
    let mut client = running.client("d").await;
    let id = client.publish("devices/d/messages/events/%24.mid=m1&line=7", b"21.5").await.unwrap();
    assert!(client.receive(|packet| packet == Packet::PubAck(id)).await.unwrap());
    let published = running.gateway.published();
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].body(), b"21.5");
    assert_eq!(published[0].source(), "/messages/");
    assert_eq!(published[0].system().value(SystemKey::MessageId), Some("m1"));
    assert_eq!(published[0].system().value(SystemKey::ConnectionDeviceId), Some("d"));
    assert_eq!(published[0].properties().value("line"), Some(Some("7")));
}

#[tokio::test]
async fn a_thousand_messages_in_flight_are_acknowledged_in_order() {
    let running = start().await;
    let mut client = running.client("d").await;
    let mut ids = Vec::new();
    for n in 0..1000u32 {
        ids.push(client.publish("devices/d/messages/events/", &n.to_le_bytes()).await.unwrap());
    }
    for id in ids {
        assert!(client.receive(|packet| packet == Packet::PubAck(id)).await.unwrap());
    }
    let bodies: Vec<u32> = running
        .gateway
        .published()
        .iter()
        .map(|m| u32::from_le_bytes(m.body().try_into().unwrap()))
        .collect();
    assert_eq!(bodies, (0..1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_wrong_token_is_refused_with_5_and_closed() {
    let running = start().await;
    let mut client = MqttClient::dial(running.address).await.unwrap();
    assert_eq!(client.connect("d", "wrong").await.unwrap(), ConnectCode::NotAuthorized);
    client.closed().await.unwrap();
    assert_eq!(running.gateway.sessions(), 0);
}

#[tokio::test]
async fn no_acknowledgement_before_the_receipt() {
    let running = start().await;
    let mut client = running.client("d").await;
    running.gateway.hold_receipts(true);
    let id = client.publish("devices/d/messages/events/", b"1").await.unwrap();
    running.gateway.until(|gateway| gateway.held() == 1).await;
    client.send(&Packet::PingReq).await.unwrap();
    assert!(client.receive(|packet| packet == Packet::PingResp).await.unwrap());
    assert!(running.gateway.resolve_next(true));
    assert!(client.receive(|packet| packet == Packet::PubAck(id)).await.unwrap());
}

#[tokio::test]
async fn a_failed_receipt_closes_the_connection() {
    let running = start().await;
    let mut client = running.client("d").await;
    running.gateway.hold_receipts(true);
    client.publish("devices/d/messages/events/", b"1").await.unwrap();
    running.gateway.until(|gateway| gateway.held() == 1).await;
    running.gateway.resolve_next(false);
    assert!(client.receive(|_| ()).await.is_err());
    running.gateway.until(|gateway| gateway.sessions() == 0).await;
}

#[tokio::test]
async fn the_newer_connection_wins() {
    let running = start().await;
    let mut first = running.client("d").await;
    let mut second = running.client("d").await;
    first.closed().await.unwrap();
    let id = second.publish("devices/d/messages/events/", b"1").await.unwrap();
    assert!(second.receive(|packet| packet == Packet::PubAck(id)).await.unwrap());
}

#[tokio::test]
async fn inputs_are_delivered_and_settled() {
    let running = start().await;
    let module: Identity = "e/m".parse().unwrap();
    let mut client = running.client("e/m").await;
    let id = client.subscribe("devices/e/modules/m/inputs/#").await.unwrap();
    assert!(client.receive(|p| p == Packet::SubAck { packet_id: id, codes: &[1] }).await.unwrap());
    assert_eq!(running.gateway.feeds(&module), FeedSet::from(Feed::Inputs));
    let message = Message::builder(&Source::telemetry())
        .system(SystemKey::ConnectionDeviceId, "d")
        .body(b"hot")
        .build();
    let input = Channel::Input("in".parse().unwrap());
    running.gateway.deliver(&module, input.clone(), message.clone()).unwrap();
    let id = client
        .receive(|packet| match packet {
            Packet::Publish(Publish {
                topic,
                quality: Quality::AtLeastOnce(id),
                dup: false,
                payload: b"hot",
                ..
            }) => {
                assert_eq!(topic, "devices/e/modules/m/inputs/in/%24.cdid=d");
                id
            }
            other => panic!("{other:?}"),
        })
        .await
        .unwrap();
    client.send(&Packet::PubAck(id)).await.unwrap();
    running.gateway.until(|gateway| gateway.settled() == [(0, Settlement::Accept)]).await;
    running.gateway.redeliver(&module, input, message).unwrap();
    assert!(client.receive(|p| matches!(p, Packet::Publish(Publish { dup: true, .. }))).await.unwrap());
    drop(client);
    running.gateway.until(|gateway| gateway.settled().last() == Some(&(1, Settlement::Release))).await;
}

#[tokio::test]
async fn someone_elses_topic_closes_the_connection() {
    let running = start().await;
    let mut client = running.client("d").await;
    client.publish("devices/other/messages/events/", b"1").await.unwrap();
    client.closed().await.unwrap();
    assert_eq!(running.gateway.incidents(), [IncidentKind::ForeignTopic]);
    assert!(running.gateway.published().is_empty());
}

#[tokio::test]
async fn a_connection_too_many_is_closed() {
    let running = start_with(TransportLimits { max_connections: 1, ..TransportLimits::default() }).await;
    let first = running.client("d").await;
    let mut second = MqttClient::dial(running.address).await.unwrap();
    second.closed().await.unwrap();
    assert_eq!(running.gateway.incidents(), [IncidentKind::TooManyConnections]);
    drop(first);
    running.gateway.until(|gateway| gateway.sessions() == 0).await;
}

#[tokio::test]
async fn stopping_closes_what_is_not_open_and_waits_for_the_rest() {
    let mut running = start().await;
    let mut silent = MqttClient::dial(running.address).await.unwrap();
    let mut open = running.client("d").await;
    running.stopper.stop();
    silent.closed().await.unwrap();
    let id = open.publish("devices/d/messages/events/", b"1").await.unwrap();
    assert!(open.receive(|packet| packet == Packet::PubAck(id)).await.unwrap());
    running.gateway.close(&"d".parse().unwrap(), CloseReason::Stopping);
    open.closed().await.unwrap();
    running.tasks.join_next().await.unwrap().unwrap();
    assert_eq!(running.resources.connections(), 0);
    assert!(MqttClient::dial(running.address).await.is_err());
}

#[tokio::test]
async fn a_storm_of_twin_requests_is_answered_one_by_one() {
    let running = start().await;
    let mut client = running.client("d").await;
    client.subscribe_to_requests().await.unwrap();
    let mut bytes = Vec::new();
    for n in 0..500 {
        let topic = format!("$iothub/twin/PATCH/properties/reported/?$rid={n}");
        let quality = Quality::AtMostOnce;
        let publish = Publish { topic: &topic, quality, dup: false, retain: false, payload: b"{}" };
        v4::encode(&Packet::Publish(publish), &mut bytes).unwrap();
    }
    client.send_bytes(&bytes).await.unwrap();
    for n in 0..500 {
        let topic = format!("$iothub/twin/res/204/?$rid={n}&$version=2");
        let is_answer =
            |packet: Packet<'_>| matches!(packet, Packet::Publish(answer) if answer.topic == topic);
        assert!(client.receive(is_answer).await.unwrap());
    }
    assert_eq!(running.gateway.twin_requests().len(), 500);
    assert_eq!(running.gateway.twin_requests()[0], TwinRequest::Report(Bytes::from_static(b"{}")));
}
