//! A budget in use: what is left of it, and what was used of the day, kept in the store.

use std::sync::Arc;

use edge_core::{
    Clock, Disposition, Durability, EndpointError, EndpointId, Enqueue, Message, MessageStore, Offset,
    Priority, QueueId, ReadLimit, Report, RouteName, Source, StoreError, Target,
};

use super::meter::{DayUse, Meter};
use crate::names;
use crate::{Budget, timer};

const DAY: &str = "day";
const BYTES: &str = "bytes";

/// The meter of an endpoint, and the queue in which its use of the day is kept: one entry, which the next one replaces.
#[derive(Debug)]
pub(crate) struct Purse {
    pub(crate) meter: Meter,
    store: Arc<dyn MessageStore>,
    clock: Arc<dyn Clock>,
    /// Where the use of the day is kept; `None` when nothing is.
    place: Option<(QueueId, RouteName)>,
}

impl Purse {
    /// Returns the purse of an endpoint, with what was used of the day before.
    pub(crate) async fn open(
        budget: Budget,
        endpoint: &EndpointId,
        store: Arc<dyn MessageStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let place = match budget.bytes_per_day {
            Some(_) => names::budget(endpoint)
                .map(|place| (QueueId::new(place, Priority::DEFAULT), names::own_route())),
            None => None,
        };
        let mut kept = DayUse::default();
        if let Some((queue, _)) = &place {
            match last(&*store, queue).await {
                Ok(found) => kept = found.unwrap_or_default(),
                Err(error) => {
                    tracing::error!(%queue, error = %Report(&error), "what was used of the day cannot be read, and is forgotten");
                }
            }
        }
        Self { meter: Meter::new(budget, kept, timer::now()), store, clock, place }
    }

    /// Counts bytes that are about to be sent; what covers them is kept before.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails for good. One that is full does not stop what would empty it.
    pub(crate) async fn charge(&mut self, bytes: u64) -> Result<(), StoreError> {
        if let Some(keep) = self.meter.to_keep(bytes) {
            self.keep(keep).await?;
        }
        self.meter.charge(bytes);
        Ok(())
    }

    /// Takes bytes back that an endpoint has not sent, as far as its error says so.
    pub(crate) fn refund(&mut self, bytes: u64, error: &EndpointError) {
        if !matches!(error, EndpointError::Interrupted { .. } | EndpointError::TimedOut { .. }) {
            self.meter.refund(bytes);
        }
    }

    /// Keeps what was used, to the byte.
    pub(crate) async fn close(mut self) -> Result<(), StoreError> {
        match self.meter.exact() {
            Some(exact) => self.keep(exact).await,
            None => Ok(()),
        }
    }

    async fn keep(&mut self, keep: DayUse) -> Result<(), StoreError> {
        let Some((queue, route)) = &self.place else { return Ok(()) };
        let message = Message::builder(&Source::telemetry())
            .property(DAY, &keep.day.to_string())
            .property(BYTES, &keep.bytes.to_string())
            .build();
        let target = Target::new(queue.clone(), route.clone(), None);
        let entry = Enqueue::new(message, [target].into(), self.clock.wall());
        match self.store.append(vec![entry], Durability::Synced).await {
            Ok(_) => {
                self.meter.kept(keep);
                let earlier: Offset = self.store.queue(queue).map_or(0, |state| state.next.saturating_sub(1));
                self.store.settle(queue, 0..earlier, &[])
            }
            Err(error) if error.disposition() == Disposition::Fatal => Err(error),
            Err(error) => {
                tracing::warn!(%queue, error = %Report(&error), "what is used of the day cannot be kept; a crash would forget it");
                Ok(())
            }
        }
    }
}

/// Returns what was kept last.
async fn last(store: &dyn MessageStore, queue: &QueueId) -> Result<Option<DayUse>, StoreError> {
    let Some(state) = store.queue(queue) else { return Ok(None) };
    let limit = ReadLimit::new(std::num::NonZeroUsize::MAX, usize::MAX);
    let batch = store.read(queue, state.head, limit).await?;
    let number = |message: &Message, name| message.properties().value(name).flatten()?.parse().ok();
    Ok(batch.entries.last().and_then(|stored| {
        Some(DayUse { day: number(&stored.message, DAY)?, bytes: number(&stored.message, BYTES)? })
    }))
}
