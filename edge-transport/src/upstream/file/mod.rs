//! To a file: a recording, and what a gateway without a cloud uses.

mod options;
mod rotation;
mod tail;
mod writer;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use edge_core::{BatchLimit, Endpoint, EndpointError, EndpointId, Outcome, Stored};
use tokio::task::spawn_blocking;

pub use options::{FileUpstreamError, FileUpstreamOptions};

use writer::Writer;

/// Writes messages to a file, one a line.
///
/// A batch is accepted when all its lines are written and synced to the disk. Whatever fails on the way, the file is
/// cut back to the last batch that was accepted, and the batch is to be sent again: a full disk costs nothing but time.
/// A line that a crash has torn is cut off when the file is opened.
///
/// The lines are [`Record`](super::ndjson::Record)s. When a file would grow beyond its limit it is renamed to its name,
/// a dot and the next number, and a new one begins: `out.ndjson.1` is the oldest.
///
/// # Examples
/// ```
/// use edge_core::{Endpoint, EndpointId, Message, Outcome, Source, Stored, Timestamp};
/// use edge_transport::upstream::{FileUpstream, FileUpstreamOptions, ndjson::Record};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("out.ndjson");
/// let upstream = FileUpstream::open(EndpointId::upstream(), FileUpstreamOptions::new(&path))?;
/// let message = Message::builder(&Source::telemetry()).body(b"21.5").build();
/// let stored = Stored::new(0, Timestamp::from_unix_ms(0), None, "telemetry".parse()?, message.clone());
/// assert_eq!(upstream.send(&[stored]).await?, [Outcome::Accepted]);
///
/// let recorded: Record = std::fs::read_to_string(&path)?.parse()?;
/// assert_eq!(recorded.message, message);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Source
/// Our choice, because a gateway should be of use before it has a cloud to talk to.
pub struct FileUpstream {
    id: EndpointId,
    name: String,
    writer: Arc<Mutex<Option<Writer>>>,
}

impl fmt::Debug for FileUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileUpstream").field("id", &self.id).field("path", &self.name).finish_non_exhaustive()
    }
}

impl FileUpstream {
    /// Opens the file, makes it if there is none, and cuts off what a crash has torn.
    ///
    /// Reads and writes the disk; call it where that does no harm.
    ///
    /// # Errors
    /// [`FileUpstreamError`] when the file cannot be opened, holds something else than recorded messages, or is another
    /// gateway's.
    pub fn open(id: EndpointId, options: FileUpstreamOptions) -> Result<Self, FileUpstreamError> {
        let upstream = Self::deferred(id, options);
        if let Some(writer) = &mut *upstream.writer.lock().unwrap_or_else(PoisonError::into_inner) {
            writer.open()?;
        }
        Ok(upstream)
    }

    /// Returns an upstream that opens the file with its first batch: for one that the upstream in whose place it comes
    /// still has open. Until the file can be opened, batches are to be sent again.
    #[must_use]
    pub fn deferred(id: EndpointId, options: FileUpstreamOptions) -> Self {
        let name = options.path.display().to_string();
        Self { id, name, writer: Arc::new(Mutex::new(Some(Writer::new(options)))) }
    }

    fn failed(&self, source: edge_core::BoxError) -> EndpointError {
        EndpointError::Local { what: format!("writing {}", self.name), source }
    }
}

#[async_trait]
impl Endpoint for FileUpstream {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn batch_limit(&self) -> BatchLimit {
        BatchLimit::new(NonZeroUsize::MIN.saturating_add(999), 4 << 20)
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        let (writer, lines) = (self.writer.clone(), batch.to_vec());
        let written = spawn_blocking(move || {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.as_mut().map(|writer| writer.write(&lines))
        });
        match written.await {
            Ok(Some(Ok(()))) => Ok(vec![Outcome::Accepted; batch.len()]),
            Ok(Some(Err(error))) => Err(self.failed(error.into())),
            Ok(None) => Err(EndpointError::Closed),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    async fn close(&self) {
        let writer = self.writer.clone();
        let closed = spawn_blocking(move || writer.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _all_is_synced = closed.await;
    }
}
