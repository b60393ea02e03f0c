//! Twins in an embedded database.
//!
//! One file, `twins.redb`, with one table: the key is the device id, a zero byte and the module id, if any, so that the
//! modules of a device come right behind it; the value is the twin in its stored form.

mod key;
mod worker;

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::{Durability, Identity};
use edge_twin::{Twin, TwinStore, TwinStoreError};
use redb::{Database, ReadableDatabase, TableDefinition};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::OpenError;
use crate::database::Reopening;
use worker::{Change, Request};

const FILE: &str = "twins.redb";
const TWINS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("twins");
/// What may wait to be written.
const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;
const MAX_WAITING: usize = 4096;
/// A page of a listing ends behind the twin that reaches this.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// What the database keeps of its file in memory.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// Twins in a database of one file: what was saved survives `kill -9` and the loss of power.
///
/// Changes that come together become durable together, with one commit on a thread of its own. A twin that is read
/// comes from the database's cache or that of the operating system, in the call. Memory is bounded, whatever the number
/// of twins: 16 MiB of cache, and 8 MiB of changes on their way to the disk. After a failure of the disk the database is
/// opened again by whoever needs it next: a full disk is left behind when it has room again. A directory can be shared with a
/// [`SegmentStore`](crate::SegmentStore).
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_core::{Identity, Timestamp};
/// use edge_store::TwinFile;
/// use edge_twin::{Twin, TwinStore};
///
/// let dir = tempfile::tempdir()?;
/// let press: Identity = "press-7".parse()?;
/// let twins = TwinFile::open(dir.path())?;
/// twins.save(&press, None, Twin::new(Timestamp::from_unix_ms(0))).await?;
/// drop(twins);
///
/// let twins = TwinFile::open(dir.path())?;
/// assert!(twins.load(&press).await?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TwinFile {
    database: Arc<Reopening>,
    /// `None` once the store is being dropped.
    requests: Option<mpsc::Sender<Request>>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl TwinFile {
    /// Opens the database in `dir`, making both if need be.
    ///
    /// Opening reads a file and blocks: an async program calls it before it starts, or where blocking is allowed. After
    /// a crash it takes longer, for the database looks at all of its pages.
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
            worker::make_table(&database)?;
            Ok(database)
        };
        let database = Arc::new(Reopening::new(open, path)?);
        let (requests, mail) = mpsc::channel(MAX_WAITING);
        let thread =
            worker::start(database.clone(), mail).map_err(OpenError::io("starting a thread for", path))?;
        let room = Arc::new(Semaphore::new(MAX_WAITING_BYTES));
        Ok(Self { database, requests: Some(requests), room, thread: Some(thread) })
    }

    /// Hands a change to the thread, and waits until it is durable or refused.
    async fn change(&self, identity: &Identity, change: Change) -> Result<bool, TwinStoreError> {
        let closed = |_| TwinStoreError::Closed;
        let bytes = u32::try_from(change.bytes().clamp(1, MAX_WAITING_BYTES)).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(bytes).await.map_err(|_| TwinStoreError::Closed)?;
        let (answer, answered) = oneshot::channel();
        let request = Request { key: key::of(identity), change, answer, _room: room };
        let requests = self.requests.as_ref().ok_or(TwinStoreError::Closed)?;
        requests.send(request).await.map_err(|_| TwinStoreError::Closed)?;
        answered.await.map_err(closed)?
    }
}

/// Names what failed.
fn failed(doing: &'static str) -> impl Fn(redb::Error) -> TwinStoreError {
    move |error| TwinStoreError::Io { doing, source: Arc::new(error) }
}

fn decode(identity: &Identity, stored: Bytes) -> Result<Twin, TwinStoreError> {
    Twin::decode(stored).map_err(|source| TwinStoreError::Damaged { identity: identity.clone(), source })
}

#[async_trait]
impl TwinStore for TwinFile {
    async fn load(&self, identity: &Identity) -> Result<Option<Twin>, TwinStoreError> {
        let key = key::of(identity);
        let read = |database: &Database| {
            let stored = database.begin_read()?.open_table(TWINS)?.get(&*key)?;
            Ok(stored.map(|stored| Bytes::copy_from_slice(stored.value())))
        };
        let stored = self.database.with(read).map_err(failed("reading a twin"))?;
        stored.map(|stored| decode(identity, stored)).transpose()
    }

    async fn save(
        &self,
        identity: &Identity,
        over: Option<u64>,
        twin: Twin,
    ) -> Result<Durability, TwinStoreError> {
        let change = Change::Save { over, version: twin.version(), stored: twin.encode() };
        self.change(identity, change).await?;
        Ok(Durability::Synced)
    }

    async fn remove(&self, identity: &Identity) -> Result<bool, TwinStoreError> {
        self.change(identity, Change::Remove).await
    }

    async fn list(
        &self,
        after: Option<&Identity>,
        limit: NonZeroUsize,
    ) -> Result<Vec<(Identity, Twin)>, TwinStoreError> {
        let after = after.map(key::of);
        let read = |database: &Database| {
            let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let all = database.begin_read()?.open_table(TWINS)?.range::<&[u8]>((from, Bound::Unbounded))?;
            let mut page = Vec::new();
            let mut bytes = 0;
            for entry in all.take(limit.get()) {
                let (key, stored) = entry?;
                // Nothing else is ever written there.
                let Some(identity) = key::read(key.value()) else { continue };
                bytes += stored.value().len();
                page.push((identity, Bytes::copy_from_slice(stored.value())));
                if bytes >= MAX_PAGE_BYTES {
                    break;
                }
            }
            Ok(page)
        };
        let page = self.database.with(read).map_err(failed("listing twins"))?;
        let decoded = page.into_iter().map(|(identity, stored)| {
            let twin = decode(&identity, stored)?;
            Ok((identity, twin))
        });
        decoded.collect()
    }
}

impl Drop for TwinFile {
    fn drop(&mut self) {
        self.requests = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes twins has panicked");
        }
    }
}

impl fmt::Debug for TwinFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwinFile").field("room", &self.room.available_permits()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod full;
#[cfg(test)]
mod power;
#[cfg(test)]
mod tests;
