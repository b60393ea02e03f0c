//! Messages that their endpoint refused for good: to be looked at, and to be given back.

use std::num::NonZeroUsize;

use edge_core::{
    Durability, EndpointId, Enqueue, Message, MessageBuilder, Offset, Priority, QueueId, ReadLimit,
    RouteName, StoreError, Stored, Target, Timestamp,
};

use crate::hub::HubHandle;
use crate::names;
use crate::pump::{DEAD_LETTER_REASON, RANKS, priority};
use crate::shared::Shared;

/// How much is given back at a time.
const LIMIT: ReadLimit = ReadLimit::new(NonZeroUsize::MIN.saturating_add(255), 1 << 20);

/// A place among the dead letters of an endpoint; the default is the first.
///
/// They are ordered by priority, most urgent first, then as they died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct DeadLetterPlace {
    /// The priority that the message had.
    pub priority: Priority,
    /// The place in the queue of that priority.
    pub offset: Offset,
}

impl Default for DeadLetterPlace {
    fn default() -> Self {
        Self { priority: priority(0), offset: 0 }
    }
}

/// A message that its endpoint refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Where it is.
    pub place: DeadLetterPlace,
    /// What the endpoint said.
    pub reason: String,
    /// The route that had sent it there.
    pub route: RouteName,
    /// When it died.
    pub died: Timestamp,
    /// The message as it was.
    pub message: Message,
}

/// Some of the dead letters of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetters {
    /// They, in order.
    pub letters: Vec<DeadLetter>,
    /// Where to go on; `None` when there are no more.
    pub next: Option<DeadLetterPlace>,
}

/// Why dead letters cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeadLetterError {
    /// The store failed, or has no room for them in the queue that they go back to.
    #[error("the store does not do it")]
    Store(
        /// Why.
        #[from]
        StoreError,
    ),
}

impl HubHandle {
    /// Returns dead letters of an endpoint at and after a place, at most `limit`; it changes nothing.
    ///
    /// # Errors
    /// [`DeadLetterError`] when the store fails.
    ///
    /// # Cancel safety
    /// Cancel-safe: reading changes nothing.
    ///
    /// # Examples
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use edge_core::EndpointId;
    /// use edge_hub::{DeadLetterPlace, Hub};
    ///
    /// let hub = Hub::builder("edge1".parse()?).build()?.handle();
    /// let limit = std::num::NonZeroUsize::MIN;
    /// let found = hub.dead_letters(&EndpointId::upstream(), DeadLetterPlace::default(), limit).await?;
    /// assert!(found.letters.is_empty() && found.next.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn dead_letters(
        &self,
        endpoint: &EndpointId,
        from: DeadLetterPlace,
        limit: NonZeroUsize,
    ) -> Result<DeadLetters, DeadLetterError> {
        let store = &self.shared.store;
        let mut found = DeadLetters::default();
        for (grave, _) in graves(endpoint).filter(|(grave, _)| grave.priority() >= from.priority) {
            let Some(state) = store.queue(&grave) else { continue };
            let mut at =
                if grave.priority() == from.priority { from.offset.max(state.head) } else { state.head };
            while at < state.next {
                let Some(most) = NonZeroUsize::new(limit.get() - found.letters.len()) else {
                    found.next = Some(DeadLetterPlace { priority: grave.priority(), offset: at });
                    return Ok(found);
                };
                let batch = store.read(&grave, at, ReadLimit::new(most, LIMIT.bytes)).await?;
                if batch.next <= at {
                    break;
                }
                at = batch.next;
                found.letters.extend(batch.entries.into_iter().map(|stored| letter(&grave, stored)));
            }
        }
        Ok(found)
    }

    /// Gives the dead letters of an endpoint back to its queues, as they were, and returns how many.
    ///
    /// The property with the reason is taken off; they have the time to live that their route has now, from now on. A
    /// batch leaves the dead letters only when it is durable where it goes: after a crash in between some are in both,
    /// none in neither. In the ledger they are accepted once more.
    ///
    /// # Errors
    /// [`DeadLetterError`] when the store fails or is full; those that were not given back stay dead letters.
    ///
    /// # Cancel safety
    /// Dropped half way, some may have been given back, and a batch of at most 256 may be in both places.
    pub async fn replay_dead_letters(&self, endpoint: &EndpointId) -> Result<u64, DeadLetterError> {
        let shared = &self.shared;
        let _alone = shared.replaying.lock().await;
        let mut replayed = 0;
        for (grave, home) in graves(endpoint) {
            let Some(state) = shared.store.queue(&grave) else { continue };
            let mut at = state.head;
            while at < state.next {
                let batch = shared.store.read(&grave, at, LIMIT).await?;
                if batch.next <= at {
                    break;
                }
                if !batch.entries.is_empty() {
                    let entries: Vec<_> =
                        batch.entries.iter().map(|stored| shared.revived(stored, &home)).collect();
                    replayed += entries.len() as u64;
                    shared.store.append(entries, Durability::Synced).await?;
                    shared.store.settle(&grave, at..batch.next, &[])?;
                    shared.feeder(endpoint).signal.raise(home.priority());
                }
                at = batch.next;
            }
        }
        Ok(replayed)
    }
}

impl Shared {
    /// Returns a dead letter as it goes back to its queue.
    fn revived(&self, stored: &Stored, home: &QueueId) -> Enqueue {
        let table = self.dispatcher.table.load();
        let target = match table.target_of(&stored.route).filter(|target| target.queue == *home) {
            Some(target) => target.clone(),
            None => Target::new(home.clone(), stored.route.clone(), self.time_to_live),
        };
        // Whoever asks for them hears that there is no room: nothing else is dropped for them, and they are not.
        let target = target.with_overflow(edge_core::Overflow::Refuse);
        Enqueue::new(without_reason(&stored.message), [target].into(), self.clock.wall())
    }
}

/// Returns the queues of an endpoint's dead letters, each with the queue they came from.
fn graves(endpoint: &EndpointId) -> impl Iterator<Item = (QueueId, QueueId)> {
    let grave = names::dead_letters(endpoint);
    let queues = move |rank| {
        let (grave, home) = (grave.clone()?, endpoint.clone());
        Some((QueueId::new(grave, priority(rank)), QueueId::new(home, priority(rank))))
    };
    (0..RANKS).filter_map(queues)
}

fn letter(grave: &QueueId, stored: Stored) -> DeadLetter {
    let reason = stored.message.properties().value(DEAD_LETTER_REASON).flatten().unwrap_or_default();
    DeadLetter {
        place: DeadLetterPlace { priority: grave.priority(), offset: stored.offset },
        reason: reason.to_owned(),
        route: stored.route,
        died: stored.enqueued,
        message: without_reason(&stored.message),
    }
}

fn without_reason(message: &Message) -> Message {
    let mut builder = MessageBuilder::new(message.source());
    for (key, value) in message.system().iter() {
        builder.set_system(key, value);
    }
    for (name, value) in message.properties().iter().filter(|(name, _)| *name != DEAD_LETTER_REASON) {
        builder.set_property(name, value);
    }
    builder.set_body(message.body());
    builder.build()
}
