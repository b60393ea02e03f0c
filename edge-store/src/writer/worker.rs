//! The loop of the writer's thread.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use edge_core::{ReceiptSender, StoreError};
use tokio::sync::oneshot;

use super::{Failure, Writer};
use crate::shared::Shared;
use crate::state::{Refusal, State, Waiting};

/// After so much quiet, what failed is tried again, and room is made; what was not synced is after so long in any case.
const QUIET: Duration = Duration::from_secs(1);
/// Trims that no batch takes along are written after this: a process that is killed delivers little twice.
const NOTED_AFTER: Duration = Duration::from_millis(50);
/// So many of these make a time of quiet.
const NOTES: u32 = 20;

/// What the writer found in the mail, besides batches.
#[derive(Debug, Default)]
struct Work {
    /// An append found no room.
    pressed: bool,
    /// What was written is to be durable, for it has waited long enough.
    syncs: bool,
    /// Everything is to be durable.
    settles: bool,
    ends: bool,
    /// Who is told when it is done.
    callers: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

impl Writer {
    /// Runs until the store is closed or nobody holds it.
    pub(crate) fn run(mut self) {
        loop {
            let mut work = self.wait();
            let result = self.work(&work);
            self.note_unsynced(now());
            let result = match result {
                Ok(()) => {
                    self.recovered();
                    Ok(())
                }
                Err(Failure::Write(error)) => {
                    self.fail(&error);
                    Err(error)
                }
                Err(Failure::Sync(error)) => return self.poisoned(error, work.callers),
            };
            if work.ends {
                drop(self.lock.take());
                let mut state = self.shared.lock();
                state.refusal = Some(Refusal::Closed);
                state.ended = true;
                work.callers.append(&mut state.mail.closing);
            }
            for caller in work.callers {
                let _nobody_waits = caller.send(result.clone());
            }
            if work.ends {
                return;
            }
        }
    }

    fn work(&mut self, work: &Work) -> Result<(), Failure> {
        self.keeps_spare = !work.settles && !work.pressed;
        self.commit(work.settles || work.syncs)?;
        let at_least = if work.pressed { 0 } else { self.segment_bytes / 16 };
        if (work.pressed || work.settles) && self.drop_dead_active(at_least)? {
            self.commit_more()?;
        }
        if work.ends {
            return self.finish();
        }
        if std::mem::take(&mut self.rolled) || work.pressed || work.settles {
            self.look_for_relocation(work.pressed);
        }
        self.relocate()?;
        if !work.callers.is_empty() || (work.pressed && self.relocation.is_some()) {
            self.clean(work.pressed)?;
        }
        Ok(())
    }

    /// Gives back dead space until there is room, as far as it can be.
    fn clean(&mut self, pressed: bool) -> Result<(), Failure> {
        loop {
            let before = self.shared.lock().used_bytes();
            while self.relocation.is_some() {
                self.relocate()?;
            }
            self.commit_more()?;
            let state = self.shared.lock();
            if !pressed || !state.is_narrow() || state.used_bytes() >= before {
                return Ok(());
            }
            drop(state);
            self.look_for_relocation(true);
            if self.relocation.is_none() {
                return Ok(());
            }
        }
    }

    /// Commits what has come meanwhile, and what was found to be dead.
    fn commit_more(&mut self) -> Result<(), Failure> {
        let shared = self.shared.clone();
        self.take_news(&mut shared.lock());
        self.commit(true)
    }

    /// Waits for mail and takes it.
    fn wait(&mut self) -> Work {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        let mut quiet = self.unsynced_notes >= NOTES;
        let moves = self.relocation.is_some() && self.failed.is_none();
        while !quiet && !moves && !state.mail.is_urgent(self.failed.is_some()) {
            let mail = &mut state.mail;
            let unsynced = self.active.synced < self.active.position;
            let left = until_synced(self.unsynced_since, now());
            if self.failed.is_none() && left.is_zero() {
                quiet = true;
            } else if self.failed.is_none() && !mail.changed.is_empty() {
                let over;
                (state, over) = doze(&shared, state, Waiting::Urgent, NOTED_AFTER);
                if over {
                    self.unsynced_notes += 1;
                    return self.take(&mut state, false);
                }
            } else if self.failed.is_some() || unsynced || !mail.changed.is_empty() || self.ledger.has_news()
            {
                let at_most = if self.failed.is_some() { QUIET } else { left };
                (state, quiet) = doze(&shared, state, Waiting::Urgent, at_most);
            } else {
                mail.writer = Waiting::Anything;
                state = shared.mail.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        let group = self.gather.group(self.last_group);
        let mail = &state.mail;
        if !mail.outbox.is_empty() && !mail.holds(&group) && !mail.is_more_urgent() {
            (state, _) = doze(&shared, state, Waiting::Group(group), self.gather.at_most);
        }
        self.unsynced_notes = 0;
        self.take(&mut state, quiet)
    }

    /// Takes what is in the mail.
    fn take(&mut self, state: &mut State, settles: bool) -> Work {
        let mail = &mut state.mail;
        mail.writer = Waiting::Nothing;
        mail.retry = false;
        let ends = mail.stop || !mail.closing.is_empty();
        let mut callers = std::mem::take(&mut mail.flushes);
        callers.append(&mut mail.closing);
        let pressed = std::mem::take(&mut mail.pressed);
        let settles = settles || ends || !callers.is_empty();
        let syncs = until_synced(self.unsynced_since, now()).is_zero();
        self.take_news(state);
        Work { pressed, syncs, settles, ends, callers }
    }

    /// Remembers since when something written is not synced.
    fn note_unsynced(&mut self, now: Instant) {
        if self.active.synced >= self.active.position {
            self.unsynced_since = None;
        } else {
            self.unsynced_since.get_or_insert(now);
        }
    }

    /// Takes batches, what has left, and dead segments.
    fn take_news(&mut self, state: &mut State) {
        let mail = &mut state.mail;
        self.queued.take(&mut mail.outbox);
        mail.outbox.shrink();
        self.dead.append(&mut mail.dead);
        self.ledger.note_news(state);
    }

    /// Refuses everything for good: after a failed sync nobody knows what is on the disk.
    fn poisoned(&mut self, error: std::io::Error, callers: Vec<oneshot::Sender<Result<(), StoreError>>>) {
        tracing::error!(%error, "a sync failed: the store is poisoned, and takes nothing until it is opened again");
        let source = Arc::new(error);
        let poisoned = || StoreError::Poisoned { source: source.clone() };
        let mut state = self.shared.lock();
        state.refusal = Some(Refusal::Poisoned(source.clone()));
        let mut mail = std::mem::take(&mut state.mail);
        drop(state);
        self.queued.take(&mut mail.outbox);
        let queued = std::mem::take(&mut self.queued);
        let receipts: Vec<ReceiptSender> =
            queued.into_receipts().chain(self.written.drain(..)).chain(self.synced.drain(..)).collect();
        for receipt in receipts {
            receipt.send(Err(poisoned()));
        }
        for caller in callers.into_iter().chain(mail.flushes).chain(mail.closing) {
            let _nobody_waits = caller.send(Err(poisoned()));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the writer's thread of its own, which no core runs on")]
fn now() -> Instant {
    Instant::now()
}

/// Returns how long what is not synced may wait for a sync, when something has been so `since` then.
fn until_synced(since: Option<Instant>, now: Instant) -> Duration {
    since.map_or(QUIET, |since| QUIET.saturating_sub(now.saturating_duration_since(since)))
}

/// Waits for mail, and returns whether the time was over before it came.
fn doze<'a>(
    shared: &'a Shared,
    mut state: MutexGuard<'a, State>,
    until: Waiting,
    at_most: Duration,
) -> (MutexGuard<'a, State>, bool) {
    state.mail.writer = until;
    let (state, timeout) = shared.mail.wait_timeout(state, at_most).unwrap_or_else(PoisonError::into_inner);
    (state, timeout.timed_out())
}
