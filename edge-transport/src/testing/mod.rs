//! For tests of listeners and gateways: a gateway that notes everything, and a small MQTT client.
//!
//! Exempt from semantic versioning.

mod client;
mod gateway;

pub use client::MqttClient;
pub use gateway::FakeGateway;
