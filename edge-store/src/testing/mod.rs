//! A file system in memory that crashes, loses and fails on demand, to stand under the real store in tests.
//!
//! # Examples
//! ```
//! use std::sync::Arc;
//! use edge_store::testing::CrashFs;
//! use edge_store::{SegmentStore, StoreOptions};
//!
//! let disk = CrashFs::new();
//! let (store, _) = SegmentStore::open_on(Arc::new(disk.clone()), "store", StoreOptions::default())?;
//! disk.freeze();
//! drop(store);
//!
//! let after = disk.after_power_loss(7);
//! let (_store, recovery) = SegmentStore::open_on(Arc::new(after), "store", StoreOptions::default())?;
//! assert_eq!(recovery.entries, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod crash_fs;
mod image;
mod random;

pub use crash_fs::{Call, CrashFs};
pub use random::Random;
