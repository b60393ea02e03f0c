//! Northbound endpoints: where the gateway's messages go.
//!
//! | endpoint | a message is accepted when |
//! |---|---|
//! | [`MqttUpstream`] | the broker has answered with PUBACK |
//! | [`FileUpstream`] | its line is written whole and synced to the disk |
//!
//! None of them retries without end or gives a message up: the hub's pump does, see [`edge_core::Endpoint`].

mod file;
mod mqtt;
pub mod ndjson;

pub use file::{FileUpstream, FileUpstreamError, FileUpstreamOptions};
pub use mqtt::{
    BrokerUrl, BrokerUrlError, MqttUpstream, MqttUpstreamError, MqttUpstreamOptions, MqttVersion,
    MqttVersionError, PropertyPlacement, PropertyPlacementError, TopicError, TopicTemplate,
};
