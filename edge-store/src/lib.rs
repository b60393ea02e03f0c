//! The durable queue.

mod error;
pub mod fs;
mod index;
mod log;
mod options;
mod reader;
mod recovery;
mod sessions;
mod shared;
mod state;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod writer;

pub use error::OpenError;
pub use options::StoreOptions;
pub use recovery::{Damage, Lost, Recovery};
pub use sessions::SessionFile;
pub use store::SegmentStore;
