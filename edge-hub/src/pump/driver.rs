//! Runs one pump: read, drop what has expired, send, settle.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use edge_core::{
    Backoff, Clock, Disposition, DropCause, EndpointError, MessageStore, Offset, Outcome, QueueId, ReadLimit,
    Report, StoreError, Stored,
};
use edge_transport::Stop;
use tokio::sync::watch;

use super::Feeder;
use super::lane::{Lane, Plan};
use super::meter::Room;
use super::purse::Purse;
use super::runs::{Fate, runs};
use super::schedule::{Hold, RANKS, Schedule, priority};
use crate::metrics::Metrics;
use crate::{DeliveryPolicy, Limits, timer};

/// What a pump works with.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) feeder: Feeder,
    pub(crate) store: Arc<dyn MessageStore>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    /// The policy in force, which is read when the pump runs.
    pub(crate) policy: DeliveryPolicy,
    pub(crate) changes: watch::Receiver<DeliveryPolicy>,
    pub(crate) backoff: Backoff,
    pub(crate) stop: Stop,
}

/// How a round ended.
enum Round {
    /// There is nothing to do, but perhaps then.
    Empty(Option<Instant>),
    /// The budget allows nothing before then.
    Held(Instant),
    /// Something was settled, or passed: go on.
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

/// What was read for one send.
#[derive(Default)]
struct Batch {
    send: Vec<Stored>,
    fates: Vec<(Offset, Fate)>,
    bytes: u64,
    moved: bool,
}

impl Pump {
    /// Runs until it is told to stop, which it does between two batches, or the store fails for good. What was not
    /// settled is sent again by the next pump of the endpoint.
    pub(crate) async fn run(mut self) -> Result<(), PumpError> {
        while !self.stop.is_stopping() {
            self.policy = self.changes.borrow_and_update().clone();
            self.run_by_policy().await?;
        }
        Ok(())
    }

    /// Runs until it is told to stop, or to deliver in another way.
    async fn run_by_policy(&self) -> Result<(), PumpError> {
        let id = self.feeder.endpoint.id().clone();
        let mut purse = Purse::open(self.policy.budget, &id, self.store.clone(), self.clock.clone()).await;
        let mut schedule = Schedule::default();
        let mut lanes: [Option<Lane>; RANKS] = Default::default();
        self.restore(&mut schedule);
        let mut failures = 0;
        while !self.stop.is_stopping() && !self.is_changed() {
            schedule.mark(self.feeder.signal.take());
            let now = timer::now();
            let Some(rank) = schedule.next(now) else {
                let news = self.feeder.signal.raised();
                match schedule.wakes() {
                    Some(at) => self.unless_stopped(timer::within(at - now, news)).await,
                    None => self.unless_stopped(news).await,
                }
                continue;
            };
            let Some(lane) = lanes.get_mut(rank) else { continue };
            let queue = QueueId::new(id.clone(), priority(rank));
            let lane = lane.get_or_insert_with(|| self.lane(&queue));
            match self.round(&queue, lane, &mut purse).await? {
                Round::Empty(None) => schedule.empty(rank),
                Round::Empty(Some(until)) => schedule.hold(rank, Hold { until, firm: false }),
                Round::Held(until) => schedule.hold(rank, Hold { until, firm: true }),
                Round::Progress => failures = 0,
                Round::Stuck(wanted) => {
                    let wait = self.backoff.delay(failures, random()).max(wanted.unwrap_or_default());
                    failures = failures.saturating_add(1);
                    self.metrics.retry(&id);
                    self.unless_stopped(timer::within(wait, self.feeder.endpoint.ready())).await;
                }
            }
        }
        Ok(purse.close().await?)
    }

    fn lane(&self, queue: &QueueId) -> Lane {
        Lane::new(&self.policy.order, self.bounds(queue).0, self.most().0, &self.limits, self.backoff)
    }

    /// Returns where a queue begins, and where its next entry will be.
    fn bounds(&self, queue: &QueueId) -> (Offset, Offset) {
        self.store.queue(queue).map_or((0, 0), |state| (state.head, state.next))
    }

    /// Returns whether there is another policy than the one in force.
    fn is_changed(&self) -> bool {
        self.changes.has_changed().unwrap_or(false)
    }

    /// Waits for `future`, or until the pump is told to stop or to deliver in another way.
    async fn unless_stopped<F: Future>(&self, future: F) {
        let mut changes = self.changes.clone();
        tokio::select! {
            _ = future => {}
            () = self.stop.wait() => {}
            // The sender is the feeder's, which this pump has.
            _ = changes.changed() => {}
        }
    }

    /// Marks the queues that hold something from before.
    fn restore(&self, schedule: &mut Schedule) {
        for rank in 0..RANKS {
            let (head, next) = self.bounds(&QueueId::new(self.feeder.endpoint.id().clone(), priority(rank)));
            if head < next {
                schedule.mark(1 << rank);
            }
        }
    }

    /// Reads and sends one batch.
    async fn round(&self, queue: &QueueId, lane: &mut Lane, purse: &mut Purse) -> Result<Round, PumpError> {
        let mut batch = match self.load(queue, lane, purse).await? {
            Ok(batch) => batch,
            Err(round) => return Ok(round),
        };
        self.drop_expired(&mut batch);
        if batch.send.is_empty() {
            self.settle(queue, &batch.fates)?;
            lane.judged(timer::now(), &batch.fates, random());
            let moved = batch.moved || !batch.fates.is_empty();
            return Ok(if moved { Round::Progress } else { Round::Empty(lane.next_turn()) });
        }
        purse.charge(batch.bytes).await?;
        let started = timer::now();
        let sent = timer::within(self.limits.send_timeout, self.feeder.endpoint.send(&batch.send)).await;
        let outcomes = match sent {
            Some(Ok(outcomes)) => outcomes,
            Some(Err(error)) => {
                purse.refund(batch.bytes, &error);
                self.all_again(queue, lane, batch)?;
                return Ok(self.failed(&error));
            }
            None => {
                tracing::warn!(endpoint = %queue.endpoint(), "a send took too long and was given up");
                self.all_again(queue, lane, batch)?;
                return Ok(Round::Stuck(None));
            }
        };
        let Batch { send, mut fates, .. } = batch;
        let before = fates.len();
        self.judge(queue, lane, &send, outcomes, &mut fates).await?;
        let sent = fates.get(before..).unwrap_or_default();
        let delivered = send.iter().zip(sent).filter(|(_, (_, fate))| *fate == Fate::Delivered);
        let took = timer::now().saturating_duration_since(started);
        self.metrics.sent(queue, delivered.map(|(stored, _)| stored), took, self.clock.wall());
        let moved = sent.iter().any(|(_, fate)| *fate != Fate::Again);
        let again = sent.iter().any(|(_, fate)| *fate == Fate::Again);
        fates.sort_unstable_by_key(|(offset, _)| *offset);
        self.settle(queue, &fates)?;
        lane.judged(timer::now(), &fates, random());
        if !moved && !lane.goes_on() {
            return Ok(Round::Stuck(None));
        }
        if again {
            self.metrics.retry(queue.endpoint());
        }
        Ok(Round::Progress)
    }

    /// Reads what the lane wants, as far as endpoint, window and budget allow.
    async fn load(
        &self,
        queue: &QueueId,
        lane: &mut Lane,
        purse: &mut Purse,
    ) -> Result<Result<Batch, Round>, PumpError> {
        let (now, wall) = (timer::now(), self.clock.wall());
        let room = match purse.meter.room(queue.priority(), now, wall) {
            Room::Bytes(bytes) => bytes,
            Room::At(at) => return Ok(Err(Round::Held(at))),
        };
        let parts = match lane.plan(now, || self.bounds(queue)) {
            Plan::Read(parts) => parts,
            Plan::Wait(at) => return Ok(Err(Round::Empty(at))),
        };
        let (mut entries, mut bytes) = self.most();
        bytes = bytes.min(room);
        let mut batch = Batch::default();
        for part in parts {
            let Some(most) = NonZeroUsize::new(part.most.min(entries)) else { break };
            let found = match self.store.read(queue, part.from, ReadLimit::new(most, bytes)).await {
                Ok(found) => found,
                Err(error) if error.disposition() == Disposition::Fatal => return Err(error.into()),
                Err(error) => {
                    tracing::error!(%queue, error = %Report(&error), "reading the store failed");
                    if batch.send.is_empty() {
                        return Ok(Err(Round::Stuck(None)));
                    }
                    break;
                }
            };
            let first = found.entries.first().map_or(0, |stored| stored.message.size());
            if first > bytes && !batch.send.is_empty() {
                break;
            }
            if first > bytes
                && let Some(at) = purse.meter.defers(queue.priority(), first as u64, now, wall)
            {
                return Ok(Err(Round::Held(at)));
            }
            if found.damaged > 0 {
                tracing::error!(%queue, damaged = found.damaged, "messages were lost to damage of the store");
                self.metrics.lost(DropCause::Damaged, None, found.damaged);
            }
            let mut loaded = lane.loaded(part, found);
            for stored in &mut loaded.send {
                stored.priority = queue.priority();
            }
            let size: usize = loaded.send.iter().map(|stored| stored.message.size()).sum();
            (entries, bytes) = (entries.saturating_sub(loaded.send.len()), bytes.saturating_sub(size));
            batch.bytes += size as u64;
            batch.moved |= loaded.moved;
            if batch.send.is_empty() {
                batch.send = loaded.send;
            } else {
                batch.send.extend(loaded.send);
                batch.send.sort_unstable_by_key(|stored| stored.offset);
            }
        }
        Ok(Ok(batch))
    }

    /// Returns how many messages and bytes one send may have.
    fn most(&self) -> (usize, usize) {
        let (wanted, window) = (self.feeder.endpoint.batch_limit(), self.policy.in_flight);
        let entries = wanted.messages.min(self.limits.max_pump_batch_messages);
        let entries = window.messages.map_or(entries, |most| most.min(entries));
        let bytes = wanted.bytes.min(self.limits.max_pump_batch_bytes);
        (entries.get(), window.bytes.map_or(bytes, |most| most.get().min(bytes)))
    }

    /// Takes out what has expired.
    fn drop_expired(&self, batch: &mut Batch) {
        let now = self.clock.wall();
        let Batch { send, fates, bytes, .. } = batch;
        send.retain(|stored| {
            let gone = stored.is_expired(now);
            if gone {
                fates.push((stored.offset, Fate::Dropped(DropCause::Expired)));
                *bytes = bytes.saturating_sub(stored.message.size() as u64);
                self.metrics.dropped(DropCause::Expired, &stored.message, 1);
            }
            !gone
        });
    }

    /// Finds out what the outcomes mean, and sets dead letters aside.
    async fn judge(
        &self,
        queue: &QueueId,
        lane: &mut Lane,
        send: &[Stored],
        outcomes: Vec<Outcome>,
        fates: &mut Vec<(Offset, Fate)>,
    ) -> Result<(), PumpError> {
        let outcomes = outcomes.into_iter().chain(std::iter::repeat(Outcome::Released));
        for (stored, outcome) in send.iter().zip(outcomes) {
            let fate = match outcome {
                Outcome::Accepted => Fate::Delivered,
                Outcome::Rejected { reason } if lane.refused(stored.offset) >= self.limits.max_refusals => {
                    self.bury(queue, stored, &reason).await?
                }
                _ => Fate::Again,
            };
            fates.push((stored.offset, fate));
        }
        Ok(())
    }

    /// Takes note that all of a batch is to be sent again.
    fn all_again(&self, queue: &QueueId, lane: &mut Lane, batch: Batch) -> Result<(), PumpError> {
        let Batch { send, mut fates, .. } = batch;
        fates.extend(send.iter().map(|stored| (stored.offset, Fate::Again)));
        fates.sort_unstable_by_key(|(offset, _)| *offset);
        self.settle(queue, &fates)?;
        lane.failed(timer::now(), &fates);
        Ok(())
    }

    fn failed(&self, error: &EndpointError) -> Round {
        self.metrics.send_failed(self.feeder.endpoint.id(), error);
        match error.disposition() {
            Disposition::RetryAfter(wait) => Round::Stuck(Some(wait)),
            Disposition::Fatal => Round::Stuck(Some(self.backoff.max)),
            _ => Round::Stuck(None),
        }
    }

    fn settle(&self, queue: &QueueId, fates: &[(Offset, Fate)]) -> Result<(), PumpError> {
        for run in runs(fates) {
            self.store.settle(queue, run.offsets, &run.dropped)?;
        }
        Ok(())
    }
}

/// Returns a number from 0 to 1 for jitter.
fn random() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(0u8) >> 11;
    bits as f64 / (1u64 << 53) as f64
}
