//! SQLite: one transaction a group, in a write-ahead log that is synced.

use std::path::Path;

use edge_core::Message;
use rusqlite::{Connection, params};

use super::Engine;
use crate::Fallible;

#[derive(Debug)]
pub(crate) struct Sqlite {
    db: Connection,
}

impl Sqlite {
    pub(crate) fn open(dir: &Path) -> Fallible<Self> {
        let db = Connection::open(dir.join("queue.db"))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.execute("CREATE TABLE queue (number INTEGER PRIMARY KEY, message BLOB NOT NULL)", [])?;
        Ok(Self { db })
    }
}

impl Engine for Sqlite {
    fn commit(&mut self, first: u64, messages: &[Message]) -> Fallible<()> {
        let transaction = self.db.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO queue VALUES (?1, ?2)")?;
            for (number, message) in (first..).zip(messages) {
                insert.execute(params![i64::try_from(number)?, &message.encoded()[..]])?;
            }
        }
        Ok(transaction.commit()?)
    }
}
