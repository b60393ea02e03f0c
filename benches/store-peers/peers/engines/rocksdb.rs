//! RocksDB: one batch a group, its write-ahead log synced.

use std::path::Path;

use edge_core::Message;
use rocksdb::{DB, Options, WriteBatch, WriteOptions};

use super::Engine;
use crate::Fallible;

#[derive(Debug)]
pub(crate) struct Rocks {
    db: DB,
}

impl Rocks {
    pub(crate) fn open(dir: &Path) -> Fallible<Self> {
        let mut options = Options::default();
        options.create_if_missing(true);
        Ok(Self { db: DB::open(&options, dir)? })
    }
}

impl Engine for Rocks {
    fn commit(&mut self, first: u64, messages: &[Message]) -> Fallible<()> {
        let mut batch = WriteBatch::default();
        for (number, message) in (first..).zip(messages) {
            batch.put(number.to_be_bytes(), message.encoded());
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self.db.write_opt(batch, &options)?)
    }
}
