//! How clients introduce themselves to a server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;

use crate::clock;
use crate::mqtt::Login;
use crate::protocol::Protocol;

/// The key of every identity of a measurement, which is no secret.
const KEY: &[u8; 32] = b"a key for measurements, public!!";
pub(super) const HUB: &str = "hub.local";
pub(super) const GATEWAY_DEVICE: &str = "edge1";
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How clients name themselves and their topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "programs of this package match all of them")]
pub enum Dialect {
    /// Any names and topics, no password.
    Plain,
    /// That of Azure IoT Hub: identities, tokens, fixed topics.
    IotHub,
    /// As the devices of Azure IoT Hub do over AMQP.
    Amqp,
    /// As the devices of Azure IoT Hub do over HTTP.
    Http,
    /// As a broker of AMQP 1.0 wants it: one durable queue, and nobody is asked who they are.
    Broker,
}

impl Dialect {
    /// Returns the login of the device with this number, which publishes.
    #[must_use]
    pub fn publisher(self, number: usize) -> Login {
        let device = publisher_id(number);
        match self {
            Self::Plain => Login {
                client_id: device.clone(),
                publishes_to: format!("bench/{device}"),
                ..Login::default()
            },
            Self::IotHub => Login {
                user: Some(format!("{HUB}/{device}/?api-version=2021-04-12")),
                password: Some(token(&format!("{HUB}/devices/{device}"))),
                publishes_to: format!("devices/{device}/messages/events/"),
                client_id: device,
                ..Login::default()
            },
            Self::Amqp => Login {
                protocol: Protocol::Amqp,
                password: Some(token(&format!("{HUB}/devices/{device}"))),
                publishes_to: format!("/devices/{device}/messages/events"),
                client_id: device,
                ..Login::default()
            },
            Self::Broker => Login {
                protocol: Protocol::Amqp,
                publishes_to: "/queue/bench".to_owned(),
                client_id: device,
                ..Login::default()
            },
            Self::Http => Login {
                protocol: Protocol::Http,
                password: Some(token(&format!("{HUB}/devices/{device}"))),
                publishes_to: format!("/devices/{device}/messages/events"),
                client_id: device,
                ..Login::default()
            },
        }
    }

    /// Returns the login of the module with this number, which receives what all publishers send.
    #[must_use]
    pub fn subscriber(self, number: usize) -> Login {
        let module = subscriber_id(number);
        match self {
            Self::Plain => {
                Login { client_id: module, subscribes_to: Some("bench/#".into()), ..Login::default() }
            }
            // Who receives speaks MQTT, whoever sends.
            Self::IotHub | Self::Amqp | Self::Http | Self::Broker => Login {
                client_id: format!("{GATEWAY_DEVICE}/{module}"),
                user: Some(format!("{HUB}/{GATEWAY_DEVICE}/{module}/?api-version=2021-04-12")),
                password: Some(token(&format!("{HUB}/devices/{GATEWAY_DEVICE}/modules/{module}"))),
                subscribes_to: Some(format!("devices/{GATEWAY_DEVICE}/modules/{module}/inputs/#")),
                ..Login::default()
            },
        }
    }
}

pub(super) fn publisher_id(number: usize) -> String {
    format!("device{number}")
}

pub(super) fn subscriber_id(number: usize) -> String {
    format!("sink{number}")
}

/// Returns the key of every identity of a measurement, in base64.
#[must_use]
pub fn shared_key() -> String {
    STANDARD.encode(KEY)
}

/// Returns a token for a resource that is good for a day.
fn token(resource: &str) -> String {
    let resource = utf8_percent_encode(resource, UNRESERVED).to_string();
    let expiry = clock::unix_seconds() + 86_400;
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY), format!("{resource}\n{expiry}").as_bytes());
    let signature = STANDARD.encode(mac);
    let signature = utf8_percent_encode(&signature, UNRESERVED);
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_introduces_itself_as_the_hub_wants_it() {
        let login = Dialect::IotHub.publisher(3);
        assert_eq!(login.client_id, "device3");
        assert_eq!(login.user.as_deref(), Some("hub.local/device3/?api-version=2021-04-12"));
        let password = login.password.unwrap();
        assert!(
            password.starts_with("SharedAccessSignature sr=hub.local%2Fdevices%2Fdevice3&sig="),
            "{password}"
        );
    }
}
