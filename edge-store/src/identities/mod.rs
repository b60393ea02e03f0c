//! Identities in an embedded database.
//!
//! One file, `identities.redb`, with one table: the key is the identity's text, `device` or `device/module`; the value
//! is the record in its stored form.

#[cfg(test)]
mod full;
mod record;
mod worker;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use edge_core::service::{IdentityChange, IdentityRecord, IdentityStore};
use edge_core::{Receipt, ReceiptSender, StoreError};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::OpenError;
use crate::database::{Reopening, io_error};

const FILE: &str = "identities.redb";
const IDENTITIES: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("identities");
/// What the database keeps of its file in memory: it is read once, and written now and then.
const CACHE_BYTES: usize = 2 * 1024 * 1024;

/// Identities in a database of one file: what was applied survives `kill -9` and the loss of power.
///
/// Calls that come together become durable together, with one commit on a thread of its own. After a failure of the
/// disk the database is opened again by whoever needs it next: a full disk is left behind when it has room again. A
/// directory can be shared with a [`SegmentStore`](crate::SegmentStore).
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_core::service::{AuthRecord, IdentityChange, IdentityRecord, IdentityStore};
/// use edge_store::IdentityFile;
///
/// let dir = tempfile::tempdir()?;
/// let press = IdentityRecord::new("press-7".parse()?, AuthRecord::CertificateAuthority);
/// let identities = IdentityFile::open(dir.path())?;
/// identities.apply(vec![IdentityChange::Put(Box::new(press.clone()))]).await?;
/// drop(identities);
///
/// let identities = IdentityFile::open(dir.path())?;
/// assert_eq!(identities.load().await?, [press]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct IdentityFile {
    database: Arc<Reopening>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the handle and its thread share.
#[derive(Debug, Default)]
struct Shared {
    mail: Mutex<Mail>,
    arrived: Condvar,
}

/// What is to be written: there is one call for each that waits for its receipt.
#[derive(Debug, Default)]
struct Mail {
    calls: Vec<(Vec<IdentityChange>, ReceiptSender)>,
    stop: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdentityFile {
    /// Opens the database in `dir`, making both if need be.
    ///
    /// Opening reads a file and blocks: an async program calls it before it starts, or where blocking is allowed.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when another gateway uses the file, [`OpenError::Io`] when it cannot be used.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        let dir = dir.as_ref();
        std::fs::create_dir_all(dir).map_err(OpenError::io("making", dir))?;
        let path = dir.join(FILE);
        let file = path.clone();
        Self::start(move || Ok(Database::builder().set_cache_size(CACHE_BYTES).create(&file)?), &path)
    }

    fn start(
        open: impl Fn() -> Result<Database, redb::Error> + Send + Sync + 'static,
        path: &Path,
    ) -> Result<Self, OpenError> {
        let open = move || {
            let database = open()?;
            if database.begin_read()?.open_table(IDENTITIES).is_err() {
                worker::commit(&database, &[])?;
            }
            Ok(database)
        };
        let database = Arc::new(Reopening::new(open, path)?);
        let shared = Arc::new(Shared::default());
        let thread = worker::start(database.clone(), shared.clone());
        let thread = thread.map_err(OpenError::io("starting a thread for", path))?;
        Ok(Self { database, shared, thread: Some(thread) })
    }
}

fn read(database: &Database) -> Result<Vec<IdentityRecord>, redb::Error> {
    let reading = database.begin_read()?;
    let table = reading.open_table(IDENTITIES)?;
    let mut all = Vec::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        let found = record::decode(key.value(), value.value());
        all.push(found.ok_or_else(|| redb::Error::Corrupted(format!("the record of {}", key.value())))?);
    }
    Ok(all)
}

fn failed(what: &str, error: redb::Error) -> StoreError {
    let source = Arc::new(io_error(error));
    if source.kind() == io::ErrorKind::StorageFull {
        return StoreError::NoSpace { source };
    }
    StoreError::Io { what: format!("{what} {FILE}"), source }
}

#[async_trait]
impl IdentityStore for IdentityFile {
    async fn load(&self) -> Result<Vec<IdentityRecord>, StoreError> {
        self.database.with(read).map_err(|error| failed("reading", error))
    }

    fn apply(&self, changes: Vec<IdentityChange>) -> Receipt {
        let mut mail = self.shared.lock();
        if mail.stop {
            return Receipt::ready(Err(StoreError::Closed));
        }
        let (sender, receipt) = Receipt::pair();
        mail.calls.push((changes, sender));
        drop(mail);
        self.shared.arrived.notify_one();
        receipt
    }
}

impl Drop for IdentityFile {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.arrived.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes identities has panicked");
        }
    }
}

impl fmt::Debug for IdentityFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityFile")
            .field("waiting", &self.shared.lock().calls.len())
            .finish_non_exhaustive()
    }
}
