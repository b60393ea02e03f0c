//! A small HTTP/1.1 client, and servers over bytes.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use edge_core::service::Service;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};

use super::FakeGateway;
use crate::prepare::Newcomer;
use crate::{Resources, Stop, TransportLimits, rest};

/// A client of HTTP/1.1 on any stream, which keeps its connection.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_transport::testing::HttpClient;
///
/// let (ours, theirs) = tokio::io::duplex(1024);
/// let mut client = HttpClient::new(ours);
/// drop(theirs);
/// assert!(client.ask("GET /devices HTTP/1.1\r\n", &[], b"").await.is_err());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct HttpClient<S> {
    stream: S,
    read: Vec<u8>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The headers, with their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl HttpAnswer {
    /// Returns the value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HttpClient<S> {
    /// Returns a client on this stream.
    #[must_use]
    pub fn new(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// Sends a request with a body, and returns the answer: `line` is method and target, as in `GET /devices`.
    ///
    /// # Errors
    /// An I/O error when the connection ends before the answer does.
    ///
    /// # Cancel safety
    /// Not cancel-safe: a part of the request may have gone.
    pub async fn ask(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<HttpAnswer> {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let head = format!("{line} HTTP/1.1\r\nHost: hub.local\r\n{headers}Content-Length: {length}\r\n\r\n");
        self.send(&[head.as_bytes(), body].concat()).await?;
        self.answer().await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// An I/O error when the connection is gone.
    ///
    /// # Cancel safety
    /// Not cancel-safe: a part may have gone.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Reads one answer.
    ///
    /// # Errors
    /// An I/O error when the connection ends before the answer does.
    ///
    /// # Cancel safety
    /// Cancel-safe: what has been read stays for the next call.
    pub async fn answer(&mut self) -> io::Result<HttpAnswer> {
        loop {
            if let Some((answer, end)) = parse(&self.read) {
                self.read.drain(..end);
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Returns the first answer of these bytes, and where it ends.
fn parse(bytes: &[u8]) -> Option<(HttpAnswer, usize)> {
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(bytes.get(..head_end)?).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map(|(_, value)| value.parse());
    let end = head_end + length.and_then(Result::ok).unwrap_or(0);
    let body = String::from_utf8_lossy(bytes.get(head_end..end)?).into_owned();
    Some((HttpAnswer { status, headers, body }, end))
}

/// Gives the server of HTTP these bytes as one connection, with this service API and gateway, and returns what it writes.
///
/// # Cancel safety
/// Not cancel-safe: requests may have been carried out.
pub async fn http_bytes(service: Option<Arc<dyn Service>>, gateway: FakeGateway, bytes: &[u8]) -> Vec<u8> {
    let router = rest::router(rest::Shared { service, uploads: None });
    over_bytes(rest::PROTOCOL, gateway, bytes, |mut newcomer, stream| async move {
        rest::serve(&mut newcomer, router, stream).await;
    })
    .await
}

/// Gives the server of AMQP these bytes as one connection with this gateway, and returns what it writes.
///
/// # Cancel safety
/// Not cancel-safe: messages may have been published.
pub async fn amqp_bytes(gateway: FakeGateway, bytes: &[u8]) -> Vec<u8> {
    over_bytes("amqp", gateway, bytes, |newcomer, stream| newcomer.into_amqp(stream, None)).await
}

async fn over_bytes<F: Future<Output = ()>>(
    protocol: &'static str,
    gateway: FakeGateway,
    bytes: &[u8],
    serve: impl FnOnce(Newcomer, DuplexStream) -> F,
) -> Vec<u8> {
    let resources = Resources::new(TransportLimits::default());
    let Some(slot) = resources.connection() else { return Vec::new() };
    let (_stopper, stop) = Stop::pair();
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let newcomer = Newcomer { protocol, gateway: Arc::new(gateway), stop, slot, peer, chain: Vec::new() };
    let (theirs, ours) = tokio::io::duplex(1 << 20);
    let served = serve(newcomer, theirs);
    let client = async move {
        let (mut read, mut write) = tokio::io::split(ours);
        let written = async {
            let _hung_up = write.write_all(bytes).await;
            let _hung_up = write.shutdown().await;
        };
        let mut answers = Vec::new();
        let _all = tokio::join!(written, read.read_to_end(&mut answers));
        answers
    };
    let ((), answers) = tokio::join!(served, client);
    answers
}
