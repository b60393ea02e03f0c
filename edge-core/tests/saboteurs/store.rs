//! Broken stores.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use edge_core::{
    Account, Answered, DropCause, Durability, Enqueue, Gone, Message, MessageStore, Offset, Overflow,
    Priority, QueueId, QueueState, ReadBatch, ReadLimit, Receipt, RouteName, StoreError, Target, Timestamp,
    Usage,
};

use super::flaws;
use crate::support::journal::{JournalStore, Op, now};
use crate::support::tasks::later;

flaws! { StoreFlaw {
    ForgetsTheLastTarget => "a_batch_can_be_read_whole",
    KeepsPartOfTheRefused => "a_refused_batch_leaves_nothing",
    RefusesLate => "a_refusal_is_immediate",
    TearsBatches => "a_crash_keeps_batches_whole",
    WritesNothing => "written_survives_a_crash",
    SyncsNothing => "synced_survives_the_loss_of_power",
    SaysLess => "a_receipt_says_what_was_asked_for",
    ShowsEntriesLate => "entries_are_readable_once_the_receipt_resolves",
    SkipsOffsets => "offsets_are_dense",
    RestartsAfterTrim => "offsets_survive_trim",
    RestartsAfterRemoval => "offsets_survive_removal",
    RestartsAfterReopening => "offsets_survive_reopening",
    TrimsTheFuture => "trim_beyond_the_end_leaves_no_gap",
    ReversesBatches => "entries_keep_the_order_of_appends",
    ReversesAfterACrash => "order_survives_a_crash",
    ForgetsTrims => "trim_survives_closing",
    TrimsAheadInACrash => "a_crash_loses_nothing_untrimmed",
    IgnoresAFailedSync => "a_failed_sync_poisons",
    HoldsTheTrimmed => "space_returns_after_trim",
    HoldsTheRemoved => "space_returns_after_removal",
    HoldsTheExpired => "space_returns_after_expiry",
    ReadsAClock => "nothing_expires_before_it_is_told",
    WritesInTheCall => "calls_do_not_touch_the_disk",
    StripsProperties => "messages_come_back_unchanged",
    IgnoresPriorities => "queues_are_kept_apart",
    ReadsFromTheHead => "a_read_starts_where_asked",
    IgnoresLimits => "a_read_keeps_to_its_limit",
    StarvesLargeEntries => "a_large_entry_is_read_alone",
    ScoldsForUnknownQueues => "an_unknown_queue_is_empty",
    TrimsOneTooMany => "trim_forgets_what_is_below",
    TrimsBack => "trim_never_goes_back",
    ForgetsLifetimes => "an_entry_says_when_it_expires",
    ExpiresEarly => "nothing_expires_early",
    SwallowsTheExpired => "what_expires_is_reported_or_readable",
    ReportsTwice => "what_expires_is_reported_once",
    RemovesSilently => "removal_reports_what_was_waiting",
    CountsForOneRoute => "waiting_is_counted_by_route",
    ListsBackwards => "queues_are_listed_in_order",
    CallsAllDelivered => "settling_counts_what_became_of_entries",
    SettlesFromTheHead => "any_part_of_a_queue_can_be_settled",
    CountsTwice => "an_entry_is_counted_once",
    CountsOnlyWhatItStores => "what_is_not_stored_is_counted",
    ForgetsAccounts => "accounts_survive_reopening",
    AnswersForTheRefused => "what_is_answered_stays_until_the_answer_is_taken",
    KeepsWhatIsAnswered => "what_is_answered_leaves_with_the_answer",
    IgnoresQueueLimits => "a_full_queue_refuses",
    IgnoresClassLimits => "a_full_class_refuses",
    EvictsForAClassFromItsQueue => "a_class_makes_room_in_itself",
    DropsTheNewerHalf => "the_oldest_make_room",
    RefusesTheNewest => "the_newest_is_dropped",
    ForgetsKeys => "of_each_key_the_latest_stays",
    DropsSilently => "what_is_dropped_is_told",
    ForgetsDrops => "drops_survive_a_crash",
    MakesRoomForTheRefused => "nothing_leaves_for_a_refused_batch",
    CountsTheEvictedAgain => "what_made_room_is_not_settled",
    EvictsItsOwnClass => "lower_classes_make_room_first",
    EvictsTheRefused => "what_is_refused_makes_no_room_for_others",
    IgnoresRoutesLevels => "a_batch_is_as_durable_as_its_highest_target",
    ClosesCarelessly => "closing_makes_all_durable",
    StaysOpen => "a_closed_store_refuses",
} }

/// A sound store with one flaw.
#[derive(Debug)]
pub struct Broken {
    pub inner: JournalStore,
    pub flaw: StoreFlaw,
    /// For each queue, what is taken off the sound offsets.
    pub shift: Mutex<BTreeMap<QueueId, i64>>,
    late: Mutex<Vec<Enqueue>>,
    held_bytes: AtomicU64,
    head: Mutex<BTreeMap<QueueId, Offset>>,
    expired: Mutex<Vec<Gone>>,
    /// How many entries of each queue were settled as dropped, whether or not they were still there.
    again: Mutex<BTreeMap<QueueId, u64>>,
}

impl Broken {
    pub fn new(inner: JournalStore, flaw: StoreFlaw) -> Self {
        Self {
            inner,
            flaw,
            shift: Mutex::default(),
            late: Mutex::default(),
            held_bytes: AtomicU64::new(0),
            head: Mutex::default(),
            expired: Mutex::default(),
            again: Mutex::default(),
        }
    }

    fn has(&self, flaw: StoreFlaw) -> bool {
        self.flaw == flaw
    }

    fn shift(&self, queue: &QueueId) -> i64 {
        self.shift.lock().unwrap().get(queue).copied().unwrap_or_default()
    }

    fn shown(&self, queue: &QueueId, sound: Offset) -> Offset {
        let skipped = if self.has(StoreFlaw::SkipsOffsets) { 2 * sound } else { sound };
        skipped.saturating_add_signed(-self.shift(queue))
    }

    fn sound(&self, queue: &QueueId, shown: Offset) -> Offset {
        let sound = shown.saturating_add_signed(self.shift(queue));
        if self.has(StoreFlaw::SkipsOffsets) { sound.div_ceil(2) } else { sound }
    }

    /// Counts offsets from zero again.
    pub fn restart(&self, queue: &QueueId) {
        let next = self.inner.queue(queue).map_or(0, |state| state.next);
        self.shift.lock().unwrap().insert(queue.clone(), next as i64);
    }

    /// Runs a call that gives space back, and counts the space as held if the flaw is there.
    fn holding<T>(&self, flaw: StoreFlaw, call: impl FnOnce() -> T) -> T {
        let before = self.inner.usage().used_bytes;
        let result = call();
        if self.has(flaw) {
            let freed = before - self.inner.usage().used_bytes;
            self.held_bytes.fetch_add(freed, Ordering::Relaxed);
        }
        result
    }

    fn spoil(&self, queue: &QueueId, mut state: QueueState) -> QueueState {
        state.next = self.shown(queue, state.next);
        state.head = self.shown(queue, state.head);
        if self.has(StoreFlaw::TrimsBack) {
            state.head = self.head.lock().unwrap().get(queue).copied().unwrap_or_default();
        }
        if self.has(StoreFlaw::CountsForOneRoute) {
            let all = state.len();
            state.waiting.truncate(1);
            state.waiting.iter_mut().for_each(|(_, count)| *count = all);
        }
        state
    }
}

fn retarget(entry: &mut Enqueue, change: impl Fn(&Target) -> Target) {
    entry.targets = entry.targets.iter().map(change).collect();
}

fn change(batch: &mut [Enqueue], change: impl Fn(Target) -> Target) {
    batch.iter_mut().for_each(|entry| retarget(entry, |target| change(target.clone())));
}

fn default_priority(queue: &QueueId) -> QueueId {
    QueueId::new(queue.endpoint().clone(), Priority::DEFAULT)
}

#[async_trait]
impl MessageStore for Broken {
    fn append(&self, mut batch: Vec<Enqueue>, level: Durability) -> Receipt {
        match self.flaw {
            StoreFlaw::ForgetsTheLastTarget => {
                if let Some(last) = batch.last_mut() {
                    last.targets = last.targets.iter().skip(1).cloned().collect();
                }
            }
            StoreFlaw::KeepsPartOfTheRefused => {
                let parts: Vec<_> = batch.into_iter().map(|entry| vec![entry]).collect();
                let mut results = parts.into_iter().map(|part| now(self.inner.memory.append(part, level)));
                return Receipt::ready(results.find(Result::is_err).unwrap_or(Ok(level)));
            }
            StoreFlaw::RefusesLate => {
                let refused = self.inner.append(batch, level);
                let (sender, receipt) = Receipt::pair();
                later(async move { sender.send(refused.await) });
                return receipt;
            }
            StoreFlaw::TearsBatches => {
                let rest = batch.split_off(batch.len() / 2);
                drop(self.inner.append_as(batch, level, level));
                return self.inner.append_as(rest, level, level);
            }
            StoreFlaw::WritesNothing => {
                drop(now(self.inner.memory.append(batch, level)));
                return Receipt::ready(Ok(level));
            }
            StoreFlaw::SyncsNothing => return self.inner.append_as(batch, Durability::Written, level),
            StoreFlaw::SaysLess => return self.inner.append_as(batch, level, Durability::Memory),
            StoreFlaw::ShowsEntriesLate => {
                let before = std::mem::replace(&mut *self.late.lock().unwrap(), batch);
                return self.inner.append_as(before, level, level);
            }
            StoreFlaw::ReversesBatches => batch.reverse(),
            StoreFlaw::WritesInTheCall => self.inner.disk().write(Op::Append(Vec::new())),
            StoreFlaw::StripsProperties => {
                for entry in &mut batch {
                    let source = edge_core::Source::telemetry();
                    entry.message = Message::builder(&source).body(entry.message.body()).build();
                }
            }
            StoreFlaw::IgnoresPriorities => batch.iter_mut().for_each(|entry| {
                retarget(entry, |t| Target::new(default_priority(&t.queue), t.route.clone(), t.time_to_live));
            }),
            StoreFlaw::ForgetsLifetimes => batch
                .iter_mut()
                .for_each(|entry| retarget(entry, |t| Target::new(t.queue.clone(), t.route.clone(), None))),
            StoreFlaw::IgnoresQueueLimits => change(&mut batch, |mut target| {
                target.max_queue_bytes = None;
                target
            }),
            StoreFlaw::IgnoresClassLimits => change(&mut batch, |mut target| {
                target.max_class_bytes = None;
                target
            }),
            StoreFlaw::EvictsForAClassFromItsQueue => change(&mut batch, |mut target| {
                let of_class = target.max_class_bytes.take();
                target.max_queue_bytes = target.max_queue_bytes.or(of_class);
                target
            }),
            StoreFlaw::DropsTheNewerHalf => change(&mut batch, |target| match target.overflow {
                Overflow::DropOldest => target.with_overflow(Overflow::DropNewest),
                _ => target,
            }),
            StoreFlaw::RefusesTheNewest => {
                change(&mut batch, |target| target.with_overflow(Overflow::Refuse))
            }
            StoreFlaw::ForgetsKeys => change(&mut batch, |target| target.with_overflow(Overflow::DropOldest)),
            StoreFlaw::DropsSilently => return self.inner.append(batch, level).with_dropped(Vec::new()),
            StoreFlaw::MakesRoomForTheRefused => {
                let parts: Vec<_> = batch.into_iter().map(|entry| vec![entry]).collect();
                let mut results = parts.into_iter().map(|part| now(self.inner.memory.append(part, level)));
                return Receipt::ready(results.find(Result::is_err).unwrap_or(Ok(level)));
            }
            StoreFlaw::EvictsItsOwnClass => change(&mut batch, |target| {
                if target.queue.priority() == Priority::DEFAULT {
                    target
                } else {
                    target.with_max_queue_bytes(20_000)
                }
            }),
            StoreFlaw::EvictsTheRefused => {
                if self.inner.usage().limit_bytes.is_some() && self.inner.queues().len() > 1 {
                    change(&mut batch, |target| target.with_overflow(Overflow::DropOldest));
                } else if self.inner.usage().limit_bytes.is_some() {
                    // As if what is to be refused might leave for what comes later.
                    change(&mut batch, |target| match target.overflow {
                        Overflow::Refuse => target.with_overflow(Overflow::DropLowestPriority),
                        _ => target,
                    });
                }
            }
            StoreFlaw::IgnoresRoutesLevels => change(&mut batch, |mut target| {
                target.durability = None;
                target
            }),
            StoreFlaw::IgnoresAFailedSync => self.inner.disk().syncs_fail = false,
            _ => {}
        }
        self.inner.append(batch, level)
    }

    fn append_answers(&self, batch: Vec<Enqueue>, answered: &[Answered], level: Durability) -> Receipt {
        match self.flaw {
            StoreFlaw::KeepsWhatIsAnswered => return self.append(batch, level),
            StoreFlaw::AnswersForTheRefused => {
                for one in answered {
                    self.inner.settle(&one.queue, one.offsets.clone(), &[]).ok();
                }
                // It is not written before a crash.
                drop(now(self.inner.memory.append(batch, level)));
                return Receipt::ready(Ok(level));
            }
            _ => {}
        }
        let receipt = self.append(batch, level);
        if receipt.refusal().is_none() {
            for one in answered {
                self.settle(&one.queue, one.offsets.clone(), &[]).ok();
            }
        }
        receipt
    }

    async fn read(&self, queue: &QueueId, from: Offset, limit: ReadLimit) -> Result<ReadBatch, StoreError> {
        let mut wanted = limit;
        match self.flaw {
            StoreFlaw::IgnoresPriorities => {
                return self.inner.read(&default_priority(queue), from, limit).await;
            }
            StoreFlaw::ScoldsForUnknownQueues if self.inner.queue(queue).is_none() => {
                return Err(StoreError::NoQueue { queue: queue.clone() });
            }
            StoreFlaw::IgnoresLimits => {
                wanted = ReadLimit::new(std::num::NonZeroUsize::MAX, usize::MAX);
            }
            _ => {}
        }
        let mut batch = self.inner.read(queue, self.sound(queue, from), wanted).await?;
        if self.has(StoreFlaw::ReadsFromTheHead) && from > 0 && !batch.entries.is_empty() {
            batch.entries = self.inner.read(queue, from - 1, limit).await?.entries;
        }
        for stored in &mut batch.entries {
            stored.offset = self.shown(queue, stored.offset);
        }
        batch.next = self.shown(queue, batch.next);
        if self.has(StoreFlaw::ReadsAClock) {
            batch.entries.retain(|stored| !stored.is_expired(Timestamp::from_unix_ms(1_700_000_000_000)));
        }
        if self.has(StoreFlaw::StarvesLargeEntries) {
            batch.entries.retain(|stored| stored.message.size() <= limit.bytes);
        }
        Ok(batch)
    }

    fn settle(
        &self,
        queue: &QueueId,
        offsets: Range<Offset>,
        dropped: &[(Offset, DropCause)],
    ) -> Result<(), StoreError> {
        if self.has(StoreFlaw::StaysOpen) {
            return Ok(());
        }
        let below = offsets.end;
        self.head.lock().unwrap().insert(queue.clone(), below);
        let mut start = self.sound(queue, offsets.start);
        if self.has(StoreFlaw::SettlesFromTheHead) {
            start = 0;
        }
        if self.has(StoreFlaw::CountsTwice) {
            let listed = dropped.iter().filter(|(at, _)| offsets.contains(at)).count() as u64;
            *self.again.lock().unwrap().entry(queue.clone()).or_default() += listed;
        }
        if self.has(StoreFlaw::CountsTheEvictedAgain) {
            let of_queue = self.inner.accounts().into_iter().filter(|account| account.queue == *queue);
            let gone: u64 = of_queue.map(|account| account.dropped.count(DropCause::OverflowOldest)).sum();
            *self.again.lock().unwrap().entry(queue.clone()).or_default() += gone;
        }
        let dropped = if self.has(StoreFlaw::CallsAllDelivered) { &[] } else { dropped };
        let dropped: Vec<_> = dropped.iter().map(|&(at, cause)| (self.sound(queue, at), cause)).collect();
        let extra = u64::from(self.has(StoreFlaw::TrimsOneTooMany));
        let sound = self.sound(queue, below) + extra;
        let next = self.inner.queue(queue).map_or(0, |state| state.next);
        if self.has(StoreFlaw::ForgetsTrims) {
            return self.inner.memory.settle(queue, start..sound, &dropped);
        }
        self.holding(StoreFlaw::HoldsTheTrimmed, || self.inner.settle(queue, start..sound, &dropped))?;
        if self.has(StoreFlaw::RestartsAfterTrim) && sound >= next {
            self.restart(queue);
        }
        if self.has(StoreFlaw::TrimsTheFuture) && sound > next {
            self.shift.lock().unwrap().insert(queue.clone(), next as i64 - sound as i64);
        }
        Ok(())
    }

    fn count_dropped(
        &self,
        queue: &QueueId,
        route: &RouteName,
        cause: DropCause,
        entries: u64,
    ) -> Result<(), StoreError> {
        if self.has(StoreFlaw::CountsOnlyWhatItStores) {
            return self.inner.count_dropped(queue, route, cause, 0);
        }
        self.inner.count_dropped(queue, route, cause, entries)
    }

    fn accounts(&self) -> Vec<Account> {
        let mut accounts = self.inner.accounts();
        for account in &mut accounts {
            let again = self.again.lock().unwrap().get(&account.queue).copied().unwrap_or_default();
            if self.has(StoreFlaw::CountsTheEvictedAgain) {
                account.delivered += again;
                account.accepted += again;
                continue;
            }
            let more = again.saturating_sub(account.dropped.count(DropCause::Refused));
            account.dropped.add(DropCause::Expired, more);
            account.accepted += more;
        }
        accounts
    }

    fn expire(&self, at: Timestamp) -> Result<Vec<Gone>, StoreError> {
        let early = std::time::Duration::from_millis(u64::from(self.has(StoreFlaw::ExpiresEarly)));
        let gone = self.holding(StoreFlaw::HoldsTheExpired, || self.inner.expire(at + early))?;
        if self.has(StoreFlaw::SwallowsTheExpired) {
            return Ok(Vec::new());
        }
        if self.has(StoreFlaw::ReportsTwice) {
            let mut before = self.expired.lock().unwrap();
            before.extend(gone);
            return Ok(before.clone());
        }
        Ok(gone)
    }

    fn remove(&self, queue: &QueueId) -> Result<Vec<Gone>, StoreError> {
        let gone = self.holding(StoreFlaw::HoldsTheRemoved, || self.inner.remove(queue))?;
        if self.has(StoreFlaw::RestartsAfterRemoval) {
            self.restart(queue);
        }
        Ok(if self.has(StoreFlaw::RemovesSilently) { Vec::new() } else { gone })
    }

    fn queue(&self, queue: &QueueId) -> Option<QueueState> {
        self.inner.queue(queue).map(|state| self.spoil(queue, state))
    }

    fn queues(&self) -> Vec<QueueState> {
        let mut all: Vec<_> =
            self.inner.queues().into_iter().map(|state| self.spoil(&state.queue.clone(), state)).collect();
        if self.has(StoreFlaw::ListsBackwards) {
            all.reverse();
        }
        all
    }

    fn usage(&self) -> Usage {
        let mut usage = self.inner.usage();
        usage.used_bytes += self.held_bytes.load(Ordering::Relaxed);
        usage
    }

    async fn close(&self) -> Result<(), StoreError> {
        match self.flaw {
            StoreFlaw::StaysOpen => Ok(()),
            StoreFlaw::ClosesCarelessly => self.inner.memory.close().await,
            _ => self.inner.close().await,
        }
    }
}
