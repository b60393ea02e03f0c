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
/// of twins: 16 MiB of cache, and 8 MiB of changes on their way to the disk. A directory can be shared with a
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
    database: Arc<Database>,
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
        let database =
            Database::builder().set_cache_size(CACHE_BYTES).create(&path).map_err(|error| match error {
                redb::DatabaseError::DatabaseAlreadyOpen => OpenError::Locked { dir: dir.to_owned() },
                error => OpenError::io("opening", &path)(std::io::Error::other(error)),
            })?;
        Self::start(database, &path)
    }

    fn start(database: Database, path: &Path) -> Result<Self, OpenError> {
        let database = Arc::new(database);
        worker::make_table(&database)
            .map_err(|error| OpenError::io("writing", path)(std::io::Error::other(error)))?;
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
fn failed<E>(doing: &'static str) -> impl Fn(E) -> TwinStoreError
where
    redb::Error: From<E>,
{
    move |error| TwinStoreError::Io { doing, source: Arc::new(redb::Error::from(error)) }
}

fn decode(identity: &Identity, stored: &[u8]) -> Result<Twin, TwinStoreError> {
    Twin::decode(Bytes::copy_from_slice(stored))
        .map_err(|source| TwinStoreError::Damaged { identity: identity.clone(), source })
}

#[async_trait]
impl TwinStore for TwinFile {
    async fn load(&self, identity: &Identity) -> Result<Option<Twin>, TwinStoreError> {
        let reading = self.database.begin_read().map_err(failed("reading a twin"))?;
        let twins = reading.open_table(TWINS).map_err(failed("reading a twin"))?;
        let stored = twins.get(&*key::of(identity)).map_err(failed("reading a twin"))?;
        stored.map(|stored| decode(identity, stored.value())).transpose()
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
        let reading = self.database.begin_read().map_err(failed("listing twins"))?;
        let twins = reading.open_table(TWINS).map_err(failed("listing twins"))?;
        let after = after.map(key::of);
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let all = twins.range::<&[u8]>((from, Bound::Unbounded)).map_err(failed("listing twins"))?;
        let mut page = Vec::new();
        let mut bytes = 0;
        for entry in all.take(limit.get()) {
            let (key, stored) = entry.map_err(failed("listing twins"))?;
            // Nothing else is ever written there.
            let Some(identity) = key::read(key.value()) else { continue };
            let twin = decode(&identity, stored.value())?;
            bytes += stored.value().len();
            page.push((identity, twin));
            if bytes >= MAX_PAGE_BYTES {
                break;
            }
        }
        Ok(page)
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
mod power;
#[cfg(test)]
mod tests;
