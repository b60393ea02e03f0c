//! Protocols in and out of the gateway.
//!
//! | what | where |
//! |---|---|
//! | MQTT 3.1.1 for devices and modules, plain or over TLS | [`MqttListener`] |
//! | AMQP 1.0 for devices, modules and the service side, plain or over TLS | [`AmqpListener`] |
//! | both over WebSockets, and HTTP/1.1 for devices, modules and the service side | [`WebListener`] |
//! | TLS with a certificate that can be replaced | [`TlsServer`] |
//! | limits on memory, connections and times | [`TransportLimits`], [`Resources`] |
//! | tokens, keys, certificates, topics and property bags of IoT Hub | [`iothub`] |
//! | MQTT without a socket | [`mqtt::packet`], [`mqtt::session`] |
//! | brokers and files that messages go to | [`upstream`] |
//! | metrics over HTTP | [`MetricsListener`] |
//!
//! How a message crosses from one protocol to another is in [`protocols`].
//!
//! Another protocol is another [`Listener`]; its conformance kit is `edge_transport::testing::listener`, behind the
//! feature `testing`, which is exempt from semantic versioning.

mod amqp;
mod driver;
mod http;
pub mod iothub;
mod limits;
mod listener;
pub mod mqtt;
mod prepare;
#[doc = include_str!("../PROTOCOLS.md")]
pub mod protocols {}
mod resources;
mod rest;
mod stop;
mod tasks;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tls;
pub mod upstream;
mod wire;
mod workspace;
mod ws;

pub use amqp::listener::AmqpListener;
pub use http::MetricsListener;
pub use limits::TransportLimits;
pub use listener::{Listener, ListenerError};
pub use mqtt::listener::MqttListener;
pub use resources::Resources;
pub use stop::{Stop, Stopper};
pub use tls::{ServerCertificate, TlsError, TlsServer};
pub use ws::WebListener;
