//! One connection of the listener, from its hello to its end.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{
    Credentials, Delivery, Gateway, Hello, Incident, IncidentKind, Receipt, Session, SessionEvent,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::listener::PROTOCOL;

/// The longest line.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// The most messages of a client that wait for their receipts; beyond it nothing more is read.
pub(crate) const MAX_WAITING: usize = 256;

/// The most deliveries that a client may have without having taken them.
const MAX_DELIVERIES: usize = 16;

/// How long a hello may take, and how long a client may take to read what waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// One client that was let in.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    pub(crate) session: Box<dyn Session>,
    /// What waits for a receipt, oldest first, and the answers that it gets.
    pub(crate) waiting: VecDeque<(Receipt, Vec<String>)>,
    pub(crate) deliveries: VecDeque<(u64, Delivery)>,
    pub(crate) next_message: u64,
    next_delivery: u64,
}

/// Why a connection ends: what the client did wrong, if anything.
#[derive(Debug)]
pub(crate) enum End {
    Gone,
    Wrong(IncidentKind, &'static str),
}

impl From<io::Error> for End {
    fn from(_gone: io::Error) -> Self {
        Self::Gone
    }
}

/// Serves one connection until it ends.
pub(crate) async fn serve(stream: TcpStream, peer: SocketAddr, gateway: Arc<dyn Gateway>) {
    let greeted = timeout(PATIENCE, greet(BufReader::new(stream), peer, &gateway)).await;
    let late = Err(End::Wrong(IncidentKind::Timeout, "no hello in time"));
    let ended = match greeted.unwrap_or(late) {
        Ok(mut connection) => connection.run().await.map_err(|end| (end, Some(connection))),
        Err(end) => Err((end, None)),
    };
    if let Err((End::Wrong(kind, what), connection)) = ended {
        let detail = format_args!("{what}");
        let mut incident = Incident::new(kind, PROTOCOL, detail);
        incident.peer = Some(peer);
        incident.identity = connection.as_ref().map(|open| &open.session.authenticated().identity);
        gateway.report(&incident);
    }
}

/// Reads the hello, and asks the gateway for a session: nothing else is taken before there is one.
async fn greet(
    mut stream: BufReader<TcpStream>,
    peer: SocketAddr,
    gateway: &Arc<dyn Gateway>,
) -> Result<Connection, End> {
    let mut line = Vec::new();
    read_line(&mut stream, &mut line).await?;
    let bad = End::Wrong(IncidentKind::BadHello, "a first line that is no hello");
    let words = std::str::from_utf8(&line).ok().and_then(|line| line.strip_prefix("HELLO ")?.split_once(' '));
    let Some((Ok(claimed), token)) = words.map(|(id, token)| (id.parse(), token)) else { return Err(bad) };
    let hello = Hello::new(claimed, Credentials::SasToken(token.to_owned()), PROTOCOL, Some(peer));
    let Ok(session) = gateway.open(hello).await else {
        // The gateway has counted and logged why; the client learns no more than it needs.
        stream.write_all(b"NO\n").await?;
        return Err(End::Gone);
    };
    stream.write_all(b"WELCOME\n").await?;
    let (waiting, deliveries) = (VecDeque::new(), VecDeque::new());
    Ok(Connection { stream, session, waiting, deliveries, next_message: 0, next_delivery: 0 })
}

/// Reads on until `line` is a whole one, without its end. What has been read stays in `line` when this is dropped.
async fn read_line(stream: &mut BufReader<TcpStream>, line: &mut Vec<u8>) -> Result<(), End> {
    let room = (MAX_LINE_BYTES - line.len()) as u64;
    stream.take(room).read_until(b'\n', line).await?;
    match line.pop() {
        Some(b'\n') => Ok(()),
        Some(_) if line.len() + 1 >= MAX_LINE_BYTES => {
            Err(End::Wrong(IncidentKind::Oversize, "a line too long"))
        }
        _ => Err(End::Gone),
    }
}

impl Connection {
    /// Does whatever can be done next, until the connection ends.
    async fn run(&mut self) -> Result<(), End> {
        let mut line = Vec::new();
        loop {
            let messages: usize = self.waiting.iter().map(|(_, answers)| answers.len()).sum();
            tokio::select! {
                // Not reading is the flow control: TCP tells the client to wait.
                read = read_line(&mut self.stream, &mut line), if messages < MAX_WAITING => {
                    read?;
                    self.take_lines(&mut line).await?;
                }
                answers = resolved(&mut self.waiting), if !self.waiting.is_empty() => {
                    for answer in answers? {
                        self.say(answer.as_bytes()).await?;
                    }
                }
                event = poll_fn(|cx| self.session.poll_event(cx)), if self.deliveries.len() < MAX_DELIVERIES => {
                    match event {
                        SessionEvent::Deliver(delivery) => self.deliver(delivery).await?,
                        _ => return Ok(()),
                    }
                }
            }
        }
    }

    /// Takes a line, and all whole lines that have arrived with it: one batch for one read.
    async fn take_lines(&mut self, line: &mut Vec<u8>) -> Result<(), End> {
        let mut batch = Vec::new();
        loop {
            self.take_line(line, &mut batch)?;
            line.clear();
            if batch.len() >= MAX_WAITING || !self.stream.buffer().contains(&b'\n') {
                self.publish(batch);
                return Ok(());
            }
            read_line(&mut self.stream, line).await?;
        }
    }

    async fn deliver(&mut self, delivery: Delivery) -> Result<(), End> {
        let number = self.next_delivery;
        let body = delivery.message().body_bytes();
        if body.contains(&b'\n') {
            // It can never be said in this protocol; the gateway sets it aside.
            delivery.settle(edge_core::Settlement::Reject);
            return Ok(());
        }
        self.next_delivery += 1;
        self.deliveries.push_back((number, delivery));
        self.say(&[b"MESSAGE ", number.to_string().as_bytes(), b" ", &body].concat()).await
    }

    async fn say(&mut self, line: &[u8]) -> Result<(), End> {
        let mut bytes = line.to_vec();
        bytes.push(b'\n');
        let written = timeout(PATIENCE, self.stream.write_all(&bytes)).await;
        Ok(written.map_err(|_| End::Wrong(IncidentKind::Stalled, "the client does not read"))??)
    }
}

/// Waits for the oldest receipt, and returns what to answer; when it fails, so does the connection.
async fn resolved(waiting: &mut VecDeque<(Receipt, Vec<String>)>) -> Result<Vec<String>, End> {
    let (receipt, _) = waiting.front_mut().ok_or(End::Gone)?;
    let result = receipt.await;
    let answers = waiting.pop_front().map(|(_, answers)| answers);
    // Losing the connection is how a client learns that its messages were not taken.
    result.map_err(|_not_taken| End::Gone)?;
    Ok(answers.unwrap_or_default())
}
