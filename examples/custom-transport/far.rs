//! The far side: takes lines in, and answers them. It can be told to misbehave.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::line::{self, MAX_LINE_BYTES};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Answering,
    Withholding,
    Cut,
}

/// A server of lines; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct FarSide {
    address: SocketAddr,
    ledger: Arc<Ledger>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Ledger {
    mode: watch::Sender<Mode>,
    held: watch::Sender<usize>,
    taken: watch::Sender<Vec<Bytes>>,
    refused: Mutex<Option<Bytes>>,
}

impl Ledger {
    async fn wait_for(&self, what: impl Fn(Mode) -> bool) {
        // The sender is this ledger's own, so there is always an answer.
        let mut mode = self.mode.subscribe();
        let _answer = mode.wait_for(|mode| what(*mode)).await;
    }
}

impl FarSide {
    /// Starts a server on a free port of this machine.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let ledger = Arc::new(Ledger {
            mode: watch::Sender::new(Mode::Answering),
            held: watch::Sender::new(0),
            taken: watch::Sender::default(),
            refused: Mutex::default(),
        });
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, ledger.clone()));
        Ok(Self { address, ledger, _tasks: tasks })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the bodies of all messages that were answered with OK, in their order, duplicates included.
    pub(crate) fn taken(&self) -> Vec<Bytes> {
        self.ledger.taken.borrow().clone()
    }

    /// Waits until something holds for the messages taken.
    pub(crate) async fn wait_for_taken(&self, what: impl FnMut(&Vec<Bytes>) -> bool) {
        let mut taken = self.ledger.taken.subscribe();
        // The sender lives as long as this far side.
        let _answer = taken.wait_for(what).await;
    }

    /// Closes all connections, and every new one at once, until [`FarSide::restore`].
    pub(crate) fn cut(&self) {
        self.ledger.mode.send_replace(Mode::Cut);
    }

    pub(crate) fn restore(&self) {
        self.ledger.mode.send_replace(Mode::Answering);
    }
}

#[cfg(test)]
impl FarSide {
    /// Answers messages with this body with NO.
    pub(crate) fn refuse(&self, body: &[u8]) {
        *self.ledger.refused.lock().unwrap() = Some(Bytes::copy_from_slice(body));
    }

    /// Takes messages in without an answer, until [`FarSide::restore`].
    pub(crate) fn withhold(&self) {
        self.ledger.mode.send_replace(Mode::Withholding);
    }

    /// Waits until a message is held without an answer.
    pub(crate) async fn withheld(&self) {
        self.ledger.held.subscribe().wait_for(|held| *held > 0).await.unwrap();
    }
}

async fn accept(listener: TcpListener, ledger: Arc<Ledger>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let ledger = ledger.clone();
                connections.spawn(async move {
                    tokio::select! {
                        biased;
                        () = ledger.wait_for(|mode| mode == Mode::Cut) => {}
                        _ended = serve(BufReader::new(stream), &ledger) => {}
                    }
                });
            }
            Some(_) = connections.join_next() => {}
            else => return,
        }
    }
}

/// Answers one connection's lines until it ends.
async fn serve(mut stream: BufReader<TcpStream>, ledger: &Ledger) -> io::Result<()> {
    loop {
        let mut line = String::new();
        (&mut stream).take(MAX_LINE_BYTES as u64).read_line(&mut line).await?;
        let Some((number, body)) = line::decode(&line) else { return Ok(()) };
        let body = Bytes::from(body);
        let held = Held::new(ledger);
        ledger.wait_for(|mode| mode != Mode::Withholding).await;
        drop(held);
        let refused = ledger.refused.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&body);
        let answer = if refused { format!("NO {number} refused\n") } else { format!("OK {number}\n") };
        if !refused {
            // Taken first and answered then: the other way round a crash in between loses the message.
            ledger.taken.send_modify(|taken| taken.push(body));
        }
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// Counts one message that is held without an answer.
struct Held<'a>(&'a Ledger);

impl<'a> Held<'a> {
    fn new(ledger: &'a Ledger) -> Self {
        ledger.held.send_modify(|held| *held += 1);
        Self(ledger)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.send_modify(|held| *held -= 1);
    }
}
