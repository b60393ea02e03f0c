//! The MQTT listener, as the kit sees it.

use std::net::SocketAddr;
use std::num::NonZeroU16;

use async_trait::async_trait;
use edge_core::Identity;
use edge_transport::mqtt::packet::{ConnectCode, Packet, Publish, Quality};
use edge_transport::testing::MqttClient;
use edge_transport::testing::listener::{ListenerClient, ListenerHarness};
use edge_transport::{Listener, MqttListener, Resources, TransportLimits};

pub(crate) struct Mqtt;

#[async_trait]
impl ListenerHarness for Mqtt {
    async fn listener(&self) -> Box<dyn Listener> {
        let resources = Resources::new(TransportLimits::default());
        Box::new(MqttListener::bind("127.0.0.1:0", &resources).await.unwrap())
    }

    async fn connect(
        &self,
        address: SocketAddr,
        identity: &Identity,
        token: &str,
    ) -> Option<Box<dyn ListenerClient>> {
        let mut client = MqttClient::dial(address).await.ok()?;
        let code = client.connect(&identity.to_string(), token).await.ok()?;
        let identity = identity.clone();
        (code == ConnectCode::Accepted).then(|| Box::new(Client { client, identity, last: None }) as _)
    }
}

#[derive(Debug)]
struct Client {
    client: MqttClient,
    identity: Identity,
    last: Option<NonZeroU16>,
}

fn prefix(identity: &Identity) -> String {
    format!("devices/{}/modules/{}", identity.device(), identity.module().unwrap())
}

#[async_trait]
impl ListenerClient for Client {
    async fn send(&mut self, sender: &Identity, body: &[u8]) -> bool {
        self.client.publish(&format!("{}/messages/events/", prefix(sender)), body).await.is_ok()
    }

    async fn acknowledged(&mut self) -> bool {
        self.client.receive(|packet| matches!(packet, Packet::PubAck(_))).await.unwrap_or(false)
    }

    async fn subscribe(&mut self) {
        self.client.subscribe(&format!("{}/inputs/#", prefix(&self.identity))).await.unwrap();
        assert!(self.client.receive(|packet| matches!(packet, Packet::SubAck { .. })).await.unwrap());
    }

    async fn receive(&mut self) -> Option<Vec<u8>> {
        let look = |packet: Packet<'_>| match packet {
            Packet::Publish(Publish { quality: Quality::AtLeastOnce(id), payload, .. }) => {
                (id, payload.to_vec())
            }
            other => panic!("not a message of QoS 1: {other:?}"),
        };
        let (id, body) = self.client.receive(look).await.ok()?;
        self.last = Some(id);
        Some(body)
    }

    async fn accept(&mut self) {
        self.client.send(&Packet::PubAck(self.last.unwrap())).await.unwrap();
    }

    async fn send_nonsense(&mut self) {
        self.client.send_bytes(&[0xff; 10]).await.unwrap();
    }

    async fn ended(&mut self) {
        self.client.closed().await.unwrap();
    }
}
