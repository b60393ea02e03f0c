//! For tests of listeners and gateways: the conformance kit of [`Listener`](crate::Listener), a gateway that notes
//! everything, and a small MQTT client.
//!
//! Exempt from semantic versioning.

mod amqp;
mod client;
mod gateway;
mod http;
pub mod listener;
mod service;

pub use amqp::{AmqpClient, AmqpEvent, amqp_address, amqp_body, amqp_decoded, amqp_encoded, amqp_received};
pub use client::MqttClient;
pub use gateway::FakeGateway;
pub use http::{HttpAnswer, HttpClient, amqp_bytes, http_bytes};
pub use service::FakeService;
