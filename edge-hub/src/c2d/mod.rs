//! Cloud-to-device messages: a durable queue for each device, which settles its messages one by one.

mod deliver;
mod feedback;
mod mailbox;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use edge_core::service::{LockOutcome, ServiceError};
use edge_core::{
    Clock, DropCause, Durability, EndpointId, Enqueue, Identity, Message, MessageStore, Offset, Priority,
    QueueId, ReadLimit, RouteName, StoreError, SystemKey, Target, Timestamp,
};
use tokio::sync::{Notify, OnceCell};

use feedback::{Fate, Feedback, Wanted};
use mailbox::{Entries, Entry, GivenBack, Token};

use crate::clients::Clients;
use crate::registry::Registry;

/// How the queues of devices are named in the store.
const PREFIX: &str = "$c2d/";
/// The queue of feedback in the store.
const FEEDBACK_ENDPOINT: &str = "$feedback";
/// The route that the ledger counts these messages under.
pub(crate) const ROUTE: &str = "$cloud-to-device";

/// How many messages wait for one device at most.
const MAX_MESSAGES: usize = 50;
/// The largest message: body, and names and values of its properties.
const MAX_BYTES: usize = 64 * 1024;
/// For how long a message that was fetched is locked.
const LOCK: Duration = Duration::from_secs(60);
const MIN_LOCK: Duration = Duration::from_secs(5);
const MAX_LOCK: Duration = Duration::from_secs(300);
/// How often a message may be given back.
const MAX_ABANDONS: u32 = 10;
/// How long a message waits that does not say.
const TIME_TO_LIVE: Duration = Duration::from_secs(3600);

/// Returns whether a queue holds messages for devices, or feedback on them.
pub(crate) fn is_mailbox(endpoint: &EndpointId) -> bool {
    endpoint.as_str().starts_with(PREFIX) || endpoint.as_str() == FEEDBACK_ENDPOINT
}

/// The messages for one device.
#[derive(Debug)]
struct Mailbox {
    identity: Identity,
    queue: QueueId,
    targets: Arc<[Target]>,
    entries: Mutex<Entries>,
    /// Set when what the store holds from earlier is among the entries.
    loaded: OnceCell<()>,
}

impl Mailbox {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The messages for all devices.
#[derive(Debug)]
pub(crate) struct Mail {
    store: Arc<dyn MessageStore>,
    clients: Arc<Clients>,
    clock: Arc<dyn Clock>,
    registry: Option<Arc<Registry>>,
    durability: Durability,
    boxes: Mutex<HashMap<Identity, Arc<Mailbox>>>,
    feedback: Feedback,
    /// Devices that may have something to fetch, for the task that delivers.
    calls: Mutex<BTreeSet<Identity>>,
    called: Notify,
}

impl Mail {
    pub(crate) fn new(
        store: Arc<dyn MessageStore>,
        clients: Arc<Clients>,
        clock: Arc<dyn Clock>,
        registry: Option<Arc<Registry>>,
        durability: Durability,
    ) -> Self {
        #[expect(clippy::expect_used, reason = "the names are constants that parse")]
        let feedback = Feedback::new(store.clone()).expect("a plain name parses");
        let (boxes, calls, called) = Default::default();
        Self { store, clients, clock, registry, durability, boxes, feedback, calls, called }
    }

    fn boxes(&self) -> MutexGuard<'_, HashMap<Identity, Arc<Mailbox>>> {
        self.boxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the mailbox of a device, with what the store holds for it.
    async fn open(&self, identity: &Identity) -> Result<Arc<Mailbox>, StoreError> {
        let mailbox =
            self.boxes().entry(identity.clone()).or_insert_with(|| Arc::new(new_box(identity))).clone();
        mailbox.loaded.get_or_try_init(|| self.load(&mailbox)).await?;
        Ok(mailbox)
    }

    /// Finds out what the store holds from before the hub was started.
    async fn load(&self, mailbox: &Mailbox) -> Result<(), StoreError> {
        let Some(state) = self.store.queue(&mailbox.queue) else { return Ok(()) };
        let (mut from, mut found) = (state.head, Entries::default());
        while from < state.next {
            let batch = self.store.read(&mailbox.queue, from, ReadLimit::new(one(), 1 << 20)).await?;
            for stored in &batch.entries {
                found.push(entry(stored.offset, stored.enqueued, &stored.message));
            }
            if batch.next <= from {
                break;
            }
            from = batch.next;
        }
        *mailbox.entries() = found;
        Ok(())
    }

    /// Takes a message for a device.
    pub(crate) async fn send(&self, identity: &Identity, message: &Message) -> Result<(), ServiceError> {
        let properties =
            message.properties().iter().map(|(name, value)| name.len() + value.map_or(0, str::len));
        let bytes = message.body().len() + properties.sum::<usize>();
        if bytes > MAX_BYTES {
            return Err(ServiceError::TooLarge { what: "the message", bytes, max: MAX_BYTES });
        }
        let now = self.clock.wall();
        if let Some(text) = message.system().value(SystemKey::ExpiryTime)
            && text.parse::<Timestamp>().is_ok_and(|expires| expires > now).eq(&false)
        {
            let reason = format!(
                "the message cannot expire at {text:?}: write a time to come, as 2026-01-31T12:00:00Z"
            );
            return Err(ServiceError::invalid(reason));
        }
        let mailbox = self.open(identity).await.map_err(unavailable)?;
        let message = addressed(identity, message, now);
        let receipt = {
            let mut entries = mailbox.entries();
            if entries.len() >= MAX_MESSAGES {
                return Err(ServiceError::QueueFull { identity: identity.clone(), limit: MAX_MESSAGES });
            }
            let enqueue = Enqueue::new(message.clone(), mailbox.targets.clone(), now);
            let receipt = self.store.append(vec![enqueue], self.durability);
            if let Some(error) = receipt.refusal() {
                return Err(unavailable(error.clone()));
            }
            // Nobody else appends to this queue, and the lock on the entries is held.
            let next = self.store.queue(&mailbox.queue).map_or(0, |state| state.next);
            entries.push(entry(next.saturating_sub(1), now, &message));
            receipt
        };
        self.call(identity);
        receipt.await.map_err(unavailable)?;
        Ok(())
    }

    /// Fetches and locks the next message for a device.
    pub(crate) async fn fetch(
        &self,
        identity: &Identity,
        lock: Option<Duration>,
    ) -> Result<Option<Message>, ServiceError> {
        let mailbox = self.open(identity).await.map_err(unavailable)?;
        let (now, token) = ((self.clock.wall(), self.clock.now()), new_token());
        let until = now.1 + lock.unwrap_or(LOCK).clamp(MIN_LOCK, MAX_LOCK);
        loop {
            let Some((offset, count)) = mailbox.entries().lock_next(token, now, until) else {
                return Ok(None);
            };
            if let Some((message, enqueued)) = self.read(&mailbox, offset).await.map_err(unavailable)? {
                let message = message
                    .to_builder()
                    .system(SystemKey::SequenceNumber, &(offset + 1).to_string())
                    .system(SystemKey::EnqueuedTime, &enqueued.to_string())
                    .system(SystemKey::DeliveryCount, &count.to_string())
                    .system(SystemKey::LockToken, &token_text(&token))
                    .build();
                return Ok(Some(message));
            }
            // The store has lost the message, and counted it.
            mailbox.entries().take(offset);
        }
    }

    async fn read(
        &self,
        mailbox: &Mailbox,
        offset: Offset,
    ) -> Result<Option<(Message, Timestamp)>, StoreError> {
        let batch = self.store.read(&mailbox.queue, offset, ReadLimit::new(one(), usize::MAX)).await?;
        let found = batch.entries.into_iter().find(|stored| stored.offset == offset);
        Ok(found.map(|stored| (stored.message, stored.enqueued)))
    }

    /// Settles a fetched message.
    pub(crate) async fn settle(
        &self,
        identity: &Identity,
        lock: &str,
        outcome: LockOutcome,
    ) -> Result<(), ServiceError> {
        let token = parse_token(lock).ok_or(ServiceError::LockLost)?;
        let (mailbox, now) = (self.open(identity).await.map_err(unavailable)?, self.clock.now());
        let lost = || ServiceError::LockLost;
        match outcome {
            LockOutcome::Complete => {
                let offset = mailbox.entries().locked(&token, now).ok_or_else(lost)?;
                self.end(&mailbox, offset, Fate::Success).map_err(unavailable)?;
            }
            LockOutcome::Reject => {
                let offset = mailbox.entries().locked(&token, now).ok_or_else(lost)?;
                self.end(&mailbox, offset, Fate::Rejected).map_err(unavailable)?;
            }
            _ => {
                let given_back = mailbox.entries().abandon(&token, now, MAX_ABANDONS);
                match given_back {
                    GivenBack::Waits => self.call(identity),
                    GivenBack::TooOften(offset) => {
                        self.end(&mailbox, offset, Fate::DeliveryCountExceeded).map_err(unavailable)?
                    }
                    GivenBack::Lost => return Err(ServiceError::LockLost),
                }
            }
        }
        Ok(())
    }

    /// Takes a message out of the store and the mailbox, and gives the feedback that its sender wants.
    fn end(&self, mailbox: &Mailbox, offset: Offset, fate: Fate) -> Result<(), StoreError> {
        let Some(entry) = mailbox.entries().take(offset) else { return Ok(()) };
        self.gone(mailbox, &entry, fate)
    }

    fn gone(&self, mailbox: &Mailbox, entry: &Entry, fate: Fate) -> Result<(), StoreError> {
        let cause = match fate {
            Fate::Success => None,
            Fate::Expired => Some(DropCause::Expired),
            Fate::Purged => Some(DropCause::Removed),
            Fate::Rejected | Fate::DeliveryCountExceeded => Some(DropCause::Refused),
        };
        let dropped: Vec<_> = cause.map(|cause| (entry.offset, cause)).into_iter().collect();
        self.store.settle(&mailbox.queue, entry.offset..entry.offset + 1, &dropped)?;
        let generation =
            self.registry.as_ref().and_then(|registry| registry.identity(&mailbox.identity).ok());
        let generation = generation.map(|record| record.generation).unwrap_or_default();
        let (identity, now) = (&mailbox.identity, self.clock.wall());
        self.feedback.record(identity, entry, fate, &generation, now);
        Ok(())
    }

    /// Drops all messages for a device, and returns how many there were.
    pub(crate) async fn purge(&self, identity: &Identity) -> Result<u64, ServiceError> {
        let mailbox = self.open(identity).await.map_err(unavailable)?;
        let all = mailbox.entries().take_all();
        for entry in &all {
            self.gone(&mailbox, entry, Fate::Purged).map_err(unavailable)?;
        }
        Ok(all.len() as u64)
    }

    /// Drops all messages for a device that is no more, and forgets it.
    pub(crate) async fn forget(&self, identity: &Identity) -> Result<(), ServiceError> {
        self.purge(identity).await?;
        self.boxes().remove(identity);
        Ok(())
    }

    /// Returns how many messages wait for a device, as far as is known without a look into the store.
    pub(crate) fn waiting(&self, identity: &Identity) -> u64 {
        let queue = queue_of(identity);
        self.store.queue(&queue).map_or(0, |state| state.len())
    }

    /// Fetches feedback.
    pub(crate) async fn feedback(&self) -> Result<Option<Message>, ServiceError> {
        self.feedback.receive(new_token(), self.clock.now()).await.map_err(unavailable)
    }

    /// Settles feedback.
    pub(crate) fn settle_feedback(&self, lock: &str, complete: bool) -> Result<(), ServiceError> {
        let token = parse_token(lock).ok_or(ServiceError::LockLost)?;
        let settled = self.feedback.settle(&token, complete, self.clock.now()).map_err(unavailable)?;
        if settled { Ok(()) } else { Err(ServiceError::LockLost) }
    }

    /// Drops what has run out; called now and then.
    pub(crate) fn tick(&self) {
        let (now, instant) = (self.clock.wall(), self.clock.now());
        let boxes: Vec<_> = self.boxes().values().cloned().collect();
        for mailbox in boxes {
            let out = mailbox.entries().take_expired(now, instant);
            for entry in &out {
                if let Err(error) = self.gone(&mailbox, entry, Fate::Expired) {
                    tracing::debug!(%error, "an expired message for a device cannot be given up");
                }
            }
        }
    }

    /// Has the task that delivers look at a device.
    pub(crate) fn call(&self, identity: &Identity) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(identity.clone());
        self.called.notify_one();
    }
}

/// Returns what the service side hears when the store fails.
fn unavailable(error: StoreError) -> ServiceError {
    ServiceError::Unavailable { source: error.into() }
}

fn queue_of(identity: &Identity) -> QueueId {
    #[expect(
        clippy::expect_used,
        reason = "an identity is never empty or long, and has no control characters"
    )]
    let endpoint =
        format!("{PREFIX}{identity}").parse().expect("an identity can be in the name of an endpoint");
    QueueId::new(endpoint, Priority::DEFAULT)
}

fn new_box(identity: &Identity) -> Mailbox {
    let queue = queue_of(identity);
    #[expect(clippy::expect_used, reason = "the name is a constant that parses")]
    let route: RouteName = ROUTE.parse().expect("a plain name parses");
    // Expiry is the mailbox's own, because the sender may want to hear of it.
    let targets = [Target::new(queue.clone(), route, None)].into();
    Mailbox { identity: identity.clone(), queue, targets, entries: Mutex::default(), loaded: OnceCell::new() }
}

fn entry(offset: Offset, enqueued: Timestamp, message: &Message) -> Entry {
    let system = message.system();
    let expires = system.value(SystemKey::ExpiryTime).and_then(|text| text.parse().ok());
    let wanted = system.value(SystemKey::Ack).map_or(Wanted::NONE, Wanted::parse);
    let id = system.value(SystemKey::MessageId).unwrap_or_default();
    Entry::new(offset, expires.unwrap_or(enqueued + TIME_TO_LIVE), wanted, id)
}

/// Returns the message with its address.
fn addressed(identity: &Identity, message: &Message, now: Timestamp) -> Message {
    let to = match identity.module() {
        None => format!("/devices/{}/messages/devicebound", identity.device()),
        Some(module) => format!("/devices/{}/modules/{module}/messages/devicebound", identity.device()),
    };
    let builder = message.to_builder().system(SystemKey::To, &to);
    builder.system(SystemKey::EnqueuedTime, &now.to_string()).build()
}

fn new_token() -> Token {
    uuid::Uuid::new_v4().into_bytes()
}

fn token_text(token: &Token) -> String {
    uuid::Uuid::from_bytes(*token).to_string()
}

fn parse_token(text: &str) -> Option<Token> {
    uuid::Uuid::parse_str(text).ok().map(uuid::Uuid::into_bytes)
}

const fn one() -> std::num::NonZeroUsize {
    std::num::NonZeroUsize::MIN
}
