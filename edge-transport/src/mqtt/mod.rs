//! MQTT: packets, the server's side of a session, and the listener.

pub(crate) mod driver;
pub(crate) mod listener;
pub mod packet;
pub mod session;
