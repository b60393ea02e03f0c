//! Twins and direct methods, as a device uses them.

use std::io;

use bytes::Bytes;
use edge_core::{MethodAnswer, MethodCall, TwinAnswer, TwinRequest};
use tokio::io::{AsyncRead, AsyncWrite};

use super::MqttClient;
use crate::mqtt::packet::{Packet, Publish, Quality};

/// The filters that a device subscribes to for twins and methods.
const FILTERS: [&str; 3] =
    ["$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#", "$iothub/methods/POST/#"];

/// What follows the prefix of a topic, and the payload.
type Told = (String, Bytes);

impl<S: AsyncRead + AsyncWrite + Unpin> MqttClient<S> {
    /// Subscribes to answers about the twin, to changes of the desired properties and to direct methods, and waits until
    /// the server has answered; what else arrives before that is passed over.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of a packet may have been sent.
    pub async fn subscribe_to_requests(&mut self) -> io::Result<()> {
        for filter in FILTERS {
            let id = self.subscribe(filter).await?;
            let answers =
                |packet: Packet<'_>| matches!(packet, Packet::SubAck { packet_id, .. } if packet_id == id);
            while !self.receive(answers).await? {}
        }
        Ok(())
    }

    /// Asks something of the twin, and waits for the answer; what else arrives before it is passed over.
    ///
    /// # Errors
    /// What the socket says, or that the answer makes no sense.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of the request may have been sent.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn f(client: &mut edge_transport::testing::MqttClient) -> std::io::Result<()> {
    /// use edge_core::TwinRequest;
    ///
    /// client.subscribe_to_requests().await?;
    /// let twin = client.twin(&TwinRequest::Read).await?;
    /// assert_eq!(twin.status, 200);
    /// let changed = client.twin(&TwinRequest::Report(r#"{"temperature":21.5}"#.into())).await?;
    /// assert_eq!(changed.status, 204);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn twin(&mut self, request: &TwinRequest) -> io::Result<TwinAnswer> {
        let rid = self.id().to_string();
        let (topic, payload) = match request {
            TwinRequest::Report(patch) => {
                (format!("$iothub/twin/PATCH/properties/reported/?$rid={rid}"), &patch[..])
            }
            _ => (format!("$iothub/twin/GET/?$rid={rid}"), &b" "[..]),
        };
        self.tell(&topic, payload).await?;
        loop {
            let (rest, body) = self.told("$iothub/twin/res/").await?;
            let (status, query) = rest.split_once("/?").ok_or(io::ErrorKind::InvalidData)?;
            if parameter(query, "$rid") != Some(&*rid) {
                continue;
            }
            let answer = TwinAnswer::new(number(status)?, body);
            return match parameter(query, "$version") {
                Some(version) => Ok(answer.with_version(number(version)?)),
                None => Ok(answer),
            };
        }
    }

    /// Waits for the next change of the desired properties, and returns their version with the change; what else arrives
    /// before it is passed over.
    ///
    /// # Errors
    /// What the socket says, or that the topic has no version.
    ///
    /// # Cancel safety
    /// Cancel-safe: what has arrived is kept, but for what was passed over.
    pub async fn desired(&mut self) -> io::Result<(u64, Bytes)> {
        let (rest, patch) = self.told("$iothub/twin/PATCH/properties/desired/?").await?;
        let version = parameter(&rest, "$version").ok_or(io::ErrorKind::InvalidData)?;
        Ok((number(version)?, patch))
    }

    /// Waits for the next direct method; what else arrives before it is passed over.
    ///
    /// # Errors
    /// What the socket says, or that the topic has no number by which to answer.
    ///
    /// # Cancel safety
    /// Cancel-safe: what has arrived is kept, but for what was passed over.
    pub async fn method(&mut self) -> io::Result<MethodCall> {
        let (rest, payload) = self.told("$iothub/methods/POST/").await?;
        let (name, id) = rest.split_once("/?$rid=").ok_or(io::ErrorKind::InvalidData)?;
        Ok(MethodCall::new(number(id)?, name.to_owned(), payload))
    }

    /// Answers a direct method.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of the packet may have been sent.
    pub async fn answer_method(&mut self, id: u64, answer: &MethodAnswer) -> io::Result<()> {
        self.tell(&format!("$iothub/methods/res/{}/?$rid={id}", answer.status), &answer.payload).await
    }

    async fn tell(&mut self, topic: &str, payload: &[u8]) -> io::Result<()> {
        let quality = Quality::AtMostOnce;
        self.send(&Packet::Publish(Publish { topic, quality, dup: false, retain: false, payload })).await
    }

    /// Waits for a message on a topic that begins like this.
    async fn told(&mut self, prefix: &str) -> io::Result<Told> {
        let look = |packet: Packet<'_>| match packet {
            Packet::Publish(publish) => publish
                .topic
                .strip_prefix(prefix)
                .map(|rest| (rest.to_owned(), Bytes::copy_from_slice(publish.payload))),
            _ => None,
        };
        loop {
            if let Some(told) = self.receive(look).await? {
                return Ok(told);
            }
        }
    }
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn number<N: std::str::FromStr>(text: &str) -> io::Result<N> {
    text.parse().map_err(|_| io::ErrorKind::InvalidData.into())
}
