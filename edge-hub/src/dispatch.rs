//! From a client's batch to one append: route, count, append, wake the pumps.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arc_swap::ArcSwap;
use edge_core::{Clock, Durability, Enqueue, Message, MessageStore, Receipt, StoreError};

use crate::Limits;
use crate::ledger::{Books, DropCause};
use crate::metrics::Metrics;
use crate::routes::{Destination, RouteTable, Scratch};

/// Takes batches of messages from sessions.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    pub(crate) table: ArcSwap<RouteTable>,
    pub(crate) store: Arc<dyn MessageStore>,
    pub(crate) books: Arc<Books>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
}

impl Dispatcher {
    /// Routes a batch and appends it at once; the receipt resolves when it is as durable as `level`.
    ///
    /// One table of routes decides for the whole batch, so a change of routes falls between two batches.
    pub(crate) fn publish(&self, batch: Vec<Message>, level: Durability, scratch: &mut Scratch) -> Receipt {
        let table = self.table.load();
        let now = self.clock.wall();
        let taken = batch.len();
        let mut unrouted = 0;
        let mut runs: Vec<(Arc<Destination>, u64)> = Vec::new();
        let mut enqueue = Vec::with_capacity(taken);
        for message in batch {
            if payload_bytes(&message) > self.limits.max_message_bytes {
                let (bytes, limit_bytes) = (payload_bytes(&message), self.limits.max_message_bytes);
                let (bytes, limit_bytes) = (bytes as u64, limit_bytes as u64);
                return Receipt::ready(Err(StoreError::TooLarge { bytes, limit_bytes }));
            }
            let Some(destination) = table.route(&message, scratch) else {
                unrouted += 1;
                continue;
            };
            enqueue.push(Enqueue::new(message, destination.targets.clone(), now));
            match runs.last_mut() {
                Some((last, n)) if Arc::ptr_eq(last, &destination) => *n += 1,
                _ => runs.push((destination, 1)),
            }
        }
        let receipt =
            if enqueue.is_empty() { Receipt::ready(Ok(level)) } else { self.store.append(enqueue, level) };
        if receipt.refusal().is_some() {
            self.books.refused_batch();
            self.metrics.not_taken(taken);
            return receipt;
        }
        if unrouted > 0 {
            self.books.no_route(unrouted);
            self.metrics.dropped(DropCause::NoRoute, usize::try_from(unrouted).unwrap_or(usize::MAX));
        }
        for (destination, n) in runs {
            for (target, feed) in destination.targets.iter().zip(&destination.feeds) {
                feed.counts.accepted.fetch_add(n, Relaxed);
                feed.signal.raise(target.queue.priority());
            }
        }
        receipt
    }
}

/// Returns what counts against the limit of a message: body, and names and values of the application's properties.
/// What the gateway itself puts on a message does not.
fn payload_bytes(message: &Message) -> usize {
    let property = |(name, value): (&str, Option<&str>)| name.len() + value.map_or(0, str::len);
    message.body().len() + message.properties().iter().map(property).sum::<usize>()
}
