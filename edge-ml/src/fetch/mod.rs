//! How files of models come from a server.

mod download;
#[cfg(feature = "http-fetch")]
mod http;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::BoxError;

pub use download::{Download, DownloadError, DownloadLimits, Start};
#[cfg(feature = "http-fetch")]
pub use http::HttpFetch;

/// What is asked of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchRequest {
    /// The address.
    pub url: String,
    /// From which byte on: `Range: bytes=<from>-` when it is not 0.
    pub from: u64,
    /// Under which entity tag: `If-Range`, when `from` is not 0.
    pub validator: Option<String>,
}

impl FetchRequest {
    /// Returns the request for a whole file.
    #[must_use]
    pub fn whole(url: impl Into<String>) -> Self {
        Self { url: url.into(), from: 0, validator: None }
    }

    /// Asks for what follows the first `from` bytes, if the file still has this entity tag.
    #[must_use]
    pub fn from(mut self, from: u64, validator: impl Into<String>) -> Self {
        (self.from, self.validator) = (from, Some(validator.into()));
        self
    }
}

/// What a server says before the bytes, as it says it: [`Download`] makes sense of it.
///
/// # Source
/// RFC 9110: status (§15), `Content-Length` (§8.6), `Content-Range` (§14.4), `ETag` (§8.8.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever implements `Fetch` makes one")]
pub struct FetchHead {
    /// The status code.
    pub status: u16,
    /// How many bytes follow, if it is said.
    pub content_length: Option<u64>,
    /// Which bytes follow, if it is said.
    pub content_range: Option<String>,
    /// The entity tag, with its quotes, if there is one.
    pub etag: Option<String>,
}

/// Why a server was not reached, or stopped in the middle.
#[derive(Debug, thiserror::Error)]
#[error("{doing} failed")]
#[non_exhaustive]
pub struct FetchError {
    /// What was being done.
    pub doing: String,
    /// What went wrong.
    #[source]
    pub source: BoxError,
}

impl FetchError {
    /// Returns the error.
    #[must_use]
    pub fn new(doing: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self { doing: doing.into(), source: source.into() }
    }
}

/// The bytes of a file, piece by piece.
#[async_trait]
pub trait FetchBody: Send {
    /// Returns the next bytes; `None` once the server said that there are no more.
    ///
    /// # Errors
    /// [`FetchError`] when the server stopped in the middle.
    ///
    /// # Cancel safety
    /// After a dropped call the body MUST NOT be asked again.
    async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError>;
}

/// A way to a server that has files of models.
///
/// # Contract
/// - `fetch` MUST ask for the range and under the entity tag of the request, and MUST return the status and headers as the
///   server sent them: whoever asked decides what they mean.
/// - The body MUST give the bytes that the server sent, all and in order, and nothing else. What arrives compressed MUST NOT
///   be unpacked: lengths and ranges are those of the bytes on the wire.
/// - The body MUST end with an error, not with `None`, when the connection ended before the server's last byte.
/// - A piece of a body MUST be at most 1 MiB: what is read of an endless answer is bounded.
/// - A status that tells of a failure MUST NOT be an error; a server that cannot be reached MUST be one.
///
/// The conformance kit is `edge_ml::testing::fetch`, behind the feature `testing`. How long a call may take is for the
/// caller: a future that is dropped MUST end what it was doing.
#[async_trait]
pub trait Fetch: fmt::Debug + Send + Sync + 'static {
    /// Asks a server for a file.
    ///
    /// # Errors
    /// [`FetchError`] when there is no answer.
    ///
    /// # Cancel safety
    /// Cancel-safe: a dropped call has asked for nothing, or in vain.
    async fn fetch(&self, request: &FetchRequest) -> Result<(FetchHead, Box<dyn FetchBody>), FetchError>;
}
