//! The kit's harness for the listener of AMQP.

use std::net::SocketAddr;

use async_trait::async_trait;
use edge_core::Identity;
use edge_transport::testing::listener::{ListenerClient, ListenerHarness};
use edge_transport::testing::{AmqpClient, AmqpEvent, amqp_address};
use edge_transport::{AmqpListener, Listener, Resources, TransportLimits};

pub(crate) struct Amqp;

const TELEMETRY: u32 = 5;
const INPUTS: u32 = 6;

#[derive(Debug)]
struct Client {
    amqp: AmqpClient,
    identity: Identity,
    /// Whether the last message had no link to go by.
    refused: bool,
    last: u32,
}

#[async_trait]
impl ListenerHarness for Amqp {
    async fn listener(&self) -> Box<dyn Listener> {
        let resources = Resources::new(TransportLimits::default());
        Box::new(AmqpListener::bind("127.0.0.1:0", &resources).await.unwrap())
    }

    async fn connect(
        &self,
        address: SocketAddr,
        identity: &Identity,
        token: &str,
    ) -> Option<Box<dyn ListenerClient>> {
        let mut amqp = AmqpClient::dial(address).await.ok()?;
        amqp.open().await.ok()?;
        let audience = format!("hub.local{}", amqp_address(identity, ""));
        if amqp.put_token(&audience, token).await.ok()? != 200 {
            return None;
        }
        assert!(amqp.attach_sender(TELEMETRY, &amqp_address(identity, "messages/events")).await.ok()?);
        Some(Box::new(Client { amqp, identity: identity.clone(), refused: false, last: 0 }))
    }
}

#[async_trait]
impl ListenerClient for Client {
    async fn send(&mut self, sender: &Identity, body: &[u8]) -> bool {
        if *sender == self.identity {
            return self.amqp.send_data(TELEMETRY, body).await.is_ok();
        }
        let attached = self.amqp.attach_sender(7, &amqp_address(sender, "messages/events")).await;
        self.refused = !attached.unwrap_or(false);
        if !self.refused {
            return self.amqp.send_data(7, body).await.is_ok();
        }
        true
    }

    async fn acknowledged(&mut self) -> bool {
        loop {
            match self.amqp.event().await {
                Ok(AmqpEvent::Settled { accepted, .. }) => return accepted,
                Ok(AmqpEvent::Detached { .. } | AmqpEvent::Closed(_)) | Err(_) => return false,
                Ok(_) => {}
            }
        }
    }

    async fn subscribe(&mut self) {
        let address = amqp_address(&self.identity, "messages/events");
        assert!(self.amqp.attach_receiver(INPUTS, &address).await.unwrap());
    }

    async fn receive(&mut self) -> Option<Vec<u8>> {
        let (id, body) = self.amqp.receive(INPUTS).await.ok()?;
        self.last = id;
        Some(body.to_vec())
    }

    async fn accept(&mut self) {
        self.amqp.settle(self.last, Some(true)).await.unwrap();
    }

    async fn send_nonsense(&mut self) {
        // The connection may be closed before the last byte is written.
        let _closed = self.amqp.send_bytes(&[0xff; 100]).await;
    }

    async fn ended(&mut self) {
        self.amqp.closed().await.unwrap();
    }
}
