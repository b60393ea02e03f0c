//! Makes PUBLISH packets of messages.

use bytes::BytesMut;
use edge_core::{Message, SystemKey};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

use super::{MqttUpstreamOptions, MqttVersion, PropertyPlacement, TopicTemplate};
use crate::iothub::bag;

/// The longest text in a packet, in bytes. MQTT 5.0 §1.5.4.
const MAX_TEXT_BYTES: usize = 65_535;
/// The largest packet: a remaining length of four bytes, and what is before it. MQTT 5.0 §1.5.5.
const MAX_PACKET_BYTES: usize = 268_435_455 + 5;

/// Why a message cannot be sent to this broker, now or later.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsendable {
    #[error("the message fills no level of the topic template")]
    NoTopic,
    #[error("the topic has {bytes} bytes, MQTT allows {MAX_TEXT_BYTES}")]
    Topic { bytes: usize },
    #[error("the property {name:?} has {bytes} bytes, MQTT allows {MAX_TEXT_BYTES}")]
    Long { name: String, bytes: usize },
    #[error("the property {name:?} holds {found:?}, which MQTT does not allow")]
    Character { name: String, found: char },
    #[error("the message makes a packet of {bytes} bytes, the broker takes {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the message makes no packet: {0}")]
    Packet(String),
}

/// How to make packets of messages.
#[derive(Debug)]
pub(super) struct Publisher {
    version: MqttVersion,
    placement: PropertyPlacement,
    topic: TopicTemplate,
    max_packet_bytes: usize,
}

impl Publisher {
    /// Returns how to make packets as `options` say, of at most `limit` bytes.
    pub(super) fn new(options: &MqttUpstreamOptions, limit: Option<u32>) -> Self {
        let own = options.max_packet_bytes.map(std::num::NonZeroU32::get);
        let limits = [own, limit].into_iter().flatten().filter_map(|limit| usize::try_from(limit).ok());
        Self {
            version: options.version,
            placement: options.placement(),
            topic: options.topic.clone(),
            max_packet_bytes: limits.min().unwrap_or(MAX_PACKET_BYTES).min(MAX_PACKET_BYTES),
        }
    }

    /// Writes the packet of `message`, with the packet identifier `id`, which is not 0; or writes nothing.
    pub(super) fn write(&self, message: &Message, id: u16, out: &mut BytesMut) -> Result<(), Unsendable> {
        let topic = self.topic(message)?;
        let payload = message.body_bytes();
        let before = out.len();
        let written = match self.version {
            MqttVersion::V311 => {
                use rumqttc::mqttbytes::QoS::AtLeastOnce;
                let mut publish = v4::Publish::from_bytes(topic, AtLeastOnce, payload);
                publish.pkid = id;
                self.fits(publish.size())?;
                publish.write(out).map_err(|error| error.to_string())
            }
            MqttVersion::V5 => {
                use rumqttc::v5::mqttbytes::QoS::AtLeastOnce;
                let mut publish = v5::Publish::new(topic, AtLeastOnce, payload, self.properties(message)?);
                publish.pkid = id;
                self.fits(publish.size())?;
                publish.write(out).map_err(|error| error.to_string())
            }
        };
        written.map(drop).map_err(|reason| {
            out.truncate(before);
            Unsendable::Packet(reason)
        })
    }

    fn fits(&self, bytes: usize) -> Result<(), Unsendable> {
        let limit = self.max_packet_bytes;
        if bytes > limit { Err(Unsendable::TooLarge { bytes, limit }) } else { Ok(()) }
    }

    fn topic(&self, message: &Message) -> Result<String, Unsendable> {
        let mut topic = self.topic.topic(message);
        if topic.is_empty() {
            return Err(Unsendable::NoTopic);
        }
        if self.placement == PropertyPlacement::Topic {
            if !topic.ends_with('/') {
                topic.push('/');
            }
            bag::write(message, &mut topic);
        }
        match topic.len() {
            bytes if bytes > MAX_TEXT_BYTES => Err(Unsendable::Topic { bytes }),
            _ => Ok(topic),
        }
    }

    fn properties(&self, message: &Message) -> Result<Option<v5::PublishProperties>, Unsendable> {
        if self.placement != PropertyPlacement::UserProperties {
            return Ok(None);
        }
        let mut properties = v5::PublishProperties::default();
        for (key, value) in message.system() {
            let name = format!("${}", key.name());
            check(&name, value)?;
            if key == SystemKey::ContentType {
                properties.content_type = Some(value.into());
            } else {
                properties.user_properties.push((name, value.into()));
            }
        }
        for (name, value) in message.properties() {
            let value = value.unwrap_or_default();
            check(name, name)?;
            check(name, value)?;
            properties.user_properties.push((name.into(), value.into()));
        }
        Ok(Some(properties))
    }
}

/// Checks that `text` of the property `name` is one that every receiver takes. MQTT 5.0 §1.5.4.
fn check(name: &str, text: &str) -> Result<(), Unsendable> {
    if text.len() > MAX_TEXT_BYTES {
        let name = name.chars().take(64).collect();
        return Err(Unsendable::Long { name, bytes: text.len() });
    }
    let is_bad = |c: &char| {
        let code = u32::from(*c);
        c.is_control() || (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE
    };
    match text.chars().find(is_bad) {
        Some(found) => Err(Unsendable::Character { name: name.into(), found }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use edge_core::Source;

    use super::*;

    fn options() -> MqttUpstreamOptions {
        MqttUpstreamOptions::new("mqtt://h".parse().unwrap(), "e/{device_id}".parse().unwrap(), "c")
    }

    fn sample() -> Message {
        Message::builder(&Source::telemetry())
            .system(SystemKey::ConnectionDeviceId, "d")
            .system(SystemKey::ContentType, "text/plain")
            .system(SystemKey::MessageId, "m1")
            .property("line", "7")
            .null_property("spare")
            .body(b"hi")
            .build()
    }

    fn write(options: &MqttUpstreamOptions, message: &Message) -> Result<BytesMut, Unsendable> {
        let mut out = BytesMut::new();
        Publisher::new(options, Some(1000)).write(message, 9, &mut out).map(|()| out)
    }

    #[test]
    fn mqtt_5_has_user_properties() {
        let mut out = write(&options(), &sample()).unwrap();
        let Ok(v5::Packet::Publish(publish)) = v5::Packet::read(&mut out, None) else { panic!("a PUBLISH") };
        assert_eq!(
            (publish.topic.as_ref(), publish.pkid, publish.payload.as_ref()),
            (&b"e/d"[..], 9, &b"hi"[..])
        );
        let properties = publish.properties.unwrap();
        assert_eq!(properties.content_type.as_deref(), Some("text/plain"));
        let user: Vec<_> = properties.user_properties.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(user, [("$messageId", "m1"), ("$connectionDeviceId", "d"), ("line", "7"), ("spare", "")]);
    }

    #[test]
    fn mqtt_3_1_1_has_a_property_bag_when_asked() {
        let options = options().version(MqttVersion::V311);
        for (options, topic) in [
            (options.clone(), "e/d"),
            (
                options.properties(PropertyPlacement::Topic),
                "e/d/%24.mid=m1&%24.ct=text%2Fplain&%24.cdid=d&line=7&spare",
            ),
        ] {
            let mut out = write(&options, &sample()).unwrap();
            let Ok(v4::Packet::Publish(publish)) = v4::Packet::read(&mut out, 1000) else {
                panic!("a PUBLISH")
            };
            assert_eq!(publish.topic, topic);
        }
    }

    #[test]
    fn what_a_broker_would_not_take_is_named() {
        let long = "x".repeat(70_000);
        for (message, expected) in [
            (sample().to_builder().property("p", "a\nb").build(), "the property \"p\" holds '\\n'"),
            (sample().to_builder().property("a\0", "").build(), "which MQTT does not allow"),
            (sample().to_builder().property("p", &long).build(), "has 70000 bytes, MQTT allows 65535"),
            (sample().to_builder().body(&[7; 2000]).build(), "the broker takes 1000"),
        ] {
            let error = write(&options(), &message).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let bag = options().properties(PropertyPlacement::Topic);
        let error = write(&bag, &sample().to_builder().property("p", &long).build()).unwrap_err();
        assert!(matches!(error, Unsendable::Topic { .. }));
    }
}
