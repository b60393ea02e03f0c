//! The endpoint: lines over TCP, several on their way at a time, each accepted when its answer has come.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use async_trait::async_trait;
use edge_core::{BatchLimit, Endpoint, EndpointError, EndpointId, Outcome, Stored};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::line;

/// How many messages may wait for their answer.
const WINDOW: usize = 8;

/// The longest answer that is read.
const MAX_ANSWER_BYTES: u64 = 1024;

/// Sends messages as lines of JSON to one address.
#[derive(Debug)]
pub(crate) struct LineEndpoint {
    id: EndpointId,
    to: SocketAddr,
    patience: Duration,
    connection: Mutex<Option<Connection>>,
}

#[derive(Debug)]
struct Connection {
    stream: BufReader<TcpStream>,
    next: u64,
}

impl LineEndpoint {
    /// Returns an endpoint that connects to `to` when it has something to send, and waits `patience` for an answer.
    pub(crate) fn new(id: EndpointId, to: SocketAddr, patience: Duration) -> Self {
        Self { id, to, patience, connection: Mutex::new(None) }
    }

    /// Waits for `step`, at most as long as the endpoint is patient.
    async fn within<T>(
        &self,
        step: impl Future<Output = io::Result<T>>,
        failed: impl FnOnce(io::Error) -> EndpointError,
    ) -> Result<T, EndpointError> {
        let done = timeout(self.patience, step).await;
        done.map_err(|_| EndpointError::TimedOut { after: self.patience })?.map_err(failed)
    }

    async fn connect(&self) -> Result<Connection, EndpointError> {
        let failed =
            |source| EndpointError::Unreachable { to: self.to.to_string(), source: Box::new(source) };
        let stream = self.within(TcpStream::connect(self.to), failed).await?;
        stream.set_nodelay(true).map_err(interrupted)?;
        Ok(Connection { stream: BufReader::new(stream), next: 0 })
    }

    /// Sends a batch, and puts one outcome in `outcomes` for each answer as it comes.
    async fn exchange(
        &self,
        connection: &mut Connection,
        batch: &[Stored],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), EndpointError> {
        let first = connection.next;
        let mut unsent = batch.iter();
        let mut lines = Vec::new();
        while outcomes.len() < batch.len() {
            let on_their_way = (connection.next - first) as usize - outcomes.len();
            for stored in unsent.by_ref().take(WINDOW - on_their_way) {
                line::encode(connection.next, &stored.message, &mut lines);
                connection.next += 1;
            }
            self.within(connection.stream.write_all(&lines), interrupted).await?;
            lines.clear();
            let answer = self.within(connection.answer(), interrupted).await?;
            let outcome = line::answer(&answer, first + outcomes.len() as u64);
            outcomes.push(outcome.ok_or_else(|| interrupted(io::ErrorKind::InvalidData.into()))?);
        }
        Ok(())
    }
}

impl Connection {
    async fn answer(&mut self) -> io::Result<String> {
        let mut answer = String::new();
        (&mut self.stream).take(MAX_ANSWER_BYTES).read_line(&mut answer).await?;
        match answer.strip_suffix('\n') {
            Some(line) => Ok(line.to_owned()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn interrupted(source: io::Error) -> EndpointError {
    EndpointError::Interrupted { source: Box::new(source) }
}

#[async_trait]
impl Endpoint for LineEndpoint {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn batch_limit(&self) -> BatchLimit {
        BatchLimit::new(NonZeroUsize::new(64).unwrap_or(NonZeroUsize::MIN), 1 << 20)
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        // The connection is taken out, and only put back whole: when this future is dropped half way, the connection
        // is closed, and no answer to an old batch is taken for one to the next.
        let mut place = self.connection.lock().await;
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let mut outcomes = Vec::with_capacity(batch.len());
        match self.exchange(&mut connection, batch, &mut outcomes).await {
            Ok(()) => *place = Some(connection),
            // An error would say that nothing is known to be accepted, and make duplicates of what is.
            Err(_) if !outcomes.is_empty() => outcomes.resize(batch.len(), Outcome::Released),
            Err(error) => return Err(error),
        }
        Ok(outcomes)
    }

    async fn close(&self) {
        drop(self.connection.lock().await.take());
    }
}
