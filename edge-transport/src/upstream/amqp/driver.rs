//! What goes on on a link.
#![expect(clippy::disallowed_methods, reason = "a driver is where time is read and waited for")]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{EndpointError, Outcome, Report};
use fe2o3_amqp::Sender;
use fe2o3_amqp::link::{DetachError, SendError};
use fe2o3_amqp::types::definitions::Error;
use fe2o3_amqp::types::messaging;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::ClientConfig;
use tokio::time::{Instant, sleep_until, timeout};

use super::connect::{Link, connect};
use super::{AmqpUpstreamOptions, message, reason};
use crate::upstream::driver::{Ended, Remote};
use crate::upstream::flight::Flight;
use crate::upstream::jobs::{Job, Orders, Reply, is_abandoned};
use crate::upstream::suspects::{Suspects, Watch};

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the broker says of the message with this number.
type Settled = Result<messaging::Outcome, SendError>;
type Settling = Pin<Box<dyn Future<Output = (u16, Settled)> + Send>>;
/// A message on its way into the link, which it brings back.
type Sending = Pin<Box<dyn Future<Output = (Sender, u16, Result<Settling, SendError>)> + Send>>;

/// Why a link has ended.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the broker ended the link: {reason}")]
    Said {
        reason: String,
        /// Whether the reason may be a message.
        may_be_for_a_message: bool,
    },
    #[error("the link broke: {0}")]
    Broken(String),
    #[error("the broker gave no credit for {} s: its queue may be full, or it may be short of memory", .0.as_secs_f64())]
    NoCredit(Duration),
    #[error("the broker settled nothing for {} s", .0.as_secs_f64())]
    Silent(Duration),
}

impl Lost {
    fn said(error: &Error) -> Self {
        Self::Said { reason: reason::text(error), may_be_for_a_message: !reason::is_of_its_own(error) }
    }

    /// Whether it may be for what was sent that the link has ended.
    fn may_be_for_a_message(&self) -> bool {
        match self {
            Self::Said { may_be_for_a_message, .. } => *may_be_for_a_message,
            Self::Broken(_) => true,
            Self::NoCredit(_) | Self::Silent(_) => false,
        }
    }

    fn detached(error: &DetachError) -> Self {
        match reason::of_detach(error) {
            Some(said) => Self::said(said),
            None => Self::Broken(error.to_string()),
        }
    }

    fn sending(error: &SendError) -> Self {
        match reason::of_send(error) {
            Some(said) => Self::said(said),
            None => Self::Broken(error.to_string()),
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
    pub(super) options: AmqpUpstreamOptions,
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
        connected.map_err(|error| error.into_endpoint_error(self.options.url.to_string()))
    }

    async fn serve(&mut self, link: Link, orders: &mut Orders, first: Option<Job>) -> Ended {
        let Link { sender, mut session, mut connection, leash } = link;
        let mut traffic = Traffic::new(&self.options, sender, &mut self.suspects);
        let mut reply = first.and_then(|job| traffic.watch.begin(&mut traffic.flight, job));
        let ended = match traffic.run(orders, &mut reply).await {
            Ok(()) => {
                let farewell = async {
                    if let Some(sender) = traffic.sender.take() {
                        let _either_way = sender.close().await;
                    }
                    let _either_way = session.end().await;
                    let _either_way = connection.close().await;
                };
                let _best_effort = timeout(FAREWELL, farewell).await;
                Ended::Closing
            }
            Err(lost) => {
                tracing::warn!(to = %self.options.url, reason = %Report(&lost), "connection lost");
                let known = traffic
                    .watch
                    .interrupted(&mut traffic.flight, lost.may_be_for_a_message().then_some(&lost));
                if let Some(reply) = reply {
                    let _nobody_waits = reply.send(known.ok_or_else(|| lost.into()));
                }
                Ended::Lost { answered: traffic.answered }
            }
        };
        drop(leash);
        ended
    }
}

/// What goes on on one link.
struct Traffic<'a> {
    flight: Flight,
    patience: Duration,
    /// The link, while no message is on its way into it.
    sender: Option<Sender>,
    sending: Option<Sending>,
    settling: FuturesUnordered<Settling>,
    answered: bool,
    watch: Watch<'a>,
}

impl<'a> Traffic<'a> {
    fn new(options: &AmqpUpstreamOptions, sender: Sender, suspects: &'a mut Suspects) -> Self {
        Self {
            flight: Flight::new(options.in_flight.get(), options.ack_timeout),
            patience: options.ack_timeout,
            sender: Some(sender),
            sending: None,
            settling: FuturesUnordered::new(),
            answered: false,
            watch: Watch::new(suspects),
        }
    }

    /// Returns `Ok` when the upstream is closed.
    async fn run(&mut self, orders: &mut Orders, reply: &mut Option<Reply>) -> Result<(), Lost> {
        loop {
            self.fill();
            self.watch.acquit(&self.flight);
            if let Some(outcomes) = self.flight.finish()
                && let Some(reply) = reply.take()
            {
                let _nobody_waits = reply.send(Ok(outcomes));
            }
            let deadline = self.flight.deadline();
            tokio::select! {
                () = Orders::closed(&mut orders.closing) => return Ok(()),
                (sender, id, sent) = sent(&mut self.sending) => {
                    self.sending = None;
                    self.sender = Some(sender);
                    match sent {
                        Ok(settling) => self.settling.push(settling),
                        Err(error) => self.unsent(id, &error)?,
                    }
                }
                Some((id, settled)) = self.settling.next() => match settled {
                    Ok(state) => {
                        self.answered = true;
                        self.flight.answered(id, message::outcome(state), Instant::now());
                    }
                    Err(error) => return Err(Lost::sending(&error)),
                },
                error = detached(&mut self.sender) => return Err(Lost::detached(&error)),
                job = orders.jobs.recv(), if !self.flight.is_busy() => match job {
                    Some(job) => *reply = self.watch.begin(&mut self.flight, job),
                    None => return Ok(()),
                },
                () = is_abandoned(reply) => {
                    *reply = None;
                    self.flight.abandon();
                }
                () = at(deadline) => {
                    let waits_for_credit = self.sending.is_some() && self.settling.is_empty();
                    let lost = if waits_for_credit { Lost::NoCredit } else { Lost::Silent };
                    return Err(lost(self.patience));
                }
            }
        }
    }

    /// Puts the next message on its way into the link, when the link is free and the window has room.
    fn fill(&mut self) {
        while self.sending.is_none()
            && let Some((id, next)) = self.flight.sendable()
        {
            let encoded = match message::encode(next) {
                Ok(encoded) => encoded,
                Err(reason) => {
                    self.flight.unsendable(reason);
                    continue;
                }
            };
            let Some(mut sender) = self.sender.take() else { return };
            self.flight.sent(id, Instant::now());
            self.sending = Some(Box::pin(async move {
                let sent = sender.send_batchable(encoded).await;
                let sent = sent.map(|settled| -> Settling { Box::pin(async move { (id, settled.await) }) });
                (sender, id, sent)
            }));
        }
    }

    /// Takes note that a message did not get into the link.
    fn unsent(&mut self, id: u16, error: &SendError) -> Result<(), Lost> {
        let reason = match error {
            SendError::MessageSizeExceeded(exceeded) => {
                let (size, max) = (exceeded.size, exceeded.max_size);
                format!("the message has {size} bytes in AMQP, the broker takes {max}")
            }
            SendError::MessageEncodeError => "the message cannot be encoded".into(),
            lost => return Err(Lost::sending(lost)),
        };
        self.flight.answered(id, Outcome::Rejected { reason }, Instant::now());
        Ok(())
    }
}

async fn sent(sending: &mut Option<Sending>) -> (Sender, u16, Result<Settling, SendError>) {
    match sending {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}

/// Resolves when the broker ends the link, or the connection is lost.
async fn detached(sender: &mut Option<Sender>) -> DetachError {
    match sender {
        Some(sender) => sender.on_detach().await,
        None => std::future::pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
