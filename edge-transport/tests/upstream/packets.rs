//! The broker's side of both versions, as one model.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

/// What a client says.
#[derive(Debug)]
pub enum FromClient {
    Connect { user: Option<String>, password: Option<String>, keep_alive: u16, clean: bool },
    Publish(Arrival),
    Ping,
    Disconnect,
}

/// A message as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub id: u16,
    pub topic: String,
    pub body: Bytes,
    pub content_type: Option<String>,
    pub user_properties: Vec<(String, String)>,
}

/// What a broker says of itself when it lets a client in.
#[derive(Clone, Debug, Default)]
pub struct Welcome {
    pub receive_max: Option<u16>,
    pub max_packet_bytes: Option<u32>,
    pub max_qos: Option<u8>,
}

pub fn read(is_v5: bool, input: &mut BytesMut) -> Option<FromClient> {
    if is_v5 { read_v5(input) } else { read_v4(input) }
}

fn read_v4(input: &mut BytesMut) -> Option<FromClient> {
    match v4::Packet::read(input, 1 << 28).ok()? {
        v4::Packet::Connect(connect) => {
            let (user, password) = connect.login.map(|login| (login.username, login.password)).unzip();
            let (keep_alive, clean) = (connect.keep_alive, connect.clean_session);
            Some(FromClient::Connect { user, password, keep_alive, clean })
        }
        v4::Packet::Publish(publish) => Some(FromClient::Publish(Arrival {
            id: publish.pkid,
            topic: publish.topic,
            body: publish.payload,
            content_type: None,
            user_properties: Vec::new(),
        })),
        v4::Packet::PingReq => Some(FromClient::Ping),
        v4::Packet::Disconnect => Some(FromClient::Disconnect),
        other => panic!("a client that only publishes sent {other:?}"),
    }
}

fn read_v5(input: &mut BytesMut) -> Option<FromClient> {
    if input.starts_with(&[0xE0, 0]) {
        return Some(FromClient::Disconnect);
    }
    match v5::Packet::read(input, None).ok()? {
        v5::Packet::Connect(connect, _, login) => {
            let (user, password) = login.map(|login| (login.username, login.password)).unzip();
            let (keep_alive, clean) = (connect.keep_alive, connect.clean_start);
            Some(FromClient::Connect { user, password, keep_alive, clean })
        }
        v5::Packet::Publish(publish) => {
            let properties = publish.properties.unwrap_or_default();
            Some(FromClient::Publish(Arrival {
                id: publish.pkid,
                topic: String::from_utf8(publish.topic.to_vec()).unwrap(),
                body: publish.payload,
                content_type: properties.content_type,
                user_properties: properties.user_properties,
            }))
        }
        v5::Packet::PingReq(_) => Some(FromClient::Ping),
        v5::Packet::Disconnect(_) => Some(FromClient::Disconnect),
        other => panic!("a client that only publishes sent {other:?}"),
    }
}

/// Returns a CONNACK with this reason code; what it says of the broker is in MQTT 5 only. MQTT 5.0 §3.2.
pub fn connack(is_v5: bool, code: u8, welcome: &Welcome) -> Vec<u8> {
    if !is_v5 {
        return vec![0x20, 2, 0, code];
    }
    let mut properties = Vec::new();
    if let Some(most) = welcome.receive_max {
        properties.push(0x21);
        properties.extend(most.to_be_bytes());
    }
    if let Some(most) = welcome.max_packet_bytes {
        properties.push(0x27);
        properties.extend(most.to_be_bytes());
    }
    if let Some(most) = welcome.max_qos {
        properties.extend([0x24, most]);
    }
    let length = u8::try_from(properties.len()).unwrap();
    let mut packet = vec![0x20, 3 + length, 0, code, length];
    packet.extend(properties);
    packet
}

/// Returns a PUBACK with this reason code. MQTT 5.0 §3.4.
pub fn puback(id: u16, code: u8) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    if code == 0 { vec![0x40, 2, high, low] } else { vec![0x40, 3, high, low, code] }
}

pub const PINGRESP: &[u8] = &[0xD0, 0];
