//! Why a store cannot be opened.

use std::io;
use std::path::PathBuf;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another gateway uses the directory.
    #[error("another process uses the store in {}; one gateway at a time can", dir.display())]
    Locked {
        /// The store's directory.
        dir: PathBuf,
    },
    /// A file or directory cannot be used.
    #[error("{what} {} failed", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    /// Returns a closure that makes an error of what the operating system said.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
