//! One device at several doors: connections take each other over, requests of HTTP take nothing over.
#![allow(missing_docs, reason = "a test")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::{Scripted, while_running};
use edge_core::{Clock, SystemClock};
use edge_hub::{Hub, IdentityAuth, IdentityEntry, Registry};
use edge_transport::iothub::{SasKey, SasToken};
use edge_transport::mqtt::packet::{ConnectCode, Packet};
use edge_transport::testing::{AmqpClient, HttpClient, MqttClient};
use edge_transport::{AmqpListener, Listener, MqttListener, Resources, TransportLimits, WebListener};
use tokio::net::TcpStream;

const KEY: &str = "c2VjcmV0";

fn token(key: &str) -> String {
    let key: SasKey = key.parse().unwrap();
    let expires = SystemClock.wall() + Duration::from_secs(3600);
    SasToken::sign("hub.local", &"sensor1".parse().unwrap(), &key, expires)
}

/// A hub with all doors, and their addresses: MQTT, AMQP, HTTP.
async fn hub(upstream: &Arc<Scripted>) -> (Hub, [SocketAddr; 3]) {
    let auth = IdentityAuth::sas(vec![KEY.parse().unwrap()]);
    let identity = IdentityEntry::new("sensor1".parse().unwrap(), auth);
    let resources = Resources::new(TransportLimits::default());
    let mqtt = MqttListener::bind("127.0.0.1:0", &resources).await.unwrap();
    let amqp = AmqpListener::bind("127.0.0.1:0", &resources).await.unwrap();
    let web = WebListener::bind("127.0.0.1:0", &resources).await.unwrap();
    let addresses = [mqtt.local_addr(), amqp.local_addr(), web.local_addr()].map(Option::unwrap);
    let builder = Hub::builder("edge1".parse().unwrap())
        .authenticator(Arc::new(Registry::new(["hub.local"]).with_identities([identity])))
        .listener(Box::new(mqtt))
        .listener(Box::new(amqp))
        .listener(Box::new(web))
        .endpoint(upstream.clone())
        .route("up", "FROM /messages/* INTO $upstream");
    (builder.build().unwrap(), addresses)
}

async fn over_mqtt(address: SocketAddr) -> MqttClient {
    let mut client = MqttClient::dial(address).await.unwrap();
    assert_eq!(client.connect("sensor1", &token(KEY)).await.unwrap(), ConnectCode::Accepted);
    client
}

async fn over_amqp(address: SocketAddr) -> AmqpClient {
    let mut client = AmqpClient::dial(address).await.unwrap();
    client.open().await.unwrap();
    assert_eq!(client.put_token("hub.local/devices/sensor1", &token(KEY)).await.unwrap(), 200);
    assert!(client.attach_sender(5, "/devices/sensor1/messages/events").await.unwrap());
    client
}

#[tokio::test]
async fn a_request_leaves_the_session_as_it_is() {
    let upstream = Arc::new(Scripted::upstream([]));
    let (hub, [mqtt, _, web]) = hub(&upstream).await;
    let (report, ()) = while_running(hub, async {
        let mut session = over_mqtt(mqtt).await;
        let mut http = HttpClient::new(TcpStream::connect(web).await.unwrap());
        let line = "POST /devices/sensor1/messages/events";
        let good = token(KEY);
        for (token, status) in [(good.as_str(), 204), (&token("b3RoZXI="), 401), ("", 401)] {
            let answer = http.ask(line, &[("Authorization", token)], b"by http").await.unwrap();
            assert_eq!(answer.status, status, "{answer:?}");
        }
        let other = "POST /devices/sensor2/messages/events";
        assert_eq!(http.ask(other, &[("Authorization", &good)], b"x").await.unwrap().status, 401);
        let id = session.publish("devices/sensor1/messages/events/", b"by mqtt").await.unwrap();
        session.receive(|packet| matches!(packet, Packet::PubAck(acked) if acked == id)).await.unwrap();
        let queue = "/devices/sensor1/messages/devicebound";
        let nothing = http.ask(&format!("GET {queue}"), &[("Authorization", &good)], b"").await.unwrap();
        assert_eq!(nothing.status, 204);
        let lost = http.ask(&format!("DELETE {queue}/x"), &[("Authorization", &good)], b"").await.unwrap();
        assert_eq!((lost.status, lost.header("iothub-errorcode")), (412, Some("DeviceMessageLockLost")));
        upstream.until(2).await;
    })
    .await;
    assert_eq!(upstream.accepted(), [b"by http".to_vec(), b"by mqtt".to_vec()]);
    let total = report.unwrap().ledger.total;
    assert_eq!((total.accepted, total.delivered), (2, 2));
}

#[tokio::test]
async fn amqp_and_mqtt_take_each_other_over() {
    let upstream = Arc::new(Scripted::upstream([]));
    let (hub, [mqtt, amqp, _]) = hub(&upstream).await;
    let (report, ()) = while_running(hub, async {
        let mut first = over_mqtt(mqtt).await;
        let mut second = over_amqp(amqp).await;
        assert!(first.receive(|_| false).await.is_err(), "the older one is closed");
        let id = second.send_data(5, b"1").await.unwrap();
        assert!(second.accepted(id).await.unwrap());
        let mut third = over_mqtt(mqtt).await;
        assert_eq!(second.closed().await.unwrap(), "amqp:resource-locked");
        let id = third.publish("devices/sensor1/messages/events/", b"2").await.unwrap();
        third.receive(|packet| matches!(packet, Packet::PubAck(acked) if acked == id)).await.unwrap();
        upstream.until(2).await;
    })
    .await;
    assert_eq!(report.unwrap().ledger.total.delivered, 2);
}
