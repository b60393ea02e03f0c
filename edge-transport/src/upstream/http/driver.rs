//! One exchange at a time, on a connection that is kept.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use edge_core::EndpointError;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::time::{Instant, timeout};

use super::Headers;
use super::reply::{Verdict, judge};
use crate::upstream::HttpUrl;
use crate::upstream::dial::{self, DialError, Stream};

/// How much of an answer's body is read to say why.
const MAX_SAID_BYTES: usize = 4096;
/// How much of an answer's body is read and passed over, so that the connection can be kept.
const MAX_SKIPPED_BYTES: usize = 64 << 10;

/// Returns what time it is.
#[expect(clippy::disallowed_methods, reason = "a driver is where time is read")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// A request to make.
pub(super) struct Exchange {
    pub(super) key: String,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
}

type Work = Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>;

/// A connection, and what moves its bytes.
struct Link {
    requests: SendRequest<Full<Bytes>>,
    work: Pin<Box<Work>>,
}

/// Why an exchange came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("no connection came about within {} s", .0.as_secs_f64())]
    ConnectTimeout(Duration),
    #[error("the exchange broke")]
    Http(#[source] hyper::Error),
    #[error("the request cannot be made")]
    Request(#[source] hyper::http::Error),
}

/// Makes exchanges with one server.
pub(super) struct Client {
    url: HttpUrl,
    tls: Option<Arc<ClientConfig>>,
    headers: Headers,
    connect_timeout: Duration,
    timeout: Duration,
    link: Option<Link>,
    closed: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("is_connected", &self.link.is_some()).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(
        url: HttpUrl,
        tls: Option<Arc<ClientConfig>>,
        headers: Headers,
        connect_timeout: Duration,
        timeout: Duration,
    ) -> Self {
        Self { url, tls, headers, connect_timeout, timeout, link: None, closed: false }
    }

    /// Drops the connection for good.
    pub(super) fn close(&mut self) {
        self.link = None;
        self.closed = true;
    }

    /// Makes one exchange. A kept connection that the server has closed meanwhile is replaced, once.
    pub(super) async fn post(&mut self, exchange: Exchange) -> Result<Verdict, EndpointError> {
        if self.closed {
            return Err(EndpointError::Closed);
        }
        let to = self.url.to_string();
        let request = || {
            let made = request(&self.url, &self.headers, &exchange);
            made.map_err(|error| EndpointError::Unreachable { to: to.clone(), source: error.into() })
        };
        // Taken out: an exchange that is dropped half way takes its connection with it.
        if let Some(link) = self.link.take()
            && let Ok(answered) = timeout(self.timeout, self::exchange(link, request()?, &to)).await
            && let Ok((verdict, link)) = answered
        {
            self.link = link;
            return verdict;
        }
        let request = request()?;
        let connected = timeout(self.connect_timeout, connect(&self.url, self.tls.clone())).await;
        let connected = connected.unwrap_or(Err(Failed::ConnectTimeout(self.connect_timeout)));
        let link = connected.map_err(|error| unreachable(to.clone(), error))?;
        let answered = timeout(self.timeout, self::exchange(link, request, &to)).await;
        let answered = answered.map_err(|_| EndpointError::TimedOut { after: self.timeout })?;
        let (verdict, link) =
            answered.map_err(|error| EndpointError::Interrupted { source: error.into() })?;
        self.link = link;
        verdict
    }
}

fn unreachable(to: String, error: Failed) -> EndpointError {
    match &error {
        Failed::Dial(dial) if dial.is_unauthorized() => {
            EndpointError::Unauthorized { to, source: error.into() }
        }
        _ => EndpointError::Unreachable { to, source: error.into() },
    }
}

fn request(url: &HttpUrl, own: &Headers, exchange: &Exchange) -> Result<Request<Full<Bytes>>, Failed> {
    let request = Request::builder().method(Method::POST).uri(url.path());
    let mut request = request.body(Full::new(exchange.body.clone())).map_err(Failed::Request)?;
    let headers = request.headers_mut();
    headers.clone_from(own);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(exchange.content_type));
    if let Ok(key) = HeaderValue::from_str(&exchange.key) {
        headers.insert("idempotency-key", key);
    }
    Ok(request)
}

async fn connect(url: &HttpUrl, tls: Option<Arc<ClientConfig>>) -> Result<Link, Failed> {
    let stream = dial::dial(url.host(), url.port(), tls).await?;
    let (requests, work) = http1::handshake(TokioIo::new(stream)).await.map_err(Failed::Http)?;
    Ok(Link { requests, work: Box::pin(work) })
}

/// What came of an exchange; with the link when it can be used again.
type Answered = (Result<Verdict, EndpointError>, Option<Link>);

/// Sends a request and reads the answer.
async fn exchange(mut link: Link, request: Request<Full<Bytes>>, to: &str) -> Result<Answered, Failed> {
    let answer = link.requests.send_request(request);
    let answering = async {
        let (head, body) = answer.await.map_err(Failed::Http)?.into_parts();
        let (said, whole) = read(body).await;
        Ok::<_, Failed>((Response::from_parts(head, said), whole))
    };
    let mut answering = std::pin::pin!(answering);
    let mut works = true;
    let (answer, whole) = loop {
        tokio::select! {
            biased;
            answer = &mut answering => break answer?,
            _ = &mut link.work, if works => works = false,
        }
    };
    let verdict = judge(answer.status(), answer.headers(), answer.body(), to);
    Ok((verdict, (whole && works).then_some(link)))
}

/// Reads the beginning of a body; returns whether it was read to its end.
async fn read(mut body: Incoming) -> (Vec<u8>, bool) {
    let (mut said, mut skipped) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return (said, false) };
        if let Some(data) = frame.data_ref() {
            let room = MAX_SAID_BYTES - said.len();
            said.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
            skipped += data.len();
        }
        if skipped > MAX_SKIPPED_BYTES {
            return (said, false);
        }
    }
    (said, true)
}
