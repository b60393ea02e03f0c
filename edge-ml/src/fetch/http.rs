//! HTTP and HTTPS.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::BoxError;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Fetch, FetchBody, FetchError, FetchHead, FetchRequest};

/// Fetches files over HTTP/1.1, one connection for each; redirections are not followed.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use edge_ml::fetch::HttpFetch;
/// use rustls::{ClientConfig, RootCertStore, crypto::ring};
///
/// let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
///     .with_safe_default_protocol_versions()?
///     .with_root_certificates(RootCertStore::empty())
///     .with_no_client_auth();
/// let fetch = HttpFetch::new(Arc::new(config));
/// # Ok::<(), rustls::Error>(())
/// ```
#[derive(Clone)]
pub struct HttpFetch {
    tls: Arc<rustls::ClientConfig>,
}

impl HttpFetch {
    /// Returns what fetches with this configuration of TLS; plain HTTP does not need it.
    #[must_use]
    pub const fn new(tls: Arc<rustls::ClientConfig>) -> Self {
        Self { tls }
    }
}

impl HttpFetch {
    /// Returns what fetches from servers whose certificates these authorities have signed, in PEM.
    ///
    /// # Errors
    /// [`FetchError`] when there is a certificate that cannot be read.
    pub fn with_roots(pem: &[u8]) -> Result<Self, FetchError> {
        let reading = |error: BoxError| FetchError::new("reading the authorities", error);
        let mut roots = RootCertStore::empty();
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        // What the operating system's bundle has and rustls does not take is left out.
        let _how_many = roots.add_parsable_certificates(all.map_err(|error| reading(error.into()))?);
        let builder = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| reading(error.into()))?;
        Ok(Self::new(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
    }
}

impl fmt::Debug for HttpFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFetch").finish_non_exhaustive()
    }
}

type Connection = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A body, and the connection that it comes over: nobody else drives it.
struct Body {
    incoming: Incoming,
    connection: Option<Connection>,
    ended: bool,
}

/// The most that is given at once.
const MAX_PIECE_BYTES: usize = 1024 * 1024;

#[async_trait]
impl Fetch for HttpFetch {
    async fn fetch(&self, request: &FetchRequest) -> Result<(FetchHead, Box<dyn FetchBody>), FetchError> {
        let uri: Uri =
            request.url.parse().map_err(|error| FetchError::new("reading the address", Box::new(error)))?;
        let host = uri.host().ok_or_else(|| FetchError::new("reading the address", "there is no host"))?;
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let connecting = |error: io::Error| FetchError::new(format!("connecting to {host}:{port}"), error);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((bare, port)).await.map_err(connecting)?;
        if is_tls {
            let name = ServerName::try_from(bare.to_owned())
                .map_err(|error| FetchError::new("reading the address", error))?;
            let connector = TlsConnector::from(Arc::clone(&self.tls));
            let stream = connector.connect(name, stream).await.map_err(connecting)?;
            exchange(TokioIo::new(stream), &uri, request).await
        } else {
            exchange(TokioIo::new(stream), &uri, request).await
        }
    }
}

async fn exchange<S>(
    stream: S,
    uri: &Uri,
    request: &FetchRequest,
) -> Result<(FetchHead, Box<dyn FetchBody>), FetchError>
where
    S: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let asking = |error: hyper::Error| FetchError::new("asking for the file", error);
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(64 * 1024).handshake(stream).await.map_err(asking)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let mut built = Request::get(path).header(header::HOST, host).header(header::ACCEPT_ENCODING, "identity");
    if let (Some(validator), true) = (&request.validator, request.from > 0) {
        built = built.header(header::RANGE, format!("bytes={}-", request.from));
        built = built.header(header::IF_RANGE, validator);
    }
    let built =
        built.body(Empty::<Bytes>::new()).map_err(|error| FetchError::new("asking for the file", error))?;
    let mut connection: Option<Connection> = Some(Box::pin(connection));
    let mut answer = Box::pin(sender.send_request(built));
    let response = std::future::poll_fn(|context| {
        drive(&mut connection, context);
        answer.as_mut().poll(context)
    })
    .await
    .map_err(asking)?;
    let headers = response.headers();
    let head = FetchHead {
        status: response.status().as_u16(),
        content_length: text(headers, header::CONTENT_LENGTH).and_then(|text| text.parse().ok()),
        content_range: text(headers, header::CONTENT_RANGE),
        etag: text(headers, header::ETAG),
    };
    drop(answer);
    Ok((head, Box::new(Body { incoming: response.into_body(), connection, ended: false })))
}

/// Lets the connection work; its errors come out of the answer or the body too.
fn drive(connection: &mut Option<Connection>, context: &mut Context<'_>) {
    if let Some(working) = connection
        && working.as_mut().poll(context).is_ready()
    {
        *connection = None;
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(Into::into)
}

#[async_trait]
impl FetchBody for Body {
    async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        while !self.ended {
            let Self { incoming, connection, .. } = self;
            let mut frame = incoming.frame();
            let frame = std::future::poll_fn(|context| {
                drive(connection, context);
                match Pin::new(&mut frame).poll(context) {
                    // Once more, for what the connection has read meanwhile.
                    Poll::Pending if connection.is_none() => Pin::new(&mut frame).poll(context),
                    polled => polled,
                }
            })
            .await;
            match frame {
                None => self.ended = true,
                Some(Err(error)) => {
                    self.ended = true;
                    return Err(FetchError::new("reading the file", error));
                }
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data()
                        && !bytes.is_empty()
                    {
                        debug_assert!(bytes.len() <= MAX_PIECE_BYTES, "the buffer is smaller");
                        return Ok(Some(bytes));
                    }
                }
            }
        }
        Ok(None)
    }
}
