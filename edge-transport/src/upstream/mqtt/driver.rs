//! What goes on on a connection.
#![expect(clippy::disallowed_methods, reason = "a driver is where time is read and waited for")]

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use bytes::BytesMut;
use edge_core::{EndpointError, Report};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

use super::MqttUpstreamOptions;
use super::codec::{self, Goodbye, Incoming, NotMqtt};
use super::connect::{Link, connect};
use super::publish::Publisher;
use crate::upstream::driver::{Ended, Remote};
use crate::upstream::flight::Flight;
use crate::upstream::jobs::{Job, Orders, Reply, is_abandoned};
use crate::upstream::suspects::{Suspects, Watch};

/// How many bytes are gathered before they are written; one packet may go beyond.
const WRITE_BYTES: usize = 64 << 10;
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the connection broke")]
    Io(#[source] io::Error),
    #[error("the broker closed the connection")]
    Closed,
    #[error("the broker closed the connection: {}", .0.reason)]
    Goodbye(Goodbye),
    #[error(transparent)]
    NotMqtt(#[from] NotMqtt),
    #[error("the broker was silent for {} s", .0.as_secs_f64())]
    Silent(Duration),
}

impl Lost {
    /// Whether it may be for what was sent that the connection is lost.
    fn may_be_for_a_message(&self) -> bool {
        match self {
            Self::Io(_) | Self::Closed => true,
            Self::Goodbye(goodbye) => goodbye.may_be_for_a_message,
            Self::NotMqtt(_) | Self::Silent(_) => false,
        }
    }
}

impl From<Lost> for EndpointError {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Silent(after) => Self::TimedOut { after },
            lost => Self::Interrupted { source: lost.into() },
        }
    }
}

/// A broker, and how to speak TLS with it.
pub(super) struct Broker {
    pub(super) options: MqttUpstreamOptions,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) suspects: Suspects,
}

impl Remote for Broker {
    type Link = Link;

    fn address(&self) -> &(impl fmt::Display + Sync) {
        &self.options.url
    }

    fn connect_timeout(&self) -> Duration {
        self.options.connect_timeout
    }

    async fn connect(&self) -> Result<Link, EndpointError> {
        let connected = connect(&self.options, self.tls.clone()).await;
        connected.map_err(|error| error.into_endpoint_error(&self.options.url))
    }

    async fn serve(&mut self, link: Link, orders: &mut Orders, first: Option<Job>) -> Ended {
        let mut traffic = Traffic::new(&self.options, &link, &mut self.suspects);
        let mut reply = None;
        if let Some(job) = first {
            reply = traffic.watch.begin(&mut traffic.flight, job);
        }
        let lost = match traffic.run(link, orders, &mut reply).await {
            Ok(()) => return Ended::Closing,
            Err(lost) => lost,
        };
        tracing::warn!(to = %self.options.url, reason = %Report(&lost), "connection lost");
        let known =
            traffic.watch.interrupted(&mut traffic.flight, lost.may_be_for_a_message().then_some(&lost));
        if let Some(reply) = reply {
            let _nobody_waits = reply.send(known.ok_or_else(|| lost.into()));
        }
        Ended::Lost { answered: traffic.answered }
    }
}

/// What goes on on one connection.
struct Traffic<'a> {
    version: super::MqttVersion,
    publisher: Publisher,
    flight: Flight,
    ack_timeout: Duration,
    keep_alive: Option<Duration>,
    out: BytesMut,
    wrote: Instant,
    /// When the PINGREQ was sent that is not answered yet.
    pinged: Option<Instant>,
    answered: bool,
    watch: Watch<'a>,
}

impl<'a> Traffic<'a> {
    fn new(options: &MqttUpstreamOptions, link: &Link, suspects: &'a mut Suspects) -> Self {
        let limits = link.limits;
        let window = limits.in_flight.unwrap_or(u16::MAX).min(options.in_flight.get());
        let keep_alive = limits.keep_alive_secs.unwrap_or_else(|| options.keep_alive_secs());
        Self {
            version: options.version,
            publisher: Publisher::new(options, limits.packet_bytes),
            flight: Flight::new(window, options.ack_timeout),
            ack_timeout: options.ack_timeout,
            keep_alive: (keep_alive > 0).then(|| Duration::from_secs(keep_alive.into())),
            out: BytesMut::new(),
            wrote: Instant::now(),
            pinged: None,
            answered: false,
            watch: Watch::new(suspects),
        }
    }

    /// Returns `Ok` when the upstream is closed.
    async fn run(&mut self, link: Link, orders: &mut Orders, reply: &mut Option<Reply>) -> Result<(), Lost> {
        let (mut reader, mut writer) = tokio::io::split(link.stream);
        let mut input = link.input;
        let mut unflushed = false;
        loop {
            self.take(&mut input)?;
            self.fill();
            self.watch.acquit(&self.flight);
            if let Some(outcomes) = self.flight.finish()
                && let Some(reply) = reply.take()
            {
                let _nobody_waits = reply.send(Ok(outcomes));
            }
            let deadline = self.deadline();
            tokio::select! {
                () = Orders::closed(&mut orders.closing) => {
                    codec::disconnect(&mut self.out);
                    let farewell = async {
                        writer.write_all_buf(&mut self.out).await?;
                        writer.shutdown().await
                    };
                    let _best_effort = timeout(FAREWELL, farewell).await;
                    return Ok(());
                }
                read = reader.read_buf(&mut input) => {
                    if read.map_err(Lost::Io)? == 0 {
                        return Err(Lost::Closed);
                    }
                }
                wrote = push(&mut writer, &mut self.out), if !self.out.is_empty() || unflushed => {
                    unflushed = wrote.map_err(Lost::Io)?;
                    self.wrote = Instant::now();
                }
                job = orders.jobs.recv(), if !self.flight.is_busy() => match job {
                    Some(job) => *reply = self.watch.begin(&mut self.flight, job),
                    None => return Ok(()),
                },
                () = is_abandoned(reply) => {
                    *reply = None;
                    self.flight.abandon();
                }
                () = sleep_until(deadline) => self.time_out(Instant::now())?,
            }
        }
    }

    /// Takes in what the broker has said.
    fn take(&mut self, input: &mut BytesMut) -> Result<(), Lost> {
        while let Some(packet) = codec::next(self.version, input)? {
            match packet {
                Incoming::Answer { id, outcome } => {
                    self.answered = true;
                    self.flight.answered(id, outcome, Instant::now());
                }
                Incoming::Pong => self.pinged = None,
                Incoming::Goodbye(goodbye) => return Err(Lost::Goodbye(goodbye)),
                Incoming::Welcome(_) | Incoming::Refused(_) | Incoming::Other => {}
            }
        }
        Ok(())
    }

    /// Writes packets while the window and the buffer have room.
    fn fill(&mut self) {
        while self.out.len() < WRITE_BYTES
            && let Some((id, message)) = self.flight.sendable()
        {
            match self.publisher.write(message, id, &mut self.out) {
                Ok(()) => self.flight.sent(id, Instant::now()),
                Err(unsendable) => self.flight.unsendable(unsendable.to_string()),
            }
        }
    }

    /// Returns when something is to be done though nothing has happened.
    fn deadline(&self) -> Instant {
        let answer = self.flight.deadline();
        let pong = self.pinged.map(|pinged| pinged + self.ack_timeout);
        let ping = self.keep_alive.filter(|_| self.pinged.is_none()).map(|period| self.wrote + period);
        let first = [answer, pong, ping].into_iter().flatten().min();
        first.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600))
    }

    fn time_out(&mut self, now: Instant) -> Result<(), Lost> {
        let answer = self.flight.deadline();
        let pong = self.pinged.map(|pinged| pinged + self.ack_timeout);
        if [answer, pong].into_iter().flatten().any(|deadline| deadline <= now) {
            return Err(Lost::Silent(self.ack_timeout));
        }
        if self.pinged.is_none() && self.keep_alive.is_some_and(|period| self.wrote + period <= now) {
            codec::ping(&mut self.out);
            self.pinged = Some(now);
        }
        Ok(())
    }
}

/// Writes some of `out`, or flushes when there is nothing to write; returns whether there is something to flush.
async fn push(writer: &mut (impl AsyncWrite + Unpin), out: &mut BytesMut) -> io::Result<bool> {
    if out.is_empty() {
        writer.flush().await?;
        return Ok(false);
    }
    writer.write_buf(out).await?;
    Ok(true)
}
