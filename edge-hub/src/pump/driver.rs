//! Runs one pump: read, drop what has expired, send, settle, trim.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{
    Backoff, Clock, Disposition, Durability, EndpointId, Enqueue, MessageStore, Offset, QueueId, ReadBatch,
    ReadLimit, Report, RouteName, StoreError, Stored, Target,
};

use edge_transport::Stop;

use super::progress::{Progress, Verdict};
use super::schedule::{Schedule, priority};
use super::{Feeder, schedule};
use crate::ledger::{Books, DropCause};
use crate::metrics::Metrics;
use crate::{Limits, timer};

const DEAD_LETTERS: &str = "$dead-letter/";

/// The application property of a dead letter that says why it is one.
const DEAD_LETTER_REASON: &str = "edge-dead-letter-reason";

/// Returns whether an endpoint id names the dead letters of another endpoint.
pub(crate) fn is_dead_letter(endpoint: &EndpointId) -> bool {
    endpoint.as_str().starts_with(DEAD_LETTERS)
}

/// What a pump works with.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) feeder: Feeder,
    pub(crate) store: Arc<dyn MessageStore>,
    pub(crate) books: Arc<Books>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) backoff: Backoff,
    pub(crate) stop: Stop,
}

/// How a round ended.
enum Round {
    /// Something was settled, or there was nothing to do: go on.
    Progress,
    /// Nothing moved; wait, at least this long when the far side asked for it.
    Stuck(Option<Duration>),
}

/// Why a pump stops for good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PumpError {
    #[error("the store fails")]
    Store(#[from] StoreError),
}

impl Pump {
    /// Runs until it is told to stop, which it does between two batches, or the store fails for good. What was not
    /// settled is sent again by the next pump of the endpoint.
    pub(crate) async fn run(self) -> Result<(), PumpError> {
        let mut schedule = Schedule::default();
        let mut places: [Option<Progress>; schedule::RANKS] = Default::default();
        self.restore(&mut schedule);
        let mut failures = 0;
        while !self.stop.is_stopping() {
            schedule.mark(self.feeder.signal.take());
            let Some(rank) = schedule.next() else {
                self.unless_stopped(self.feeder.signal.raised()).await;
                continue;
            };
            let Some(place) = places.get_mut(rank) else { continue };
            let queue = QueueId::new(self.feeder.endpoint.id().clone(), priority(rank));
            let place =
                place.get_or_insert_with(|| Progress::at(self.store.queue(&queue).map_or(0, |q| q.head)));
            match self.round(&queue, place).await? {
                None => schedule.empty(rank),
                Some(Round::Progress) => failures = 0,
                Some(Round::Stuck(wanted)) => {
                    let wait = self.backoff.delay(failures, random()).max(wanted.unwrap_or_default());
                    failures = failures.saturating_add(1);
                    self.metrics.retry(self.feeder.endpoint.id());
                    self.unless_stopped(timer::within(wait, self.feeder.endpoint.ready())).await;
                }
            }
        }
        Ok(())
    }

    /// Waits for `future`, or until the pump is told to stop.
    async fn unless_stopped<F: Future>(&self, future: F) {
        tokio::select! {
            _ = future => {}
            () = self.stop.wait() => {}
        }
    }

    /// Marks the queues that hold something from before.
    fn restore(&self, schedule: &mut Schedule) {
        for rank in 0..schedule::RANKS {
            let queue = QueueId::new(self.feeder.endpoint.id().clone(), priority(rank));
            if self.store.queue(&queue).is_some_and(|state| state.head < state.next) {
                schedule.mark(1 << rank);
            }
        }
    }

    /// Reads and sends one batch; `None` when the queue has nothing.
    async fn round(&self, queue: &QueueId, place: &mut Progress) -> Result<Option<Round>, PumpError> {
        let wanted = self.feeder.endpoint.batch_limit();
        let entries = wanted.messages.min(self.limits.max_pump_batch_messages);
        let limit = ReadLimit::new(entries, wanted.bytes.min(self.limits.max_pump_batch_bytes));
        let from = place.cursor();
        let ReadBatch { mut entries, next, damaged, .. } = match self.store.read(queue, from, limit).await {
            Ok(batch) => batch,
            Err(error) => return self.read_failed(queue, error),
        };
        if entries.is_empty() && next == from {
            return Ok(None);
        }
        if damaged > 0 {
            tracing::error!(%queue, damaged, "messages were lost to damage of the store");
            self.books.damaged(damaged);
            self.metrics.dropped(DropCause::Damaged, usize::try_from(damaged).unwrap_or(usize::MAX));
        }
        place.retain_open(&mut entries);
        self.drop_expired(&mut entries, place);
        if entries.is_empty() {
            self.store.trim(queue, place.advance(None, next))?;
            return Ok(Some(Round::Progress));
        }
        let offsets: Vec<Offset> = entries.iter().map(|stored| stored.offset).collect();
        let started = self.clock.now();
        let sent = timer::within(self.limits.send_timeout, self.feeder.endpoint.send(&entries)).await;
        let outcomes = match sent {
            Some(Ok(outcomes)) => outcomes,
            Some(Err(error)) => {
                let round = match error.disposition() {
                    Disposition::RetryAfter(wait) => Round::Stuck(Some(wait)),
                    Disposition::Fatal => Round::Stuck(Some(self.backoff.max)),
                    _ => Round::Stuck(None),
                };
                self.metrics.send_failed(self.feeder.endpoint.id(), &error);
                return Ok(Some(round));
            }
            None => {
                tracing::warn!(endpoint = %self.feeder.endpoint.id(), "a send took too long and was given up");
                return Ok(Some(Round::Stuck(None)));
            }
        };
        let verdict = place.judge(entries, outcomes, self.limits.max_refusals);
        let moved = verdict.delivered.len() + verdict.dead.len() > 0;
        let took = self.clock.now().saturating_duration_since(started);
        self.metrics.sent(queue, &verdict.delivered, took, self.clock.wall());
        self.settle(queue, place, verdict).await?;
        let open = offsets.into_iter().find(|offset| !place.is_settled(*offset));
        self.store.trim(queue, place.advance(open, next))?;
        Ok(Some(if moved { Round::Progress } else { Round::Stuck(None) }))
    }

    fn read_failed(&self, queue: &QueueId, error: StoreError) -> Result<Option<Round>, PumpError> {
        if error.disposition() == Disposition::Fatal {
            return Err(error.into());
        }
        tracing::error!(%queue, error = %Report(&error), "reading the store failed");
        Ok(Some(Round::Stuck(None)))
    }

    /// Drops what has expired, and counts it.
    fn drop_expired(&self, entries: &mut Vec<Stored>, place: &mut Progress) {
        let now = self.clock.wall();
        let mut expired = Vec::new();
        entries.retain(|stored| {
            let gone = stored.is_expired(now);
            if gone {
                place.settle(stored.offset);
                expired.push(stored.route.clone());
            }
            !gone
        });
        if !expired.is_empty() {
            self.metrics.dropped(DropCause::Expired, expired.len());
        }
        for (route, n) in tally(expired) {
            self.books.route(&route).dropped(DropCause::Expired, n);
        }
    }

    /// Counts what was delivered, and sets dead letters aside.
    async fn settle(&self, queue: &QueueId, place: &mut Progress, verdict: Verdict) -> Result<(), PumpError> {
        for stored in &verdict.delivered {
            place.settle(stored.offset);
        }
        for (route, n) in tally(verdict.delivered.into_iter().map(|stored| stored.route)) {
            self.books.route(&route).delivered(n);
        }
        for (stored, reason) in verdict.dead {
            if self.bury(queue, &stored, &reason).await? {
                place.settle(stored.offset);
                self.books.route(&stored.route).dropped(DropCause::Refused, 1);
                self.metrics.dropped(DropCause::Refused, 1);
            }
        }
        Ok(())
    }

    /// Puts a message into the endpoint's dead-letter queue; `false` when that has to wait.
    async fn bury(&self, queue: &QueueId, stored: &Stored, reason: &str) -> Result<bool, PumpError> {
        tracing::warn!(%queue, offset = stored.offset, route = %stored.route, reason, "a message goes to the dead letters");
        let Ok(endpoint) = format!("{DEAD_LETTERS}{}", queue.endpoint()).parse() else { return Ok(true) };
        let grave = QueueId::new(endpoint, queue.priority());
        let target = Target::new(grave, stored.route.clone(), Some(self.limits.dead_letter_time_to_live));
        let message = stored.message.to_builder().property(DEAD_LETTER_REASON, reason).build();
        let enqueue = Enqueue::new(message, [target].into(), self.clock.wall());
        match self.store.append(vec![enqueue], Durability::Synced).await {
            Ok(_) => Ok(true),
            Err(error) if error.disposition() == Disposition::Fatal => Err(error.into()),
            Err(error) => {
                tracing::error!(%queue, error = %Report(&error), "a dead letter cannot be kept, and stays where it is");
                Ok(false)
            }
        }
    }
}

/// Counts equal route names.
fn tally(routes: impl IntoIterator<Item = RouteName>) -> HashMap<RouteName, u64> {
    let mut counts = HashMap::new();
    for route in routes {
        *counts.entry(route).or_default() += 1;
    }
    counts
}

/// Returns a number from 0 to 1 for jitter.
fn random() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(0u8) >> 11;
    bits as f64 / (1u64 << 53) as f64
}
