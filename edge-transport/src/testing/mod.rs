//! For tests of listeners and gateways: the conformance kit of [`Listener`](crate::Listener), a gateway that notes
//! everything, and a small MQTT client.
//!
//! Exempt from semantic versioning.

mod client;
mod gateway;
pub mod listener;

pub use client::MqttClient;
pub use gateway::FakeGateway;
