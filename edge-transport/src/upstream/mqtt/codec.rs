//! The packets of both versions as one model; the bytes are made and read by `rumqttc`'s codecs.

use bytes::BytesMut;
use edge_core::Outcome;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

use super::{MqttUpstreamOptions, MqttVersion};

/// The largest packet that a broker may send to a client that subscribes to nothing.
const MAX_INCOMING_BYTES: usize = 256 << 10;

/// What a broker says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// The client is let in.
    Welcome(Limits),
    /// The client is not let in.
    Refused(Refusal),
    /// A message is answered.
    Answer {
        /// The packet identifier.
        id: u16,
        /// What becomes of the message.
        outcome: Outcome,
    },
    /// The broker is still there.
    Pong,
    /// The broker is about to close the connection.
    Goodbye(Goodbye),
    /// Something that does not concern a client that only publishes.
    Other,
}

/// Why a broker closes a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Goodbye {
    pub(super) reason: String,
    /// Whether it may be for what it was sent, and not for a reason of its own.
    pub(super) may_be_for_a_message: bool,
}

impl Goodbye {
    fn without_reason() -> Self {
        Self { reason: "no reason given".into(), may_be_for_a_message: true }
    }
}

/// What a broker allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// The most messages without an answer.
    pub(super) in_flight: Option<u16>,
    /// The largest packet.
    pub(super) packet_bytes: Option<u32>,
    /// The keep-alive time that holds instead of the client's own, in seconds.
    pub(super) keep_alive_secs: Option<u16>,
    /// The highest quality of service.
    pub(super) max_qos: Option<u8>,
}

/// Why a broker does not let a client in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker refused the connection: {reason}")]
pub(super) struct Refusal {
    /// Whether it is the client's credentials that are refused.
    pub(super) is_unauthorized: bool,
    reason: String,
}

/// Bytes from the broker are not MQTT, or not of this version.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker sent what is not {version}: {reason}")]
pub(super) struct NotMqtt {
    version: &'static str,
    reason: String,
}

fn name(version: MqttVersion) -> &'static str {
    match version {
        MqttVersion::V311 => "MQTT 3.1.1",
        MqttVersion::V5 => "MQTT 5",
    }
}

/// Writes CONNECT; a new session each time, since the gateway's own queue holds what is not delivered yet.
pub(super) fn connect(options: &MqttUpstreamOptions, out: &mut BytesMut) -> Result<(), NotMqtt> {
    let (keep_alive, client_id) = (options.keep_alive_secs(), options.client_id.clone());
    let written = match options.version {
        MqttVersion::V311 => {
            let mut connect = v4::Connect::new(client_id);
            connect.keep_alive = keep_alive;
            if let Some((user, password)) = &options.login {
                connect.set_login(user.clone(), password.clone());
            }
            connect.write(out).map_err(|error| error.to_string())
        }
        MqttVersion::V5 => {
            let connect = v5::Connect { keep_alive, client_id, clean_start: true, properties: None };
            let login = options.login.as_ref().map(|(user, password)| v5::Login::new(user, password));
            connect.write(&None, &login, out).map_err(|error| error.to_string())
        }
    };
    written.map(drop).map_err(|reason| NotMqtt { version: name(options.version), reason })
}

/// Writes PINGREQ.
pub(super) fn ping(out: &mut BytesMut) {
    out.extend_from_slice(&[0xC0, 0]);
}

/// Writes DISCONNECT, which is the same in both versions when nothing went wrong.
pub(super) fn disconnect(out: &mut BytesMut) {
    out.extend_from_slice(&[0xE0, 0]);
}

/// Takes the next whole packet off `input`; `None` when more bytes are needed.
pub(super) fn next(version: MqttVersion, input: &mut BytesMut) -> Result<Option<Incoming>, NotMqtt> {
    let bad = |reason: String| NotMqtt { version: name(version), reason };
    let Some((total, remaining)) = frame(input).map_err(|reason| bad(reason.into()))? else {
        return Ok(None);
    };
    if total > MAX_INCOMING_BYTES {
        return Err(bad(format!("a packet of {total} bytes, more than {MAX_INCOMING_BYTES}")));
    }
    if input.len() < total {
        return Ok(None);
    }
    let mut packet = input.split_to(total);
    if packet.first().is_some_and(|first| first >> 4 == 14) && remaining == 0 {
        return Ok(Some(Incoming::Goodbye(Goodbye::without_reason())));
    }
    match version {
        MqttVersion::V311 => {
            v4::Packet::read(&mut packet, MAX_INCOMING_BYTES).map(from_v4).map_err(|e| bad(e.to_string()))
        }
        MqttVersion::V5 => v5::Packet::read(&mut packet, None).map(from_v5).map_err(|e| bad(e.to_string())),
    }
    .map(Some)
}

/// Returns the length of the packet at the start of `input`, and how much of it follows the fixed header.
/// MQTT 5.0 §2.1.4.
fn frame(input: &[u8]) -> Result<Option<(usize, usize)>, &'static str> {
    let mut remaining = 0usize;
    for (number, byte) in input.iter().skip(1).take(4).enumerate() {
        remaining |= usize::from(byte & 0x7F) << (7 * number);
        if byte & 0x80 == 0 {
            return Ok(Some((number + 2 + remaining, remaining)));
        }
    }
    if input.len() > 4 { Err("a length of more than four bytes") } else { Ok(None) }
}

fn from_v4(packet: v4::Packet) -> Incoming {
    match packet {
        v4::Packet::ConnAck(ack) => match ack.code {
            v4::ConnectReturnCode::Success => Incoming::Welcome(Limits::default()),
            code => {
                use v4::ConnectReturnCode as Code;
                let reason = match code {
                    Code::RefusedProtocolVersion => "it does not speak MQTT 3.1.1".into(),
                    other => format!("{other:?}"),
                };
                let is_unauthorized =
                    matches!(code, Code::BadClientId | Code::BadUserNamePassword | Code::NotAuthorized);
                Incoming::Refused(Refusal { is_unauthorized, reason })
            }
        },
        v4::Packet::PubAck(ack) => Incoming::Answer { id: ack.pkid, outcome: Outcome::Accepted },
        v4::Packet::PingResp => Incoming::Pong,
        v4::Packet::Disconnect => Incoming::Goodbye(Goodbye::without_reason()),
        _ => Incoming::Other,
    }
}

fn from_v5(packet: v5::Packet) -> Incoming {
    match packet {
        v5::Packet::ConnAck(ack) => from_connack(ack),
        v5::Packet::PubAck(ack) => Incoming::Answer { id: ack.pkid, outcome: outcome(ack) },
        v5::Packet::PingResp(_) => Incoming::Pong,
        v5::Packet::Disconnect(goodbye) => {
            let said = goodbye.properties.and_then(|properties| properties.reason_string);
            let reason = with(format!("{:?}", goodbye.reason_code), said);
            Incoming::Goodbye(Goodbye { reason, may_be_for_a_message: !is_of_its_own(goodbye.reason_code) })
        }
        _ => Incoming::Other,
    }
}

/// Whether a broker closes a connection for a reason that no message gives it. MQTT 5.0 §3.14.2.1.
fn is_of_its_own(code: v5::DisconnectReasonCode) -> bool {
    use v5::DisconnectReasonCode as Code;
    matches!(
        code,
        Code::NormalDisconnection
            | Code::ServerBusy
            | Code::ServerShuttingDown
            | Code::KeepAliveTimeout
            | Code::SessionTakenOver
            | Code::MessageRateTooHigh
            | Code::QuotaExceeded
            | Code::AdministrativeAction
            | Code::UseAnotherServer
            | Code::ServerMoved
            | Code::ConnectionRateExceeded
            | Code::MaximumConnectTime
    )
}

fn with(code: String, said: Option<String>) -> String {
    match said {
        Some(said) if !said.is_empty() => format!("{code}, {said:?}"),
        _ => code,
    }
}

fn from_connack(ack: v5::ConnAck) -> Incoming {
    use v5::ConnectReturnCode as Code;
    let properties = ack.properties;
    if ack.code == Code::Success {
        let limits = properties.map(|said| Limits {
            in_flight: said.receive_max,
            packet_bytes: said.max_packet_size,
            keep_alive_secs: said.server_keep_alive,
            max_qos: said.max_qos,
        });
        return Incoming::Welcome(limits.unwrap_or_default());
    }
    let is_unauthorized = matches!(
        ack.code,
        Code::BadClientId
            | Code::ClientIdentifierNotValid
            | Code::BadUserNamePassword
            | Code::NotAuthorized
            | Code::Banned
            | Code::BadAuthenticationMethod
    );
    let code = match ack.code {
        Code::UnsupportedProtocolVersion | Code::RefusedProtocolVersion => {
            "it does not speak MQTT 5, try version 3.1.1".into()
        }
        other => format!("{other:?}"),
    };
    Incoming::Refused(Refusal {
        is_unauthorized,
        reason: with(code, properties.and_then(|p| p.reason_string)),
    })
}

/// Returns what a PUBACK means. MQTT 5.0 §3.4.2.1.
///
/// What is wrong with the message itself is final. What is wrong with the broker or with the moment may pass.
fn outcome(ack: v5::PubAck) -> Outcome {
    use v5::PubAckReason as Reason;
    match ack.reason {
        Reason::Success | Reason::NoMatchingSubscribers => Outcome::Accepted,
        Reason::NotAuthorized | Reason::TopicNameInvalid | Reason::PayloadFormatInvalid => {
            let said = ack.properties.and_then(|properties| properties.reason_string);
            Outcome::Rejected { reason: with(format!("the broker said {:?}", ack.reason), said) }
        }
        Reason::UnspecifiedError
        | Reason::ImplementationSpecificError
        | Reason::PacketIdentifierInUse
        | Reason::QuotaExceeded => Outcome::Released,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: MqttVersion, bytes: &[u8]) -> Result<Option<Incoming>, NotMqtt> {
        next(version, &mut BytesMut::from(bytes))
    }

    #[test]
    fn answers_are_read() {
        for version in [MqttVersion::V311, MqttVersion::V5] {
            let accepted = Incoming::Answer { id: 7, outcome: Outcome::Accepted };
            assert_eq!(read(version, &[0x40, 2, 0, 7]), Ok(Some(accepted)));
            assert_eq!(read(version, &[0xD0, 0]), Ok(Some(Incoming::Pong)));
            let goodbye = Incoming::Goodbye(Goodbye::without_reason());
            assert_eq!(read(version, &[0xE0, 0]), Ok(Some(goodbye)));
        }
        for (code, for_a_message) in [(0x81, true), (0x87, true), (0x95, true), (0x8B, false), (0x8E, false)]
        {
            let Ok(Some(Incoming::Goodbye(goodbye))) = read(MqttVersion::V5, &[0xE0, 2, code, 0]) else {
                panic!("a DISCONNECT with {code:#x}")
            };
            assert_eq!(goodbye.may_be_for_a_message, for_a_message, "{}", goodbye.reason);
        }
        let none_listens = Incoming::Answer { id: 1, outcome: Outcome::Accepted };
        assert_eq!(read(MqttVersion::V5, &[0x40, 3, 0, 1, 0x10]), Ok(Some(none_listens)));
        let full = Incoming::Answer { id: 1, outcome: Outcome::Released };
        assert_eq!(read(MqttVersion::V5, &[0x40, 3, 0, 1, 0x97]), Ok(Some(full)));
        let refused = read(MqttVersion::V5, &[0x40, 3, 0, 1, 0x87]);
        assert!(matches!(refused, Ok(Some(Incoming::Answer { outcome: Outcome::Rejected { .. }, .. }))));
    }

    #[test]
    fn part_of_a_packet_waits_for_the_rest() {
        for part in [&[0x40][..], &[0x40, 2], &[0x40, 2, 0], &[0x40, 0x80]] {
            assert_eq!(read(MqttVersion::V5, part), Ok(None), "{part:?}");
        }
    }

    #[test]
    fn what_is_not_mqtt_is_an_error() {
        assert!(read(MqttVersion::V5, &[0x40, 0xFF, 0xFF, 0xFF, 0xFF, 1]).is_err());
        assert!(read(MqttVersion::V5, &[0x30, 0xFF, 0xFF, 0xFF, 0x7F]).is_err(), "too large");
        assert!(read(MqttVersion::V5, &[0x40, 1, 0]).is_err());
        assert!(read(MqttVersion::V5, &[0x40, 3, 0, 1, 0x42]).is_err(), "a reason that does not exist");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 2..40), v5: bool) {
            let version = if v5 { MqttVersion::V5 } else { MqttVersion::V311 };
            let _either_way = read(version, &bytes);
            bytes[1] = u8::try_from(bytes.len() - 2).unwrap();
            let _either_way = read(version, &bytes);
        }
    }
}
