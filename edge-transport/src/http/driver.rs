//! Serves metrics by HTTP/1.1, a request at a time.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{ListenerError, Stop};

/// How long a client may take for its request, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of a request's head.
const MAX_HEAD_BYTES: usize = 8 * 1024;

/// Serves `GET /metrics` in Prometheus' text format, and nothing else.
///
/// Requests are served one after the other, each within a few seconds, so that metrics cost the gateway no more than
/// one connection whatever comes in.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use edge_transport::MetricsListener;
///
/// let listener = MetricsListener::bind("127.0.0.1:0").await?;
/// assert_ne!(listener.local_addr().port(), 0);
/// # Ok::<(), edge_transport::ListenerError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Source
/// Prometheus, "Exposition formats", text format 0.0.4; Azure IoT Edge serves its metrics at this path on port 9600.
#[derive(Debug)]
pub struct MetricsListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsListener {
    /// Listens on an address.
    ///
    /// # Errors
    /// [`ListenerError::Bind`] when the address cannot be listened on.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing happened.
    pub async fn bind(address: &str) -> Result<Self, ListenerError> {
        let bind = |source| ListenerError::Bind { address: address.to_owned(), source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        Ok(Self { listener, address })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves what `text` returns until `stop` resolves.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping it closes the socket.
    pub async fn serve(self, text: impl Fn() -> String + Send, stop: Stop) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.wait() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let answered = tokio::time::timeout(PATIENCE, answer(stream, &text)).await;
                    tracing::debug!(?answered, "a request for metrics");
                }
                Err(error) => {
                    tracing::debug!(%error, "a request for metrics could not be accepted");
                    tokio::time::timeout(PATIENCE, stop.wait()).await.unwrap_or_default();
                }
            }
        }
    }
}

/// Reads one request, and answers it.
async fn answer(mut stream: TcpStream, text: &(impl Fn() -> String + Send)) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > MAX_HEAD_BYTES || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default();
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    let (status, body) = match (method, path) {
        (b"GET" | b"HEAD", b"/metrics") => ("200 OK", text()),
        (b"GET" | b"HEAD", _) => ("404 Not Found", "the metrics are at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "only GET /metrics is served here\n".to_owned()),
    };
    let mut answer =
        format!("HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    let _infallible = write!(answer, "Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    if method != b"HEAD" {
        answer.push_str(&body);
    }
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(request: &str) -> String {
        let listener = MetricsListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr();
        let (stopper, stop) = Stop::pair();
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            stopper.stop();
            answer
        };
        let ((), answer) = tokio::join!(listener.serve(|| "x 1\n".to_owned(), stop), client);
        answer
    }

    #[tokio::test]
    async fn metrics_are_served_at_their_path() {
        let answer = ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nx 1\n"), "{answer}");
    }

    #[tokio::test]
    async fn other_requests_are_told_where() {
        assert!(ask("GET / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404"));
        assert!(ask("POST /metrics HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 405"));
    }
}
