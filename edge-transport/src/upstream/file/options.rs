//! What a file upstream is told.

use std::io;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

/// Where a [`FileUpstream`](super::FileUpstream) writes, and how much.
///
/// # Examples
/// ```
/// use std::num::{NonZeroU32, NonZeroU64};
/// use edge_transport::upstream::FileUpstreamOptions;
///
/// let options = FileUpstreamOptions::new("/var/lib/edge/out.ndjson")
///     .max_file_bytes(NonZeroU64::MIN.saturating_add(1 << 20))
///     .keep_files(NonZeroU32::MIN);
/// assert_eq!(options.path().file_name(), Some("out.ndjson".as_ref()));
/// ```
#[derive(Clone, Debug)]
pub struct FileUpstreamOptions {
    pub(super) path: PathBuf,
    pub(super) max_file_bytes: NonZeroU64,
    pub(super) keep_files: Option<NonZeroU32>,
}

impl FileUpstreamOptions {
    /// Returns options for the file at `path`, whose directory exists: 64 MiB a file, and none is ever removed.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let max_file_bytes = NonZeroU64::MIN.saturating_add((64 << 20) - 1);
        Self { path: path.into(), max_file_bytes, keep_files: None }
    }

    /// Sets how large a file may grow; a single larger batch gets a file of its own.
    #[must_use]
    pub fn max_file_bytes(mut self, bytes: NonZeroU64) -> Self {
        self.max_file_bytes = bytes;
        self
    }

    /// Sets how many full files are kept beside the one that is written to; older ones are removed.
    #[must_use]
    pub fn keep_files(mut self, files: NonZeroU32) -> Self {
        self.keep_files = Some(files);
        self
    }

    /// Returns the path of the file that is written to.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}

/// Why a file cannot be written to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileUpstreamError {
    /// The path names no file in a directory.
    #[error("{} names no file: write the path of a file in a directory that exists", path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// The file holds something that this endpoint has not written.
    #[error("{} holds something else than recorded messages: write another path", path.display())]
    NotRecorded {
        /// The file.
        path: PathBuf,
    },
    /// Another gateway writes to the file.
    #[error("{} is in use by another gateway: write another path", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{what} {} failed", path.display())]
    Io {
        /// What was being done, for instance `syncing`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}
