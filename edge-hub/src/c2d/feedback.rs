//! What senders of cloud-to-device messages hear of them.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use edge_core::{
    Durability, EndpointId, Enqueue, Identity, Message, MessageStore, Offset, Priority, QueueId, ReadLimit,
    RouteName, Source, StoreError, SystemKey, Target, Timestamp,
};

use super::mailbox::{Entry, Token};

/// How many records are handed out at a time.
const BATCH: NonZeroUsize = match NonZeroUsize::new(64) {
    Some(batch) => batch,
    None => NonZeroUsize::MIN,
};
/// For how long a batch is locked.
const LOCK: Duration = Duration::from_secs(60);
/// How long a record waits to be fetched.
const TIME_TO_LIVE: Duration = Duration::from_secs(3600);

/// Which feedback the sender of a message wants.
///
/// # Source
/// Azure IoT Hub, `iothub-ack`: `none`, `positive`, `negative`, `full`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    positive: bool,
    negative: bool,
}

impl Wanted {
    pub(super) const NONE: Self = Self { positive: false, negative: false };

    /// Returns what the value of `iothub-ack` asks for; an unknown one asks for nothing.
    pub(super) fn parse(text: &str) -> Self {
        let is = |name: &str| text.eq_ignore_ascii_case(name);
        Self { positive: is("positive") || is("full"), negative: is("negative") || is("full") }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Success,
    Expired,
    DeliveryCountExceeded,
    Rejected,
    Purged,
}

impl Fate {
    const fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Expired => "Expired",
            Self::DeliveryCountExceeded => "DeliveryCountExceeded",
            Self::Rejected => "Rejected",
            Self::Purged => "Purged",
        }
    }

    const fn is_wanted(self, wanted: Wanted) -> bool {
        if matches!(self, Self::Success) { wanted.positive } else { wanted.negative }
    }
}

/// The feedback that waits to be fetched.
#[derive(Debug)]
pub(super) struct Feedback {
    store: Arc<dyn MessageStore>,
    queue: QueueId,
    targets: Arc<[Target]>,
    locked: Mutex<Option<Locked>>,
}

#[derive(Debug)]
struct Locked {
    token: Token,
    offsets: Range<Offset>,
    until: Instant,
}

impl Feedback {
    pub(super) fn new(store: Arc<dyn MessageStore>) -> Result<Self, edge_core::IdError> {
        let endpoint: EndpointId = super::FEEDBACK_ENDPOINT.parse()?;
        let queue = QueueId::new(endpoint, Priority::DEFAULT);
        let route: RouteName = super::ROUTE.parse()?;
        let targets = [Target::new(queue.clone(), route, Some(TIME_TO_LIVE))].into();
        Ok(Self { store, queue, targets, locked: Mutex::default() })
    }

    /// Records what became of a message, when its sender wants to hear of it.
    pub(super) fn record(
        &self,
        identity: &Identity,
        entry: &Entry,
        fate: Fate,
        generation: &str,
        now: Timestamp,
    ) {
        if !fate.is_wanted(entry.wanted) {
            return;
        }
        let mut record = serde_json::json!({
            "originalMessageId": &*entry.message_id,
            "enqueuedTimeUtc": now.to_string(),
            "statusCode": fate.name(),
            "description": fate.name(),
            "deviceId": identity.device().as_str(),
            "deviceGenerationId": generation,
        });
        if let (Some(module), Some(fields)) = (identity.module(), record.as_object_mut()) {
            fields.insert("moduleId".into(), module.as_str().into());
        }
        let body = record.to_string();
        let message = Message::builder(&Source::telemetry()).body(body.as_bytes()).build();
        let enqueue = Enqueue::new(message, self.targets.clone(), now);
        let receipt = self.store.append(vec![enqueue], Durability::Written);
        if let Some(error) = receipt.refusal() {
            tracing::error!(%identity, fate = fate.name(), %error, "feedback of a cloud-to-device message is lost");
        }
    }

    /// Fetches what waits, and locks it; `None` when nothing waits or all of it is locked.
    pub(super) async fn receive(&self, token: Token, now: Instant) -> Result<Option<Message>, StoreError> {
        let from = {
            let locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
            if locked.as_ref().is_some_and(|locked| locked.until > now) {
                return Ok(None);
            }
            self.store.queue(&self.queue).map_or(0, |state| state.head)
        };
        let batch = self.store.read(&self.queue, from, ReadLimit::new(BATCH, 1 << 20)).await?;
        if batch.entries.is_empty() {
            return Ok(None);
        }
        let mut records = String::from("[");
        for (n, stored) in batch.entries.iter().enumerate() {
            records.push_str(if n == 0 { "" } else { "," });
            records.push_str(&String::from_utf8_lossy(stored.message.body()));
        }
        records.push(']');
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        if locked.as_ref().is_some_and(|locked| locked.until > now) {
            return Ok(None);
        }
        *locked = Some(Locked { token, offsets: from..batch.next, until: now + LOCK });
        let message = Message::builder(&Source::telemetry())
            .system(SystemKey::ContentType, "application/vnd.microsoft.iothub.feedback.json")
            .system(SystemKey::LockToken, &super::token_text(&token));
        Ok(Some(message.body(records.as_bytes()).build()))
    }

    /// Settles what the token holds: takes it out, or lets it wait again. `false` when the token holds nothing.
    pub(super) fn settle(&self, token: &Token, complete: bool, now: Instant) -> Result<bool, StoreError> {
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = locked.take_if(|locked| locked.token == *token) else { return Ok(false) };
        if held.until <= now {
            return Ok(false);
        }
        if complete {
            self.store.settle(&self.queue, held.offsets, &[])?;
        }
        Ok(true)
    }
}
