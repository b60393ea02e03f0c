//! Those who receive: a module by AMQP, a module by MQTT, a device by HTTP.

use edge_core::{MessageBuilder, SystemKey};
use edge_transport::iothub::bag;
use edge_transport::mqtt::packet::{ConnectCode, Packet, Quality};
use edge_transport::testing::{AmqpClient, AmqpEvent, HttpClient, MqttClient, amqp_received};
use tokio::net::TcpStream;

use crate::Fallible;
use crate::heard::Heard;
use crate::stage::{Doors, HUB};

const INPUTS: u32 = 5;

/// A module that speaks AMQP.
pub(crate) struct Panel(AmqpClient);

impl Panel {
    pub(crate) async fn open(doors: &Doors) -> Fallible<Self> {
        let mut client = AmqpClient::dial(doors.amqp).await?;
        client.open().await?;
        let audience = format!("{HUB}/devices/edge1/modules/panel");
        if client.put_token(&audience, &doors.token("edge1/panel")?).await? != 200 {
            return Err("the panel was not let in".into());
        }
        // A receiver at the address of events has the inputs.
        if !client.attach_receiver(INPUTS, "/devices/edge1/modules/panel/messages/events").await? {
            return Err("the panel has no inputs".into());
        }
        Ok(Self(client))
    }

    /// Waits for a message, and accepts it.
    pub(crate) async fn next(&mut self) -> Fallible<Heard> {
        loop {
            match self.0.event().await? {
                AmqpEvent::Message { handle: INPUTS, id, bytes } => {
                    self.0.settle(id, Some(true)).await?;
                    let message = amqp_received(&bytes).ok_or("the panel was sent no message")?;
                    return Ok(Heard::new(format!("sections of {} bytes", bytes.len()), message));
                }
                AmqpEvent::Closed(condition) => {
                    return Err(format!("the panel was cut off: {condition}").into());
                }
                _ => {}
            }
        }
    }
}

/// A module that speaks MQTT.
pub(crate) struct Screen(MqttClient);

impl Screen {
    pub(crate) async fn open(doors: &Doors) -> Fallible<Self> {
        let mut client = MqttClient::dial(doors.mqtt).await?;
        let answer = client.connect("edge1/screen", &doors.token("edge1/screen")?).await?;
        if answer != ConnectCode::Accepted {
            return Err(format!("the screen was answered {answer:?}").into());
        }
        client.subscribe("devices/edge1/modules/screen/inputs/#").await?;
        while !client.receive(|packet| matches!(packet, Packet::SubAck { .. })).await? {}
        Ok(Self(client))
    }

    /// Waits for a message, and acknowledges it.
    pub(crate) async fn next(&mut self) -> Fallible<Heard> {
        loop {
            let arrived = self.0.receive(|packet| match packet {
                Packet::Publish(publish) => {
                    Some((publish.topic.to_owned(), publish.payload.to_vec(), publish.quality))
                }
                _ => None,
            });
            let Some((topic, body, quality)) = arrived.await? else { continue };
            if let Quality::AtLeastOnce(id) = quality {
                self.0.send(&Packet::PubAck(id)).await?;
            }
            let (_, text) = topic.rsplit_once('/').ok_or("a topic has levels")?;
            let mut builder = MessageBuilder::new("/messages/").body(&body);
            bag::read(text, &mut builder)?;
            // Only the gateway says who sent a message, so the reader of what clients send passes it over.
            if let Some(device) = text.split('&').find_map(|pair| pair.strip_prefix("%24.cdid=")) {
                builder.set_system(SystemKey::ConnectionDeviceId, device);
            }
            return Ok(Heard::new(topic, builder.build()));
        }
    }
}

/// Asks for a device's next message by HTTP, and completes it.
pub(crate) async fn for_device_by_http(doors: &Doors, device: &str) -> Fallible<Heard> {
    let mut client = HttpClient::new(TcpStream::connect(doors.http).await?);
    let token = doors.token(device)?;
    let headers = [("authorization", token.as_str())];
    let path = format!("/devices/{device}/messages/deviceBound");
    let answer = client.ask(&format!("GET {path}?api-version=2021-04-12"), &headers, b"").await?;
    let lock = answer.header("etag").ok_or_else(|| format!("no message waits: {answer:?}"))?;
    let done = client.ask(&format!("DELETE {path}/{}", lock.trim_matches('"')), &headers, b"").await?;
    if done.status != 204 {
        return Err(format!("the message was not completed: {done:?}").into());
    }
    let mut builder = MessageBuilder::new("/messages/").body(answer.body.as_bytes());
    let keys = [
        (SystemKey::MessageId, "iothub-messageid"),
        (SystemKey::CorrelationId, "iothub-correlationid"),
        (SystemKey::ContentType, "iothub-contenttype"),
        (SystemKey::ContentEncoding, "iothub-contentencoding"),
    ];
    for (key, name) in keys {
        builder.set_system(key, answer.header(name).unwrap_or_default());
    }
    for (name, value) in &answer.headers {
        if let Some(name) = name.strip_prefix("iothub-app-") {
            builder.set_property(name, Some(value));
        }
    }
    let shown = answer.headers.iter().filter(|(name, _)| name.starts_with("iothub-app-"));
    let shown: Vec<_> = shown.map(|(name, value)| format!("{name}: {value}")).collect();
    Ok(Heard::new(shown.join(", "), builder.build()))
}
