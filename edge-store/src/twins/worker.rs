//! The thread that writes twins: all changes that have gathered become durable with one commit.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use edge_twin::TwinStoreError;
use redb::{Database, ReadableTable, Table};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::{TWINS, failed};

/// The most changes of one commit.
const MAX_BATCH: usize = 1024;

/// A change of one twin.
#[derive(Debug)]
pub(super) enum Change {
    Save { over: Option<u64>, version: u64, stored: Bytes },
    Remove,
}

impl Change {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Save { stored, .. } => stored.len(),
            Self::Remove => 0,
        }
    }
}

/// A change, and who waits for it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) key: Vec<u8>,
    pub(super) change: Change,
    pub(super) answer: oneshot::Sender<Result<bool, TwinStoreError>>,
    pub(super) _room: OwnedSemaphorePermit,
}

/// Makes the table, so that readers find it.
pub(super) fn make_table(database: &Database) -> Result<(), redb::Error> {
    let writing = database.begin_write()?;
    writing.open_table(TWINS)?;
    writing.commit()?;
    Ok(())
}

/// Starts the thread; it ends when nobody can ask it any more and everything is written.
pub(super) fn start(
    database: Arc<Database>,
    mut mail: mpsc::Receiver<Request>,
) -> io::Result<JoinHandle<()>> {
    let run = move || {
        let mut batch = Vec::new();
        while mail.blocking_recv_many(&mut batch, MAX_BATCH) > 0 {
            write(&database, &mut batch);
        }
    };
    thread::Builder::new().name("edge-store-twins".to_owned()).spawn(run)
}

/// Makes the changes, and answers once they are durable.
fn write(database: &Database, batch: &mut Vec<Request>) {
    let outcome = commit(database, batch);
    match outcome {
        Ok(results) => {
            for (request, result) in batch.drain(..).zip(results) {
                let _nobody_waits = request.answer.send(result);
            }
        }
        Err(error) => {
            tracing::error!(error = %edge_core::Report(&error), "twins could not be written");
            for request in batch.drain(..) {
                let _nobody_waits = request.answer.send(Err(error.clone()));
            }
        }
    }
}

/// Returns what became of each change; an error is that of all of them, and then nothing has changed.
fn commit(
    database: &Database,
    batch: &[Request],
) -> Result<Vec<Result<bool, TwinStoreError>>, TwinStoreError> {
    let writing = database.begin_write().map_err(failed("writing twins"))?;
    let mut twins = writing.open_table(TWINS).map_err(failed("writing twins"))?;
    let mut results = Vec::with_capacity(batch.len());
    for Request { key, change, .. } in batch {
        results.push(match apply(&mut twins, key, change) {
            // A refusal is that of one change; all else is the database's.
            Err(error @ TwinStoreError::Conflict { .. }) => Err(error),
            other => Ok(other?),
        });
    }
    drop(twins);
    writing.commit().map_err(failed("committing twins"))?;
    Ok(results)
}

fn apply(
    twins: &mut Table<'_, &'static [u8], &'static [u8]>,
    key: &[u8],
    change: &Change,
) -> Result<bool, TwinStoreError> {
    match change {
        Change::Remove => Ok(twins.remove(key).map_err(failed("removing a twin"))?.is_some()),
        Change::Save { over, version, stored } => {
            let found = twins.get(key).map_err(failed("reading a twin"))?;
            let found = found.and_then(|found| edge_twin::Twin::stored_version(found.value()));
            TwinStoreError::conflict(found, *over, *version)?;
            twins.insert(key, &**stored).map_err(failed("writing a twin"))?;
            Ok(true)
        }
    }
}
