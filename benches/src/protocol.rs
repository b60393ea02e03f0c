//! Which protocol a client speaks.

use crate::amqp::{self, Transfers};
use crate::http;
use crate::mqtt::{self, Login, Packet, Publish};

/// A protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "programs of this package match all of them")]
pub enum Protocol {
    /// MQTT 3.1.1.
    #[default]
    Mqtt,
    /// AMQP 1.0.
    Amqp,
    /// HTTP/1.1.
    Http,
}

impl Protocol {
    /// Returns what a client says first; the first request of HTTP is a message.
    #[must_use]
    pub fn connect(self, login: &Login) -> Vec<u8> {
        match self {
            Self::Mqtt => mqtt::connect(login),
            Self::Amqp => amqp::connect(login),
            Self::Http => http::request(login, b"first"),
        }
    }

    /// Reads the first packet, frame or answer of what a server has sent, and says how long it is.
    #[must_use]
    pub fn read(self, bytes: &[u8]) -> Option<(Packet, usize)> {
        match self {
            Self::Mqtt => mqtt::read(bytes),
            Self::Amqp => amqp::read(bytes),
            Self::Http => http::read(bytes),
        }
    }
}

/// Messages of one client, each the same.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "programs of this package match all of them")]
pub enum Messages {
    /// Over MQTT.
    Mqtt(Publish),
    /// Over AMQP.
    Amqp(Transfers),
    /// Over HTTP: whole requests.
    Http(Vec<u8>),
}

impl Messages {
    /// Returns messages with this body.
    #[must_use]
    pub fn new(login: &Login, body: &[u8]) -> Self {
        match login.protocol {
            Protocol::Mqtt => Self::Mqtt(Publish::new(&login.publishes_to, body)),
            Protocol::Amqp => Self::Amqp(Transfers::new(body)),
            Protocol::Http => Self::Http(http::request(login, body)),
        }
    }

    /// Writes the next one; `id` is its packet identifier where there are any.
    pub fn write(&mut self, id: u16, out: &mut Vec<u8>) {
        match self {
            Self::Mqtt(publish) => publish.write(id, out),
            Self::Amqp(transfers) => transfers.write(out),
            Self::Http(request) => out.extend_from_slice(request),
        }
    }
}
