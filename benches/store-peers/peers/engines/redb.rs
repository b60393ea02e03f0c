//! redb: one transaction a group, durable at once.

use std::path::Path;

use edge_core::Message;
use redb::{Database, TableDefinition};

use super::Engine;
use crate::Fallible;

const QUEUE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("queue");

#[derive(Debug)]
pub(crate) struct Redb {
    db: Database,
}

impl Redb {
    pub(crate) fn open(dir: &Path) -> Fallible<Self> {
        Ok(Self { db: Database::create(dir.join("queue.redb"))? })
    }
}

impl Engine for Redb {
    fn commit(&mut self, first: u64, messages: &[Message]) -> Fallible<()> {
        let transaction = self.db.begin_write()?;
        {
            let mut table = transaction.open_table(QUEUE)?;
            for (number, message) in (first..).zip(messages) {
                table.insert(number, &message.encoded()[..])?;
            }
        }
        Ok(transaction.commit()?)
    }
}
