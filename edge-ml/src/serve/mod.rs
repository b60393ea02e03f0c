//! Models in the path of messages: threads that run them, batches, and the endpoint that the gateway feeds.

mod driver;
mod endpoint;
mod mapped;
mod pool;
mod stack;
mod stats;

pub use endpoint::{ModelEndpoint, OnError, Translate};
pub use mapped::Mapped;
pub use pool::{ModelPool, PoolOptions, Ticket};
pub use stats::PoolStats;
