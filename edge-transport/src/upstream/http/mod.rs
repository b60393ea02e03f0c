//! To an HTTP server: batches by POST.
//!
//! | file | what is in it |
//! |---|---|
//! | `options` | what a user states |
//! | `body` | a batch as NDJSON or as CloudEvents |
//! | `reply` | what an answer means |
//! | `driver` | one exchange on a kept connection |

mod body;
mod driver;
mod options;
mod reply;

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use edge_core::{BatchLimit, Endpoint, EndpointError, EndpointId, Outcome, Stored};
use tokio::sync::Mutex;

pub use options::{HttpFormat, HttpFormatError, HttpLogin, HttpUpstreamOptions};

use super::{UpstreamTlsError, tls};
use driver::{Client, Exchange, now};
use reply::Verdict;

/// Why an HTTP upstream cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpUpstreamError {
    /// A header cannot be sent.
    #[error(
        "{name:?} is no header that can be sent: write a name of letters, digits and -, and a value in ASCII"
    )]
    Header {
        /// The name of the header; its value may be a secret.
        name: String,
    },
    /// A header is one that the upstream sets itself.
    #[error("the upstream sets {name} itself: leave it out")]
    OwnHeader {
        /// The name of the header.
        name: String,
    },
    /// Certificates are stated and TLS is not.
    #[error("certificates are stated, and TLS is not: write https://{authority}")]
    NotTls {
        /// Host and port.
        authority: String,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] UpstreamTlsError),
}

/// Posts messages to an HTTP server, a batch at a time.
///
/// The connection is kept between batches. Each request has the header `Idempotency-Key`, made of its messages alone: a
/// batch that is posted again, after a lost answer or a restart, has the key that it had before.
///
/// # What becomes of the messages
/// | the server answers | outcome |
/// |---|---|
/// | 2xx | accepted |
/// | 413 | halved and posted again; a single message is rejected |
/// | 400, 409, 415, 422 and every other 4xx not named here | halved likewise, until those that are refused are alone, and these are rejected with what the server says |
/// | 408, 425, 429, 5xx | for later; after as long as `Retry-After` says, where it does |
/// | 401, 403, 407 | for later: the gateway's credentials are refused |
/// | 3xx, 404, 405, 410, 421, 426 | for later: the address is wrong, and no fault of the messages |
///
/// A batch is halved in order, so messages arrive in order. When that takes longer than the
/// [send time](HttpUpstreamOptions::send_time), what is known is handed back, and the rest of the batch is for later.
///
/// # Examples
/// ```
/// use edge_core::{Endpoint, EndpointId};
/// use edge_transport::upstream::{HttpFormat, HttpUpstream, HttpUpstreamOptions};
///
/// let options = HttpUpstreamOptions::new("http://127.0.0.1:8080/events".parse()?)
///     .format(HttpFormat::CloudEvents)
///     .bearer("secret");
/// let upstream = HttpUpstream::new("archive".parse::<EndpointId>()?, options)?;
/// assert_eq!(upstream.id().as_str(), "archive");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// RFC 9110 §9.3.3, §10.2.3, §15; CloudEvents 1.0, HTTP protocol binding §3.3; the header `Idempotency-Key` as in the
/// IETF's draft of that name.
pub struct HttpUpstream {
    id: EndpointId,
    limit: BatchLimit,
    options: HttpUpstreamOptions,
    /// The connection, while no batch is on its way.
    client: Mutex<Client>,
}

impl fmt::Debug for HttpUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpUpstream").field("id", &self.id).finish_non_exhaustive()
    }
}

impl HttpUpstream {
    /// Returns an upstream with the endpoint id `id`; it connects when there is something to send.
    ///
    /// Reads the certificate files, once; call it where a few reads from the disk do no harm.
    ///
    /// # Errors
    /// [`HttpUpstreamError`] when the options contradict each other, or a file they name cannot be used.
    pub fn new(id: EndpointId, options: HttpUpstreamOptions) -> Result<Self, HttpUpstreamError> {
        let headers = options.headers()?;
        let url = &options.url;
        let tls = match url.is_tls() {
            true => Some(tls::config(options.ca_file.as_deref(), options.client_certificate.as_ref())?),
            false if options.ca_file.is_some() || options.client_certificate.is_some() => {
                return Err(HttpUpstreamError::NotTls { authority: url.authority() });
            }
            false => None,
        };
        let limit = BatchLimit::new(options.batch_messages, options.batch_bytes);
        let client = Client::new(options.url.clone(), tls, headers, options.connect_timeout, options.timeout);
        Ok(Self { id, limit, options, client: Mutex::new(client) })
    }

    /// Posts the messages of a range.
    async fn post(&self, client: &mut Client, batch: &[Stored]) -> Result<Verdict, EndpointError> {
        let exchange = Exchange {
            key: body::key(&self.options.key_prefix, batch),
            content_type: self.options.format.content_type(),
            body: self.options.format.write(&self.options.key_prefix, batch).into(),
        };
        client.post(exchange).await
    }
}

#[async_trait]
impl Endpoint for HttpUpstream {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn batch_limit(&self) -> BatchLimit {
        self.limit
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        let mut client = self.client.lock().await;
        let started = now();
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut left: VecDeque<Range<usize>> = std::iter::once(0..batch.len()).collect();
        while let Some(range) = left.pop_front() {
            if !outcomes.is_empty() && now() - started >= self.options.send_time {
                break;
            }
            let Some(part) = batch.get(range.clone()).filter(|part| !part.is_empty()) else { continue };
            match self.post(&mut client, part).await {
                Ok(Verdict::Taken) => outcomes.extend(part.iter().map(|_| Outcome::Accepted)),
                Ok(Verdict::Refused { reason }) if part.len() == 1 => {
                    outcomes.push(Outcome::Rejected { reason })
                }
                Ok(Verdict::Refused { .. }) => {
                    let middle = range.start + part.len() / 2;
                    left.push_front(middle..range.end);
                    left.push_front(range.start..middle);
                }
                Err(error) if outcomes.is_empty() => return Err(error),
                Err(_later) => break,
            }
        }
        outcomes.resize(batch.len(), Outcome::Released);
        Ok(outcomes)
    }

    async fn close(&self) {
        self.client.lock().await.close();
    }
}

/// What every exchange with the server has.
type Headers = Arc<hyper::HeaderMap>;

#[cfg(test)]
pub(crate) mod law;
