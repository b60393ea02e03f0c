//! The loop of the writer's thread.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use edge_core::{ReceiptSender, StoreError};
use tokio::sync::oneshot;

use super::{Failure, Writer};
use crate::state::{Refusal, Waiting};

/// After so much quiet, trims and what else was not synced is synced, and what failed is tried again.
const QUIET: Duration = Duration::from_secs(1);

/// Why the writer woke.
#[derive(Debug, Default)]
struct Work {
    trims: Vec<(u32, u64)>,
    holes: Vec<(u32, u64, u64)>,
    pressed: bool,
    quiet: bool,
    closing: Option<oneshot::Sender<Result<(), StoreError>>>,
    stop: bool,
}

impl Writer {
    /// Runs until the store is closed or nobody holds it.
    pub(crate) fn run(mut self) {
        loop {
            let work = self.wait();
            let ends = work.stop || work.closing.is_some();
            let outcome = self.work(&work, ends);
            let result = match outcome {
                Ok(()) => {
                    self.recovered();
                    Ok(())
                }
                Err(Failure::Write(error)) => {
                    self.fail(&error);
                    Err(error)
                }
                Err(Failure::Sync(error)) => return self.poisoned(error, work.closing),
            };
            if ends {
                self.shared.lock().refusal = Some(Refusal::Closed);
                drop(self.lock.take());
                if let Some(closing) = work.closing {
                    let _nobody_waits = closing.send(result);
                }
                return;
            }
        }
    }

    fn work(&mut self, work: &Work, ends: bool) -> Result<(), Failure> {
        self.commit(&work.trims, &work.holes, ends || work.quiet)?;
        if work.pressed || work.quiet {
            let at_least = if work.pressed { 0 } else { self.segment_bytes / 16 };
            self.drop_dead_active(at_least)?;
        }
        Ok(())
    }

    /// Waits for mail and takes it.
    fn wait(&mut self) -> Work {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        let mut quiet = false;
        while !quiet && !state.mail.is_urgent(self.failed.is_some()) {
            let mail = &mut state.mail;
            let unsynced = self.active.synced < self.active.position;
            if self.failed.is_some() || unsynced || !mail.trims.is_empty() || !mail.holes.is_empty() {
                mail.writer = Waiting::Urgent;
                let (woken, timeout) =
                    shared.mail.wait_timeout(state, QUIET).unwrap_or_else(PoisonError::into_inner);
                state = woken;
                quiet = timeout.timed_out();
            } else {
                mail.writer = Waiting::Anything;
                state = shared.mail.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        let mail = &mut state.mail;
        mail.writer = Waiting::Nothing;
        self.queued.extend(mail.batches.drain(..));
        mail.batches.shrink_to(1024);
        self.dead.append(&mut mail.dead);
        mail.retry = false;
        let mut work = Work {
            trims: Vec::new(),
            holes: std::mem::take(&mut mail.holes),
            pressed: std::mem::take(&mut mail.pressed),
            quiet,
            closing: mail.closing.take(),
            stop: mail.stop,
        };
        for number in std::mem::take(&mut mail.trims) {
            if let Some(queue) = state.queues.get_mut(number as usize) {
                queue.trim_told = false;
                work.trims.push((number, queue.head));
            }
        }
        work
    }

    /// Refuses everything for good: after a failed sync nobody knows what is on the disk.
    fn poisoned(&mut self, error: std::io::Error, closing: Option<oneshot::Sender<Result<(), StoreError>>>) {
        tracing::error!(%error, "a sync failed: the store is poisoned, and takes nothing until it is opened again");
        let source = Arc::new(error);
        let poisoned = || StoreError::Poisoned { source: source.clone() };
        let mut state = self.shared.lock();
        state.refusal = Some(Refusal::Poisoned(source.clone()));
        let mail = std::mem::take(&mut state.mail);
        drop(state);
        let queued = self.queued.drain(..).chain(mail.batches).filter_map(|batch| batch.receipt);
        let receipts: Vec<ReceiptSender> =
            queued.chain(self.written.drain(..)).chain(self.synced.drain(..)).collect();
        for receipt in receipts {
            receipt.send(Err(poisoned()));
        }
        for closing in closing.into_iter().chain(mail.closing) {
            let _nobody_waits = closing.send(Err(poisoned()));
        }
    }
}
