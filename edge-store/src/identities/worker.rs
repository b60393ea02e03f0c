//! The thread that writes identities: all calls that have gathered become durable with one commit.

use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};

use edge_core::service::IdentityChange;
use edge_core::{Durability, ReceiptSender};
use redb::Database;

use super::{IDENTITIES, Shared, failed, record};
use crate::database::Reopening;

type Calls = Vec<(Vec<IdentityChange>, ReceiptSender)>;

/// Starts the thread; it ends when it is told to and everything is written.
pub(super) fn start(database: Arc<Reopening>, shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let run = move || {
        while let Some(calls) = wait(&shared) {
            write(&database, calls);
        }
    };
    thread::Builder::new().name("edge-store-identities".to_owned()).spawn(run)
}

fn wait(shared: &Shared) -> Option<Calls> {
    let mut mail = shared.lock();
    while mail.calls.is_empty() {
        if mail.stop {
            return None;
        }
        mail = shared.arrived.wait(mail).unwrap_or_else(PoisonError::into_inner);
    }
    Some(std::mem::take(&mut mail.calls))
}

fn write(database: &Reopening, calls: Calls) {
    let (changes, senders): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
    let outcome =
        database.with(|database| commit(database, &changes)).map(|()| Durability::Synced).map_err(|error| {
            tracing::error!(%error, "identities could not be written");
            failed("writing", error)
        });
    for sender in senders {
        sender.send(outcome.clone());
    }
}

/// Makes the changes of all calls, or none.
pub(super) fn commit(database: &Database, calls: &[Vec<IdentityChange>]) -> Result<(), redb::Error> {
    let writing = database.begin_write()?;
    let mut table = writing.open_table(IDENTITIES)?;
    for change in calls.iter().flatten() {
        match change {
            IdentityChange::Put(put) => {
                table.insert(put.identity.to_string().as_str(), record::encode(put).as_slice())?;
            }
            IdentityChange::Remove(identity) => {
                table.remove(identity.to_string().as_str())?;
            }
        }
    }
    drop(table);
    writing.commit()?;
    Ok(())
}
