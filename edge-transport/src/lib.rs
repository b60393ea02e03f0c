//! Protocols in and out of the gateway.

mod driver;
mod http;
pub mod iothub;
mod limits;
mod listener;
pub mod mqtt;
mod resources;
mod stop;
mod tasks;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod upstream;
mod workspace;

pub use http::MetricsListener;
pub use limits::TransportLimits;
pub use listener::{Listener, ListenerError};
pub use mqtt::listener::MqttListener;
pub use resources::Resources;
pub use stop::{Stop, Stopper};
