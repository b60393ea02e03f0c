//! An HTTP server that takes batches of messages, a line of JSON each, as a service in a cloud would.

use std::io;
use std::net::SocketAddr;

use edge_transport::upstream::ndjson::Record;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Fallible;
use crate::heard::Heard;

/// More than one gateway sends in one request.
const MAX_BODY_BYTES: u64 = 1 << 20;

/// The server; it ends when it is dropped.
pub(crate) struct Collector {
    address: SocketAddr,
    lines: mpsc::Receiver<String>,
    _tasks: JoinSet<()>,
}

impl Collector {
    /// Starts it on a free port of this machine.
    pub(crate) async fn start() -> Fallible<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (heard, lines) = mpsc::channel(16);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // The gateway sends by one connection at a time.
            while let Ok((stream, _)) = listener.accept().await {
                let _ended = serve(BufReader::new(stream), &heard).await;
            }
        });
        Ok(Self { address, lines, _tasks: tasks })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for a message.
    pub(crate) async fn next(&mut self) -> Fallible<Heard> {
        let line = self.lines.recv().await.ok_or("the collector has ended")?;
        let message = line.parse::<Record>()?.message;
        Ok(Heard::new(line, message))
    }
}

/// Answers requests until the connection ends.
async fn serve(mut stream: BufReader<TcpStream>, heard: &mpsc::Sender<String>) -> io::Result<()> {
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse::<u64>().unwrap_or_default().min(MAX_BODY_BYTES);
                }
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let mut body = String::new();
        (&mut stream).take(length).read_to_string(&mut body).await?;
        for line in body.lines() {
            // Whoever does not listen any more has ended the program.
            let _taken = heard.send(line.to_owned()).await;
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    }
}
