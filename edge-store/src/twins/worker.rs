//! The thread that writes twins: all changes that have gathered become durable with one commit.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use edge_twin::TwinStoreError;
use redb::{Database, ReadableDatabase, ReadableTable, Table};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::{TWINS, failed};
use crate::database::Reopening;

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

/// Makes the table when it is not there, so that readers find it.
pub(super) fn make_table(database: &Database) -> Result<(), redb::Error> {
    if database.begin_read()?.open_table(TWINS).is_ok() {
        return Ok(());
    }
    let writing = database.begin_write()?;
    writing.open_table(TWINS)?;
    writing.commit()?;
    Ok(())
}

/// Starts the thread; it ends when nobody can ask it any more and everything is written.
pub(super) fn start(
    database: Arc<Reopening>,
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
fn write(database: &Reopening, batch: &mut Vec<Request>) {
    let outcome = database.with(|database| commit(database, batch)).map_err(failed("writing twins"));
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
fn commit(database: &Database, batch: &[Request]) -> Result<Vec<Result<bool, TwinStoreError>>, redb::Error> {
    let writing = database.begin_write()?;
    let mut twins = writing.open_table(TWINS)?;
    let mut results = Vec::with_capacity(batch.len());
    for Request { key, change, .. } in batch {
        results.push(apply(&mut twins, key, change)?);
    }
    drop(twins);
    writing.commit()?;
    Ok(results)
}

/// Makes a change, or refuses it; an error is the database's.
fn apply(
    twins: &mut Table<'_, &'static [u8], &'static [u8]>,
    key: &[u8],
    change: &Change,
) -> Result<Result<bool, TwinStoreError>, redb::Error> {
    match change {
        Change::Remove => Ok(Ok(twins.remove(key)?.is_some())),
        Change::Save { over, version, stored } => {
            let found = twins.get(key)?.and_then(|found| edge_twin::Twin::stored_version(found.value()));
            if let Err(refused) = TwinStoreError::conflict(found, *over, *version) {
                return Ok(Err(refused));
            }
            twins.insert(key, &**stored)?;
            Ok(Ok(true))
        }
    }
}
