//! The listener of AMQP keeps the contract of listeners.

#[path = "listener/amqp.rs"]
mod harness;

edge_transport::listener_conformance!(harness::Amqp);
