//! One version of a model, ready to run.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use edge_core::Clock;

use super::evidence::Evidence;
use super::pools::Pools;
use crate::model::{InferenceModel, RunError};
use crate::registry::{Sha256, VersionName, shown};
use crate::serve::{ModelPool, PoolOptions, Spent, Translate};
use crate::signature::Signature;
use crate::tensor::{Tensor, TensorView};

/// Idle instances beyond these are let go.
const MAX_IDLE: usize = 32;

/// One version of a model with its mapping, ready to run on any thread; each run has an instance of its own.
#[derive(Debug)]
pub struct Generation {
    number: u64,
    version: VersionName,
    sha256: Sha256,
    time_limit: Duration,
    signature: Signature,
    prototype: Mutex<Box<dyn InferenceModel>>,
    idle: Mutex<Vec<Box<dyn InferenceModel>>>,
    running: Mutex<Running>,
    evidence: Mutex<Counted>,
    on_trial: AtomicBool,
    bad: Mutex<Option<String>>,
    pools: Mutex<Pools>,
    translate: Option<Arc<dyn Translate>>,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    since: Vec<(u64, Instant)>,
}

#[derive(Debug, Default)]
struct Counted {
    total: Evidence,
    stage: Evidence,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| Some(panic.downcast_ref::<String>()?.as_str()));
    shown(text.unwrap_or("no text"))
}

impl Generation {
    /// Returns the generation with this number; while it is on trial, a panic or an overrun makes it bad for good.
    #[must_use]
    pub fn new(
        number: u64,
        version: VersionName,
        sha256: Sha256,
        time_limit: Duration,
        model: Box<dyn InferenceModel>,
    ) -> Self {
        Self {
            number,
            version,
            sha256,
            time_limit,
            signature: model.signature().clone(),
            prototype: Mutex::new(model),
            idle: Mutex::default(),
            running: Mutex::default(),
            evidence: Mutex::default(),
            on_trial: AtomicBool::new(true),
            bad: Mutex::default(),
            pools: Mutex::default(),
            translate: None,
        }
    }

    /// Sets how messages become inputs of this version, and its outputs messages.
    #[must_use]
    pub fn with_translate(mut self, translate: Option<Arc<dyn Translate>>) -> Self {
        self.translate = translate;
        self
    }

    /// Returns how messages become inputs of this version, and its outputs messages; `None` when it is not fed by messages.
    #[must_use]
    pub const fn translate(&self) -> Option<&Arc<dyn Translate>> {
        self.translate.as_ref()
    }

    /// Returns the number, which no other version of the model has or had.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Returns what the version is called.
    #[must_use]
    pub const fn version(&self) -> &VersionName {
        &self.version
    }

    /// Returns the checksum of the version's file.
    #[must_use]
    pub const fn sha256(&self) -> &Sha256 {
        &self.sha256
    }

    /// Returns what the model takes and gives.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Returns all that was seen of it.
    #[must_use]
    pub fn total(&self) -> Evidence {
        locked(&self.evidence).total.clone()
    }

    /// Returns what was seen of it in the stage that it is in.
    #[must_use]
    pub fn stage(&self) -> Evidence {
        locked(&self.evidence).stage.clone()
    }

    pub(super) fn begin_stage(&self) {
        locked(&self.evidence).stage = Evidence::default();
    }

    pub(super) fn compared(&self, divergence: f64) {
        let mut evidence = locked(&self.evidence);
        evidence.total.divergence.record(divergence);
        evidence.stage.divergence.record(divergence);
    }

    /// An error is not held against it: the fault is in the request.
    pub(super) fn forgive(&self, cause: &'static str) {
        locked(&self.evidence).stage.forgive(cause);
    }

    /// Returns why it must not be used any more, if so.
    #[must_use]
    pub fn bad(&self) -> Option<String> {
        locked(&self.bad).clone()
    }

    /// Its trial is over: from now on a panic costs the request and the instance, not the version.
    pub(super) fn commit(&self) {
        self.on_trial.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_on_trial(&self) -> bool {
        self.on_trial.load(Ordering::Relaxed)
    }

    /// Returns the threads that run it.
    pub(super) fn pool(&self, mut options: PoolOptions) -> Result<ModelPool, RunError> {
        if let Some(reason) = self.bad() {
            return Err(RunError::Bad { reason });
        }
        options.time_limit = self.time_limit;
        let pool = locked(&self.pools).pool(options, || locked(&self.prototype).fork());
        if let Err(error) = &pool {
            let reason = error.to_string();
            if error.is_bad() && !self.is_on_trial() {
                locked(&self.bad).get_or_insert(reason);
            } else if error.is_bad() {
                self.blame(reason);
            }
        }
        pool
    }

    /// Returns how many of its threads have not returned from a run in time.
    #[must_use]
    pub fn stuck_threads(&self) -> usize {
        locked(&self.pools).stuck()
    }

    /// A request without an answer for another reason than the model's run is held against it.
    pub(crate) fn held_against(&self, cause: &'static str) {
        let mut evidence = locked(&self.evidence);
        evidence.total.fault(cause);
        evidence.stage.fault(cause);
    }

    fn blame(&self, reason: String) {
        if self.on_trial.load(Ordering::Relaxed) {
            locked(&self.bad).get_or_insert(reason);
        }
    }

    /// Marks it as bad when a run has gone on for longer than it may; returns whether one has.
    pub(super) fn blame_overdue(&self, now: Instant) -> bool {
        let limit = self.time_limit;
        let overdue = |(_, since): &(u64, Instant)| now.saturating_duration_since(*since) > limit;
        let is_overdue = locked(&self.running).since.iter().any(overdue);
        if is_overdue {
            self.blame(format!("a run has not ended within {limit:?}"));
        }
        is_overdue
    }

    /// Runs the model and counts what came of it.
    pub(super) fn run(
        &self,
        inputs: &[TensorView<'_>],
        waited: Duration,
        clock: &dyn Clock,
    ) -> Result<Vec<Tensor>, RunError> {
        if let Some(reason) = self.bad() {
            return Err(RunError::Bad { reason });
        }
        let started = clock.now();
        let ticket = locked(&self.running).begin(started);
        let outcome = self.run_instance(inputs);
        let took = clock.now().saturating_duration_since(started);
        locked(&self.running).end(ticket);
        self.judged(inputs, outcome, Spent::alone(took, waited))
    }

    /// Counts what came of a run in a pool.
    pub(super) fn counted(
        &self,
        inputs: &[TensorView<'_>],
        outcome: Result<Vec<Tensor>, RunError>,
        spent: Spent,
    ) -> Result<Vec<Tensor>, RunError> {
        let outcome = outcome.and_then(|outputs| self.fitting(inputs, outputs));
        self.judged(inputs, outcome, spent)
    }

    fn judged(
        &self,
        inputs: &[TensorView<'_>],
        outcome: Result<Vec<Tensor>, RunError>,
        spent: Spent,
    ) -> Result<Vec<Tensor>, RunError> {
        let outcome = match outcome {
            Ok(_) if spent.running > self.time_limit && self.is_on_trial() => {
                Err(RunError::TimedOut { after: self.time_limit })
            }
            other => other,
        };
        if let Err(error @ (RunError::Panicked { .. } | RunError::TimedOut { .. })) = &outcome {
            self.blame(error.to_string());
        }
        let seen = outcome.as_ref().map(Vec::as_slice);
        let mut evidence = locked(&self.evidence);
        evidence.total.run(inputs, seen, &spent);
        evidence.stage.run(inputs, seen, &spent);
        drop(evidence);
        outcome
    }

    fn fitting(&self, inputs: &[TensorView<'_>], outputs: Vec<Tensor>) -> Result<Vec<Tensor>, RunError> {
        let views: Vec<_> = outputs.iter().map(Tensor::view).collect();
        let fits = self.signature.check_run(inputs, &views);
        fits.map_err(|misfit| RunError::Failed { reason: format!("the answer does not fit: {misfit}") })?;
        Ok(outputs)
    }

    /// Runs the model for a comparison that says nothing about it.
    pub(super) fn rerun(&self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
        self.run_instance(inputs)
    }

    fn run_instance(&self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let idle = locked(&self.idle).pop();
            let mut instance = idle.unwrap_or_else(|| locked(&self.prototype).fork());
            let outcome = instance.run(inputs);
            (instance, outcome)
        }));
        match attempt {
            // An instance that panicked is not used again.
            Err(panic) => Err(RunError::Panicked { message: panic_text(&*panic) }),
            Ok((instance, outcome)) => {
                let mut idle = locked(&self.idle);
                if idle.len() < MAX_IDLE {
                    idle.push(instance);
                }
                drop(idle);
                self.fitting(inputs, outcome?)
            }
        }
    }
}

impl Running {
    fn begin(&mut self, now: Instant) -> u64 {
        self.next += 1;
        self.since.push((self.next, now));
        self.next
    }

    fn end(&mut self, ticket: u64) {
        self.since.retain(|(other, _)| *other != ticket);
    }
}
