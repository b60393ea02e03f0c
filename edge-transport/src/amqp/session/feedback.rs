//! What became of cloud-to-device messages, for the service side: one batch at a time, as the service API locks them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use edge_core::service::LockOutcome;
use edge_core::{Channel, Delivery, Message, Settlement, Settler, SystemKey};

use super::link::{Link, LinkKey, Purpose};
use super::{Output, ServerConnection};
use crate::amqp::wire::condition;

/// How long to wait before asking again when nothing was there.
const PAUSE: Duration = Duration::from_secs(1);

/// What the service API says of feedback.
#[derive(Debug)]
pub(crate) enum FeedbackAnswer {
    /// The next batch, or nothing.
    Received(Option<Message>),
    /// The batch was settled.
    Settled,
}

/// The link for feedback, and the batch that is locked.
#[derive(Debug, Default)]
pub(super) struct Feedback {
    link: Option<LinkKey>,
    /// The lock token of the batch that the client has not settled.
    token: Option<String>,
    /// Whether the service API is asked something.
    asking: bool,
    /// When to ask again.
    again: Option<Instant>,
    settled: Arc<Settled>,
}

/// What the client said of the batch.
#[derive(Debug, Default)]
struct Settled(Mutex<Option<Settlement>>);

impl Settler for Settled {
    fn settle(&self, _tag: u64, settlement: Settlement) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(settlement);
    }
}

impl Settled {
    fn take(&self) -> Option<Settlement> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ServerConnection {
    /// Takes note of the link for feedback; `false` when there is one already.
    pub(super) fn feedback_attached(&mut self, key: LinkKey) -> bool {
        let is_free = self.feedback.link.is_none();
        if is_free {
            self.feedback.link = Some(key);
        }
        is_free
    }

    pub(super) fn feedback_detached(&mut self, key: LinkKey) {
        if self.feedback.link == Some(key) {
            self.feedback.link = None;
        }
    }

    /// Hands on what the client has said of the last batch, or asks for the next one.
    pub(super) fn ask_for_feedback(&mut self, now: Instant) {
        if self.feedback.asking {
            return;
        }
        if let Some(settlement) = self.feedback.settled.take()
            && let Some(token) = self.feedback.token.take()
        {
            let outcome = match settlement {
                Settlement::Accept => LockOutcome::Complete,
                Settlement::Reject => LockOutcome::Reject,
                _ => {
                    // A client that gives it back is not to get it again at once.
                    self.feedback.again = Some(now + PAUSE);
                    LockOutcome::Abandon
                }
            };
            self.feedback.asking = true;
            self.outputs.push_back(Output::SettleFeedback { token, outcome });
            return;
        }
        if self.wants_feedback() && self.feedback.again.is_none_or(|again| again <= now) {
            (self.feedback.asking, self.feedback.again) = (true, None);
            self.outputs.push_back(Output::ReceiveFeedback);
        }
    }

    fn wants_feedback(&self) -> bool {
        let link = self.feedback.link.and_then(|key| self.links.get(&key));
        self.feedback.token.is_none() && !self.feedback.asking && link.is_some_and(Link::has_credit_to_spare)
    }

    /// When to ask for feedback again.
    pub(super) fn feedback_at(&self) -> Option<Instant> {
        self.feedback.again.filter(|_| self.wants_feedback())
    }

    /// Takes what the service API says.
    pub(super) fn feedback(&mut self, now: Instant, answer: FeedbackAnswer) {
        self.feedback.asking = false;
        let FeedbackAnswer::Received(message) = answer else { return };
        let Some(message) = message else {
            self.feedback.again = Some(now + PAUSE);
            return;
        };
        let token = message.system().value(SystemKey::LockToken).unwrap_or_default().to_owned();
        self.feedback.token = Some(token);
        let settler: Arc<dyn Settler> = self.feedback.settled.clone();
        // Dropped where there is no link any more, it is given back.
        let delivery = Delivery::new(message, Channel::CloudToDevice, settler, 0);
        if let Some(key) = self.feedback.link {
            self.deliver_on(key, None, delivery);
        }
    }

    /// The policy's token has run out: nothing of the service side is left.
    pub(super) fn service_expired(&mut self, now: Instant) {
        (self.is_service, self.service_until) = (false, None);
        let of_service = |link: &Link| matches!(link.purpose, Purpose::ServiceSend | Purpose::Feedback);
        let links: Vec<LinkKey> =
            self.links.iter().filter(|(_, link)| of_service(link)).map(|(key, _)| *key).collect();
        for key in links {
            self.detach(key, condition::UNAUTHORIZED, "the token has run out");
        }
        self.close_if_nobody_is_left(now);
    }
}
