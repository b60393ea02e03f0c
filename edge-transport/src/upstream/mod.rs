//! Northbound endpoints: where the gateway's messages go.
//!
//! | endpoint | a message is accepted when |
//! |---|---|
//! | [`HttpUpstream`] | the server has answered its request with 2xx |
//! | [`MqttUpstream`] | the broker has answered with PUBACK |
//! | [`AmqpUpstream`] | the broker has settled it as accepted |
//! | [`FileUpstream`] | its line is written whole and synced to the disk |
//!
//! None of them retries without end or gives a message up: the hub's pump does, see [`edge_core::Endpoint`].

mod amqp;
mod dial;
mod driver;
mod file;
mod flight;
pub(crate) mod http;
mod jobs;
pub(crate) mod mqtt;
pub mod ndjson;
mod suspects;
mod tasks;
mod tls;
mod url;

pub use amqp::{AmqpLogin, AmqpUpstream, AmqpUpstreamError, AmqpUpstreamOptions};
pub use file::{FileUpstream, FileUpstreamError, FileUpstreamOptions};
pub use http::{
    HttpFormat, HttpFormatError, HttpLogin, HttpUpstream, HttpUpstreamError, HttpUpstreamOptions,
};
pub use mqtt::{
    MqttUpstream, MqttUpstreamError, MqttUpstreamOptions, MqttVersion, MqttVersionError, PropertyPlacement,
    PropertyPlacementError, TopicError, TopicTemplate,
};
pub use tls::UpstreamTlsError;
pub use url::{AmqpUrl, BrokerUrl, HttpUrl, UrlError};
