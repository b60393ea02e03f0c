//! The few frames of AMQP 1.0 that a load generator needs.

use crate::mqtt::{Login, Packet};

/// The protocol header of AMQP without SASL.
const HEADER: &[u8; 8] = b"AMQP\x00\x01\x00\x00";
/// The links: for tokens, for their answers, and for messages.
const CBS: u32 = 1;
const CBS_ANSWERS: u32 = 2;
const EVENTS: u32 = 5;
/// Larger than any test takes.
const WINDOW: u32 = 1 << 30;

/// Returns everything that a client says before its first message: the token is put, and the link attached, without
/// waiting for an answer.
#[must_use]
pub fn connect(login: &Login) -> Vec<u8> {
    let mut out = HEADER.to_vec();
    frame(0x10, &[string(&login.client_id), string("hub.local")], b"", &mut out);
    frame(0x11, &[null(), uint(0), uint(WINDOW), uint(WINDOW)], b"", &mut out);
    if let Some(token) = &login.password {
        put_token(&login.client_id, token, &mut out);
    }
    attach(EVENTS, false, &login.publishes_to, &mut out);
    out
}

fn put_token(device: &str, token: &str, out: &mut Vec<u8>) {
    attach(CBS, false, "$cbs", out);
    attach(CBS_ANSWERS, true, "$cbs", out);
    let credit = [uint(0), uint(WINDOW), uint(0), uint(WINDOW), uint(CBS_ANSWERS), uint(0), uint(100)];
    frame(0x13, &credit, b"", out);
    let name = format!("hub.local/devices/{device}");
    let mut message = described(0x73, &list(&[string("1")]));
    let properties =
        [("operation", "put-token"), ("type", "servicebus.windows.net:sastoken"), ("name", &name)];
    message.extend(described(0x74, &map(&properties)));
    message.extend(described(0x77, &string(token)));
    transfer(CBS, 0, &message, out);
}

/// Messages of one link.
#[derive(Clone, Debug)]
pub struct Transfers {
    message: Vec<u8>,
    next: u32,
}

impl Transfers {
    /// Returns messages with this body.
    #[must_use]
    pub fn new(body: &[u8]) -> Self {
        // A broker writes down what says that it is durable.
        let header = described(0x70, &list(&[vec![0x41]]));
        // The token was number 0.
        Self { message: [header, described(0x75, &binary(body))].concat(), next: 1 }
    }

    /// Writes the next one.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        transfer(EVENTS, self.next, &self.message, out);
        self.next = self.next.wrapping_add(1);
    }
}

/// Reads the first frame of what a server has sent, and says how long it is.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<(Packet, usize)> {
    if bytes.starts_with(b"AMQP") {
        return (bytes.len() >= HEADER.len()).then_some((Packet::Other, HEADER.len()));
    }
    let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let whole = bytes.get(..length)?;
    let doff = usize::from(*whole.get(4)?) * 4;
    Some((performative(whole.get(doff..)?).unwrap_or(Packet::Other), length))
}

fn performative(body: &[u8]) -> Option<Packet> {
    let code = *body.get(2)?;
    let fields = match *body.get(3)? {
        0xc0 => body.get(6..)?,
        0xd0 => body.get(12..)?,
        _ => &[],
    };
    Some(match code {
        0x13 => {
            let mut rest = fields;
            let all: Vec<Option<u32>> = (0..5).map_while(|_| number(&mut rest)).collect();
            if all.get(4) == Some(&Some(EVENTS)) { Packet::Connected(0) } else { Packet::Other }
        }
        0x15 => {
            let mut rest = fields.get(1..)?;
            let first = number(&mut rest)??;
            let last = number(&mut rest)?.unwrap_or(first);
            // The token is no message.
            if last == 0 { Packet::Other } else { Packet::Settled { first, last } }
        }
        0x16..=0x18 => Packet::Connected(code),
        _ => Packet::Other,
    })
}

/// Takes one number or nothing off the front; `None` when it is something else.
fn number(bytes: &mut &[u8]) -> Option<Option<u32>> {
    let (code, rest) = bytes.split_first()?;
    let (value, rest) = match code {
        0x40 => (None, rest),
        0x43 => (Some(0), rest),
        0x52 => (Some(u32::from(*rest.first()?)), rest.get(1..)?),
        0x70 => (Some(u32::from_be_bytes(*rest.first_chunk()?)), rest.get(4..)?),
        _ => return None,
    };
    *bytes = rest;
    Some(value)
}

fn attach(handle: u32, receives: bool, address: &str, out: &mut Vec<u8>) {
    let role = vec![if receives { 0x41 } else { 0x42 }];
    let (source, target) =
        (described(0x28, &list(&[string(address)])), described(0x29, &list(&[string(address)])));
    let count = if receives { null() } else { uint(0) };
    let name = string(&format!("link-{handle}"));
    let fields = [name, uint(handle), role, null(), null(), source, target, null(), null(), count];
    frame(0x12, &fields, b"", out);
}

fn transfer(handle: u32, id: u32, message: &[u8], out: &mut Vec<u8>) {
    let fields = [uint(handle), uint(id), binary(&id.to_be_bytes()), vec![0x43], vec![0x42]];
    frame(0x14, &fields, message, out);
}

fn frame(performative: u8, fields: &[Vec<u8>], payload: &[u8], out: &mut Vec<u8>) {
    let body = described(performative, &list(fields));
    let length = u32::try_from(8 + body.len() + payload.len()).unwrap_or(u32::MAX);
    out.extend(length.to_be_bytes());
    out.extend([2, 0, 0, 0]);
    out.extend(body);
    out.extend(payload);
}

fn described(code: u8, value: &[u8]) -> Vec<u8> {
    [&[0x00, 0x53, code], value].concat()
}

fn counted(code: u8, count: usize, content: &[u8]) -> Vec<u8> {
    let mut out = vec![code];
    for number in [content.len() + 4, count] {
        out.extend(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    }
    out.extend(content);
    out
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    counted(0xd0, items.len(), &items.concat())
}

fn map(pairs: &[(&str, &str)]) -> Vec<u8> {
    let content: Vec<u8> =
        pairs.iter().flat_map(|(name, value)| [string(name), string(value)].concat()).collect();
    counted(0xd1, pairs.len() * 2, &content)
}

fn null() -> Vec<u8> {
    vec![0x40]
}

fn uint(value: u32) -> Vec<u8> {
    [&[0x70][..], &value.to_be_bytes()].concat()
}

fn sized(code: u8, content: &[u8]) -> Vec<u8> {
    [&[code][..], &u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes(), content].concat()
}

fn string(text: &str) -> Vec<u8> {
    sized(0xb1, text.as_bytes())
}

fn binary(bytes: &[u8]) -> Vec<u8> {
    sized(0xb0, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let mut bytes = Vec::new();
        frame(0x15, &[vec![0x41], uint(3), uint(7), vec![0x41]], b"", &mut bytes);
        assert_eq!(read(&bytes), Some((Packet::Settled { first: 3, last: 7 }, bytes.len())));
        assert_eq!(read(&bytes[..bytes.len() - 1]), None);
        let mut bytes = Vec::new();
        let flow = [uint(0), uint(1), uint(0), uint(1), uint(EVENTS), uint(0), uint(9)];
        frame(0x13, &flow, b"", &mut bytes);
        assert_eq!(read(&bytes), Some((Packet::Connected(0), bytes.len())));
        assert_eq!(read(HEADER), Some((Packet::Other, 8)));
    }
}
