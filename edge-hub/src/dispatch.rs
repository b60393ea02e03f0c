//! From a client's batch to one append: route, count, append, wake the pumps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;
use edge_core::{
    Answered, Clock, DropCause, Durability, Enqueue, Message, MessageStore, QueueId, Receipt, RouteName,
    StoreError,
};

use crate::Limits;
use crate::metrics::Metrics;
use crate::routes::{Destination, RouteTable, Scratch};

/// Takes batches of messages from sessions.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    pub(crate) table: ArcSwap<RouteTable>,
    pub(crate) store: Arc<dyn MessageStore>,
    /// Batches that the store did not take.
    pub(crate) refused_batches: AtomicU64,
    /// Where messages are counted that no route wants.
    pub(crate) nowhere: (QueueId, RouteName),
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
}

impl Dispatcher {
    /// Routes a batch and appends it at once; the receipt resolves when it is as durable as `level`.
    ///
    /// One table of routes decides for the whole batch, so a change of routes falls between two batches.
    pub(crate) fn publish(&self, batch: Vec<Message>, level: Durability, scratch: &mut Scratch) -> Receipt {
        self.publish_answers(batch, &[], level, scratch)
    }

    /// As [`Dispatcher::publish`]; what the batch answers leaves its queue with the append.
    pub(crate) fn publish_answers(
        &self,
        batch: Vec<Message>,
        answered: &[Answered],
        level: Durability,
        scratch: &mut Scratch,
    ) -> Receipt {
        let table = self.table.load();
        let now = self.clock.wall();
        let taken = batch.len();
        let mut unrouted: Vec<Message> = Vec::new();
        let mut fed: Vec<Arc<Destination>> = Vec::new();
        let mut enqueue = Vec::with_capacity(taken);
        for message in batch {
            if payload_bytes(&message) > self.limits.max_message_bytes {
                let (bytes, limit_bytes) = (payload_bytes(&message), self.limits.max_message_bytes);
                let (bytes, limit_bytes) = (bytes as u64, limit_bytes as u64);
                return Receipt::ready(Err(StoreError::TooLarge { bytes, limit_bytes }));
            }
            let Some(destination) = table.route(&message, scratch) else {
                unrouted.push(message);
                continue;
            };
            enqueue.push(Enqueue::new(message, destination.targets.clone(), now));
            if fed.last().is_none_or(|last| !Arc::ptr_eq(last, &destination)) {
                fed.push(destination);
            }
        }
        let sample = enqueue.first().map(|entry| entry.message.clone());
        // What is answered by messages that no route wants is settled by whoever sent it.
        let receipt = match (enqueue.is_empty(), answered.is_empty()) {
            (true, _) => Receipt::ready(Ok(level)),
            (false, true) => self.store.append(enqueue, level),
            (false, false) => self.store.append_answers(enqueue, answered, level),
        };
        if receipt.refusal().is_some() {
            self.refused_batches.fetch_add(1, Relaxed);
            self.metrics.not_taken(taken);
            return receipt;
        }
        if !unrouted.is_empty() {
            self.count_unrouted(&unrouted);
        }
        for gone in receipt.dropped() {
            self.metrics.overflowed(gone, sample.as_ref());
        }
        for destination in fed {
            for (target, signal) in destination.targets.iter().zip(&destination.signals) {
                signal.raise(target.queue.priority());
            }
        }
        receipt
    }

    /// Counts messages that no route wants.
    fn count_unrouted(&self, messages: &[Message]) {
        let (queue, route) = &self.nowhere;
        if let Err(error) = self.store.count_dropped(queue, route, DropCause::NoRoute, messages.len() as u64)
        {
            tracing::debug!(%error, "messages that no route wants cannot be counted: the store has ended");
        }
        for message in messages {
            self.metrics.dropped(DropCause::NoRoute, message, 1);
        }
    }
}

/// Returns what counts against the limit of a message: body, and names and values of the application's properties.
/// What the gateway itself puts on a message does not.
fn payload_bytes(message: &Message) -> usize {
    let property = |(name, value): (&str, Option<&str>)| name.len() + value.map_or(0, str::len);
    message.body().len() + message.properties().iter().map(property).sum::<usize>()
}
