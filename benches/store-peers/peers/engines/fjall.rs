//! fjall: one batch a group, its journal synced.

use std::fmt;
use std::path::Path;

use edge_core::Message;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::Engine;
use crate::Fallible;

pub(crate) struct Fjall {
    db: Database,
    queue: Keyspace,
}

impl Fjall {
    pub(crate) fn open(dir: &Path) -> Fallible<Self> {
        let db = Database::builder(dir).open()?;
        let queue = db.keyspace("queue", KeyspaceCreateOptions::default)?;
        Ok(Self { db, queue })
    }
}

impl Engine for Fjall {
    fn commit(&mut self, first: u64, messages: &[Message]) -> Fallible<()> {
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        for (number, message) in (first..).zip(messages) {
            batch.insert(&self.queue, number.to_be_bytes(), &message.encoded()[..]);
        }
        Ok(batch.commit()?)
    }
}

impl fmt::Debug for Fjall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fjall")
    }
}
