//! The few packets of MQTT 3.1.1 that a load generator needs; what it hears over other protocols is told in the same
//! words.

use crate::protocol::Protocol;

/// A packet from a server, without what the generator has no use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "programs of this package match all of them")]
pub enum Packet {
    /// An answer to CONNECT, with its code; 0 is success.
    Connected(u8),
    /// An acknowledgement of the publish with this packet identifier.
    Acked(u16),
    /// A publish; the identifier is there when it wants an acknowledgement.
    Delivered(Option<u16>),
    /// An answer to SUBSCRIBE, with its first return code; 0x80 is a refusal.
    Subscribed(u8),
    /// These deliveries of AMQP are settled.
    Settled {
        /// The first of them.
        first: u32,
        /// The last of them.
        last: u32,
    },
    /// A request of HTTP is answered with this status.
    Answered(u16),
    /// Anything else.
    Other,
}

/// How a client introduces itself, and what it then says.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "programs of this package fill it in")]
pub struct Login {
    /// What the client speaks.
    pub protocol: Protocol,
    /// The client identifier.
    pub client_id: String,
    /// The user name, where the server wants one.
    pub user: Option<String>,
    /// The password, where the server wants one.
    pub password: Option<String>,
    /// The topic, address or path that this client publishes to.
    pub publishes_to: String,
    /// The filter that this client subscribes to.
    pub subscribes_to: Option<String>,
}

/// Returns a CONNECT packet with a keep-alive long enough for any measurement.
///
/// # Examples
/// ```
/// use edge_bench::mqtt::{Login, connect};
///
/// let packet = connect(&Login { client_id: "a".into(), ..Login::default() });
/// assert_eq!(packet, b"\x10\x0d\x00\x04MQTT\x04\x02\x04\xb0\x00\x01a");
/// ```
#[must_use]
pub fn connect(login: &Login) -> Vec<u8> {
    let flags =
        0x02 | if login.user.is_some() { 0x80 } else { 0 } | if login.password.is_some() { 0x40 } else { 0 };
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    body.extend([4, flags]);
    body.extend(1200_u16.to_be_bytes());
    text(&mut body, &login.client_id);
    for part in [&login.user, &login.password].into_iter().flatten() {
        text(&mut body, part);
    }
    framed(0x10, &body)
}

/// Returns a SUBSCRIBE packet for one filter at quality of service 1.
#[must_use]
pub fn subscribe(filter: &str) -> Vec<u8> {
    let mut body = vec![0, 1];
    text(&mut body, filter);
    body.push(1);
    framed(0x82, &body)
}

/// Returns the acknowledgement of a delivery.
#[must_use]
pub fn puback(id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [0x40, 2, high, low]
}

/// A PUBLISH at quality of service 1, made once and sent with different identifiers.
#[derive(Clone, Debug)]
pub struct Publish {
    packet: Vec<u8>,
    id_at: usize,
}

impl Publish {
    /// Makes the packet.
    #[must_use]
    pub fn new(topic: &str, payload: &[u8]) -> Self {
        let mut body = Vec::new();
        text(&mut body, topic);
        let from_end = payload.len() + 2;
        body.extend([0, 0]);
        body.extend(payload);
        let packet = framed(0x32, &body);
        Self { id_at: packet.len() - from_end, packet }
    }

    /// Appends the packet with this identifier.
    pub fn write(&self, id: u16, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&self.packet);
        out[begin + self.id_at..begin + self.id_at + 2].copy_from_slice(&id.to_be_bytes());
    }
}

/// Takes one whole packet from the front; returns it with its length, or nothing while it is incomplete.
///
/// # Examples
/// ```
/// use edge_bench::mqtt::{Packet, read};
///
/// assert_eq!(read(b"\x40\x02\x01\x02\x40"), Some((Packet::Acked(0x102), 4)));
/// assert_eq!(read(b"\x40\x02\x01"), None);
/// ```
#[must_use]
pub fn read(bytes: &[u8]) -> Option<(Packet, usize)> {
    let (first, head, length) = frame(bytes)?;
    let body = bytes.get(head..head + length)?;
    let pair = |at: usize| Some(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
    let packet = match first >> 4 {
        2 => body.get(1).map(|code| Packet::Connected(*code)),
        3 if first & 0x06 == 0 => Some(Packet::Delivered(None)),
        3 => pair(0).and_then(|topic| pair(2 + usize::from(topic))).map(|id| Packet::Delivered(Some(id))),
        4 => pair(0).map(Packet::Acked),
        9 => body.get(2).map(|code| Packet::Subscribed(*code)),
        _ => None,
    };
    Some((packet.unwrap_or(Packet::Other), head + length))
}

/// Returns the first byte, the length of the fixed header and that of the rest, once the header is complete.
#[must_use]
pub fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let first = *bytes.first()?;
    let mut length = 0;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((first, index + 2, length));
        }
    }
    None
}

fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut rest = body.len();
    loop {
        let low = u8::try_from(rest & 0x7f).unwrap_or_default();
        rest >>= 7;
        packet.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_is_read_back_with_its_identifier() {
        let mut bytes = Vec::new();
        Publish::new("a/b", &[7; 300]).write(513, &mut bytes);
        assert_eq!(read(&bytes), Some((Packet::Delivered(Some(513)), bytes.len())));
        assert_eq!(read(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn answers_are_told_apart() {
        assert_eq!(read(&[0x20, 2, 0, 5]), Some((Packet::Connected(5), 4)));
        assert_eq!(read(&[0x90, 3, 0, 1, 0x80]), Some((Packet::Subscribed(0x80), 5)));
        assert_eq!(read(&[0x30, 3, 0, 1, b'a']), Some((Packet::Delivered(None), 5)));
        assert_eq!(read(&[0xd0, 0]), Some((Packet::Other, 2)));
    }
}
