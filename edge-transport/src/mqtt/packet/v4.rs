//! The codec of MQTT 3.1.1, whose protocol level is 4.

use std::num::NonZeroU16;

use super::wire::{Reader, field_len, put_field, put_remaining_length};
use super::{Connect, ConnectCode, DecodeError, EncodeError, Filters, Packet, Publish, QoS, Quality, Will};

/// The protocol level of MQTT 3.1.1. §3.1.2.2.
pub const LEVEL: u8 = 4;

/// The type of a packet, the high half of its first byte. §2.2.1.
mod kind {
    pub(super) const CONNECT: u8 = 1;
    pub(super) const CONNACK: u8 = 2;
    pub(super) const PUBLISH: u8 = 3;
    pub(super) const PUBACK: u8 = 4;
    pub(super) const PUBREC: u8 = 5;
    pub(super) const PUBREL: u8 = 6;
    pub(super) const PUBCOMP: u8 = 7;
    pub(super) const SUBSCRIBE: u8 = 8;
    pub(super) const SUBACK: u8 = 9;
    pub(super) const UNSUBSCRIBE: u8 = 10;
    pub(super) const UNSUBACK: u8 = 11;
    pub(super) const PINGREQ: u8 = 12;
    pub(super) const PINGRESP: u8 = 13;
    pub(super) const DISCONNECT: u8 = 14;
}

/// What the first bytes of a packet say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The first byte: type and flags. §2.2.1.
    pub first: u8,
    /// How many bytes stand before the variable header: 2 to 5.
    pub header_bytes: usize,
    /// How many bytes the packet has in all.
    pub total_bytes: usize,
}

impl Frame {
    /// Returns whether the packet is a PUBLISH.
    #[must_use]
    pub const fn is_publish(&self) -> bool {
        self.first >> 4 == kind::PUBLISH
    }

    /// Returns whether the packet is a CONNECT.
    #[must_use]
    pub const fn is_connect(&self) -> bool {
        self.first >> 4 == kind::CONNECT
    }
}

/// Returns what `bytes` begin with; `None` when too few bytes are there to say. §2.2.
///
/// The packet itself may still be incomplete: compare [`Frame::total_bytes`].
///
/// # Errors
/// [`DecodeError`] when no packet begins like this, or one of more than `max` bytes.
pub fn frame(bytes: &[u8], max: usize) -> Result<Option<Frame>, DecodeError> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let flags = first & 0x0f;
    let wanted = match first >> 4 {
        kind::PUBLISH => flags,
        kind::PUBREL | kind::SUBSCRIBE | kind::UNSUBSCRIBE => 0b0010,
        0 | 15 => return Err(DecodeError::Type(first >> 4)),
        _ => 0,
    };
    if flags != wanted {
        return Err(DecodeError::Flags(flags));
    }
    let mut length = 0usize;
    for (i, &byte) in rest.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            let frame = Frame { first, header_bytes: 2 + i, total_bytes: 2 + i + length };
            return if frame.total_bytes > max {
                Err(DecodeError::TooLarge { bytes: frame.total_bytes, max })
            } else {
                Ok(Some(frame))
            };
        }
    }
    if rest.len() < 4 { Ok(None) } else { Err(DecodeError::Length) }
}

/// Returns the packet that `bytes` are: one packet, whole and alone.
///
/// # Examples
/// ```
/// use edge_transport::mqtt::packet::{DecodeError, Packet, v4};
///
/// assert_eq!(v4::decode(&[0xc0, 0]), Ok(Packet::PingReq));
/// assert_eq!(v4::decode(&[0xc1, 0]), Err(DecodeError::Flags(1)));
/// ```
///
/// # Errors
/// [`DecodeError`] when they are not a packet of MQTT 3.1.1.
pub fn decode(bytes: &[u8]) -> Result<Packet<'_>, DecodeError> {
    let frame = frame(bytes, usize::MAX)?.ok_or(DecodeError::Short)?;
    if bytes.len() > frame.total_bytes {
        return Err(DecodeError::Trailing(bytes.len() - frame.total_bytes));
    }
    if bytes.len() < frame.total_bytes {
        return Err(DecodeError::Short);
    }
    let mut body = Reader::new(bytes.get(frame.header_bytes..).ok_or(DecodeError::Short)?);
    let packet = match frame.first >> 4 {
        kind::PUBLISH => return decode_publish(frame.first, body).map(Packet::Publish),
        kind::CONNECT => Packet::Connect(decode_connect(&mut body)?),
        kind::CONNACK => {
            let flags = body.byte()?;
            if flags & !1 != 0 {
                return Err(DecodeError::Reserved(flags));
            }
            let code = body.byte()?;
            let code = ConnectCode::from_bits(code).ok_or(DecodeError::Reserved(code))?;
            Packet::ConnAck { session_present: flags == 1, code }
        }
        kind::PUBACK => Packet::PubAck(body.packet_id()?),
        kind::PUBREC => Packet::PubRec(body.packet_id()?),
        kind::PUBREL => Packet::PubRel(body.packet_id()?),
        kind::PUBCOMP => Packet::PubComp(body.packet_id()?),
        kind::SUBSCRIBE => {
            let packet_id = body.packet_id()?;
            return Ok(Packet::Subscribe { packet_id, filters: Filters::parse(body.rest(), true)? });
        }
        kind::SUBACK => {
            let packet_id = body.packet_id()?;
            let codes = body.rest();
            match codes.iter().find(|code| !matches!(code, 0..=2 | 0x80)) {
                Some(&code) => return Err(DecodeError::Reserved(code)),
                None => return Ok(Packet::SubAck { packet_id, codes }),
            }
        }
        kind::UNSUBSCRIBE => {
            let packet_id = body.packet_id()?;
            return Ok(Packet::Unsubscribe { packet_id, filters: Filters::parse(body.rest(), false)? });
        }
        kind::UNSUBACK => Packet::UnsubAck(body.packet_id()?),
        kind::PINGREQ => Packet::PingReq,
        kind::PINGRESP => Packet::PingResp,
        _ => Packet::Disconnect,
    };
    body.finish()?;
    Ok(packet)
}

/// §3.1.
fn decode_connect<'a>(body: &mut Reader<'a>) -> Result<Connect<'a>, DecodeError> {
    match body.binary()? {
        b"MQTT" => match body.byte()? {
            LEVEL => {}
            level => return Err(DecodeError::ProtocolLevel(level)),
        },
        b"MQIsdp" => return Err(DecodeError::ProtocolLevel(body.byte()?)),
        _ => return Err(DecodeError::ProtocolName),
    }
    let flags = body.byte()?;
    let bit = |n: u8| flags >> n & 1 == 1;
    let (clean_session, has_will, retain, has_password, has_user_name) =
        (bit(1), bit(2), bit(5), bit(6), bit(7));
    let qos = QoS::from_bits(flags >> 3 & 3).ok_or(DecodeError::ConnectFlags(flags))?;
    let together =
        !bit(0) && (has_will || (qos == QoS::AtMostOnce && !retain)) && (has_user_name || !has_password);
    if !together {
        return Err(DecodeError::ConnectFlags(flags));
    }
    let keep_alive_secs = body.u16()?;
    let client_id = body.text()?;
    let will = if has_will {
        let topic = check_topic(body.text()?)?;
        Some(Will { topic, payload: body.binary()?, qos, retain })
    } else {
        None
    };
    let user_name = if has_user_name { Some(body.text()?) } else { None };
    let password = if has_password { Some(body.binary()?) } else { None };
    Ok(Connect { client_id, clean_session, keep_alive_secs, will, user_name, password })
}

/// §3.3.
fn decode_publish(first: u8, mut body: Reader<'_>) -> Result<Publish<'_>, DecodeError> {
    let (dup, retain) = (first & 8 != 0, first & 1 != 0);
    let topic = check_topic(body.text()?)?;
    let quality = match first >> 1 & 3 {
        0 if dup => return Err(DecodeError::Duplicate),
        0 => Quality::AtMostOnce,
        1 => Quality::AtLeastOnce(body.packet_id()?),
        2 => Quality::ExactlyOnce(body.packet_id()?),
        _ => return Err(DecodeError::QoS),
    };
    Ok(Publish { topic, quality, dup, retain, payload: body.rest() })
}

/// §3.3.2.1, §4.7.3.
fn check_topic(topic: &str) -> Result<&str, DecodeError> {
    if topic.is_empty() || topic.contains(['#', '+']) { Err(DecodeError::Topic) } else { Ok(topic) }
}

/// Writes a packet to the end of `out`.
///
/// # Errors
/// [`EncodeError`] when a field or the packet is too long; `out` is then as it was.
pub fn encode(packet: &Packet<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let result = encode_at_end(packet, out);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn encode_at_end(packet: &Packet<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match packet {
        Packet::Publish(publish) => return encode_publish(publish, out),
        Packet::Connect(connect) => return encode_connect(connect, out),
        Packet::ConnAck { session_present, code } => {
            out.extend_from_slice(&[kind::CONNACK << 4, 2, (*session_present).into(), *code as u8]);
        }
        Packet::PubAck(id) => put_ack(kind::PUBACK << 4, *id, out),
        Packet::PubRec(id) => put_ack(kind::PUBREC << 4, *id, out),
        Packet::PubRel(id) => put_ack(kind::PUBREL << 4 | 2, *id, out),
        Packet::PubComp(id) => put_ack(kind::PUBCOMP << 4, *id, out),
        Packet::UnsubAck(id) => put_ack(kind::UNSUBACK << 4, *id, out),
        Packet::Subscribe { packet_id, filters } => {
            put_with_id(kind::SUBSCRIBE << 4 | 2, *packet_id, filters.block, out)?;
        }
        Packet::SubAck { packet_id, codes } => put_with_id(kind::SUBACK << 4, *packet_id, codes, out)?,
        Packet::Unsubscribe { packet_id, filters } => {
            put_with_id(kind::UNSUBSCRIBE << 4 | 2, *packet_id, filters.block, out)?;
        }
        Packet::PingReq => out.extend_from_slice(&[kind::PINGREQ << 4, 0]),
        Packet::PingResp => out.extend_from_slice(&[kind::PINGRESP << 4, 0]),
        Packet::Disconnect => out.extend_from_slice(&[kind::DISCONNECT << 4, 0]),
    }
    Ok(())
}

fn put_ack(first: u8, id: NonZeroU16, out: &mut Vec<u8>) {
    let [high, low] = id.get().to_be_bytes();
    out.extend_from_slice(&[first, 2, high, low]);
}

fn put_with_id(first: u8, id: NonZeroU16, block: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.push(first);
    put_remaining_length(out, 2 + block.len())?;
    out.extend_from_slice(&id.get().to_be_bytes());
    out.extend_from_slice(block);
    Ok(())
}

fn encode_publish(publish: &Publish<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let (qos, id) = match publish.quality {
        Quality::AtMostOnce => (0, None),
        Quality::AtLeastOnce(id) => (1, Some(id)),
        Quality::ExactlyOnce(id) => (2, Some(id)),
    };
    let dup = publish.dup && qos > 0;
    let topic = publish.topic.as_bytes();
    let length = field_len(topic)? + if id.is_some() { 2 } else { 0 } + publish.payload.len();
    out.reserve(5 + length);
    out.push(kind::PUBLISH << 4 | u8::from(dup) << 3 | qos << 1 | u8::from(publish.retain));
    put_remaining_length(out, length)?;
    put_field(out, topic);
    if let Some(id) = id {
        out.extend_from_slice(&id.get().to_be_bytes());
    }
    out.extend_from_slice(publish.payload);
    Ok(())
}

fn encode_connect(connect: &Connect<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut flags = u8::from(connect.clean_session) << 1;
    let mut length = 10 + field_len(connect.client_id.as_bytes())?;
    if let Some(will) = &connect.will {
        flags |= 1 << 2 | (will.qos as u8) << 3 | u8::from(will.retain) << 5;
        length += field_len(will.topic.as_bytes())? + field_len(will.payload)?;
    }
    if let Some(user_name) = connect.user_name {
        flags |= 1 << 7;
        length += field_len(user_name.as_bytes())?;
    }
    if let Some(password) = connect.password {
        flags |= 1 << 6;
        length += field_len(password)?;
    }
    out.push(kind::CONNECT << 4);
    put_remaining_length(out, length)?;
    put_field(out, b"MQTT");
    out.push(LEVEL);
    out.push(flags);
    out.extend_from_slice(&connect.keep_alive_secs.to_be_bytes());
    put_field(out, connect.client_id.as_bytes());
    if let Some(will) = &connect.will {
        put_field(out, will.topic.as_bytes());
        put_field(out, will.payload);
    }
    for field in [connect.user_name.map(str::as_bytes), connect.password].into_iter().flatten() {
        put_field(out, field);
    }
    Ok(())
}
