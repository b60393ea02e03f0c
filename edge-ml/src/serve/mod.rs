//! Models in the path of messages: threads that run them, batches, and the endpoint that the gateway feeds.

mod driver;
mod endpoint;
mod fixed;
mod made;
mod mapped;
mod memo;
mod pool;
mod stack;
mod stats;
mod versions;

pub(crate) use driver::Spent;
pub use endpoint::{ModelEndpoint, Translate};
pub use made::{EndpointStats, OnError};
pub use mapped::Mapped;
pub use pool::{ModelPool, PoolOptions, Ticket};
pub use stats::PoolStats;
