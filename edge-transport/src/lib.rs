//! Protocols in and out of the gateway.

mod driver;
mod http;
pub mod iothub;
mod limits;
mod listener;
pub mod mqtt;
mod prepare;
mod resources;
mod stop;
mod tasks;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tls;
pub mod upstream;
mod workspace;
mod ws;

pub use http::MetricsListener;
pub use limits::TransportLimits;
pub use listener::{Listener, ListenerError};
pub use mqtt::listener::MqttListener;
pub use resources::Resources;
pub use stop::{Stop, Stopper};
pub use tls::{ServerCertificate, TlsError, TlsServer};
pub use ws::WebListener;
