//! What is measured.

mod edge;
mod fjall;
mod raw;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sqlite;

use std::fmt::Debug;
use std::path::Path;

use edge_core::{Message, Receipt};

use crate::Fallible;
use crate::group::Group;

pub(crate) use edge::{Edge, json_message, message, queue, targets};

/// A durable queue.
pub(crate) trait Queue: Debug + Send + Sync {
    /// Queues a message; the receipt resolves when it survives the loss of power.
    fn append(&self, message: Message) -> Receipt;

    /// How often something was made durable so far.
    fn commits(&self) -> u64;
}

/// Something that keeps records by rising number.
pub(crate) trait Engine: Debug + Send {
    /// Makes the messages durable, in their stored form, as the records from number `first` on.
    fn commit(&mut self, first: u64, messages: &[Message]) -> Fallible<()>;
}

/// All engines, ours first, with segments of 16 MiB (the default) and 64 MiB; `raw` is the limit.
pub(crate) const ALL: &[&str] = &[
    "edge-store",
    "edge-store-64m",
    "raw",
    "raw-recycled",
    #[cfg(feature = "rocksdb")]
    "rocksdb",
    "fjall",
    "sqlite",
    "redb",
];

/// Opens an engine's queue in an empty folder.
pub(crate) fn open(name: &str, dir: &Path, records: u64) -> Fallible<Box<dyn Queue>> {
    let engine: Box<dyn Engine> = match name {
        "edge-store" => return Ok(Box::new(Edge::open(dir, 16 << 20)?)),
        "edge-store-64m" => return Ok(Box::new(Edge::open(dir, 64 << 20)?)),
        "raw" => Box::new(raw::Raw::open(dir)?),
        "raw-recycled" => Box::new(raw::Raw::open_recycled(dir, records)?),
        #[cfg(feature = "rocksdb")]
        "rocksdb" => Box::new(rocksdb::Rocks::open(dir)?),
        "fjall" => Box::new(fjall::Fjall::open(dir)?),
        "sqlite" => Box::new(sqlite::Sqlite::open(dir)?),
        "redb" => Box::new(redb::Redb::open(dir)?),
        other => return Err(format!("{other} is no engine").into()),
    };
    Ok(Box::new(Group::new(engine)?))
}
