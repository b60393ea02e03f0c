//! A candidate on trial: opened, put where it belongs in each stage, judged, committed or rolled back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::evidence::{Case, Verdict, judge};
use super::generation::Generation;
use super::lifecycle::{LOOK, Lifecycle, Next, report};
use super::opening::{Opening, Order};
use super::serving::{Routes, Share};
use crate::registry::{Candidate, Entry, Policy, RegistryError, Rejected, Stage, StageRule};

/// After so long in service a start is not held against a candidate any more.
const SURVIVED: Duration = Duration::from_secs(600);

/// A candidate that is loaded.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) generation: Arc<Generation>,
    pub(super) policy: Policy,
    pub(super) stage: Stage,
    pub(super) since: Instant,
    pub(super) started: Instant,
    pub(super) survived: bool,
}

impl Lifecycle {
    /// Opens the candidate and tries it on its golden samples; then its first stage begins, or the one that it was in.
    pub(super) fn start(&mut self, candidate: &Candidate, now: Instant) -> Result<Next, RegistryError> {
        let Some(entry) = self.registry.record().candidate_entry().cloned() else { return Ok(Next::Again) };
        let policy = entry.desired.policy;
        let opening = match self.opening.take().filter(|opening| opening.generation == entry.generation) {
            Some(opening) => opening,
            None if candidate.starts >= policy.starts => {
                self.withdraw(format!("the process ended {} times while it was on trial", candidate.starts));
                return Ok(Next::Again);
            }
            None => {
                // On the disk before anything of it runs: a model that ends the process is not started for ever.
                self.change_candidate(|candidate| candidate.starts += 1)?;
                match self.begin(entry, true) {
                    Ok(opening) => opening,
                    Err((true, _)) => {
                        self.change_candidate(|candidate| candidate.stage = Stage::Fetch)?;
                        return Ok(Next::Again);
                    }
                    Err((false, reason)) => {
                        self.withdraw(reason);
                        return Ok(Next::Again);
                    }
                }
            }
        };
        let generation = match opening.wait(self.patience) {
            Some(Ok(generation)) => Arc::new(generation),
            Some(Err(reason)) => {
                self.withdraw(reason);
                return Ok(Next::Again);
            }
            None if now.saturating_duration_since(opening.began) > self.open_limit => {
                let limit = self.open_limit.as_secs_f64();
                self.withdraw(format!("it was not opened and tried within {limit} s"));
                return Ok(Next::Again);
            }
            None => {
                self.opening = Some(opening);
                self.waits_for = Some("it is being opened and tried".into());
                return Ok(Next::Wait(Duration::from_millis(20)));
            }
        };
        let stage = match candidate.stage {
            Stage::Fetch | Stage::Check => self.after(Stage::Check, &policy),
            stage => stage,
        };
        self.trial = Some(Trial { generation, policy, stage, since: now, started: now, survived: false });
        self.enter(stage, now)?;
        Ok(Next::Again)
    }

    /// Begins to open a version; an error says whether its file is to be fetched again, and why.
    fn begin(&self, entry: Entry, tries: bool) -> Result<Opening, (bool, String)> {
        let bytes = self.registry.load(&entry).map_err(|error| {
            let again = matches!(
                error,
                RegistryError::Absent | RegistryError::Checksum { .. } | RegistryError::TooLong { .. }
            );
            (again, report(&error))
        })?;
        let (factory, clock) = (Arc::clone(&self.factory), Arc::clone(self.serving.clock()));
        let alive = Arc::clone(&self.openings);
        Opening::begin(Order { entry, bytes, factory, clock, tries, alive }).map_err(|reason| (false, reason))
    }

    /// Opens a version that served before, and waits for it.
    pub(super) fn open(&self, entry: &Entry) -> Result<Generation, String> {
        let opening = self.begin(entry.clone(), false).map_err(|(_, reason)| reason)?;
        let late = || format!("it was not opened within {} s", self.open_limit.as_secs_f64());
        opening.wait(self.open_limit).unwrap_or_else(|| Err(late()))
    }

    fn after(&self, stage: Stage, policy: &Policy) -> Stage {
        let replaces = self.current.is_some();
        match stage {
            Stage::Fetch | Stage::Check if replaces && policy.shadow.is_some() => Stage::Shadow,
            Stage::Fetch | Stage::Check | Stage::Shadow if replaces && policy.canary.is_some() => {
                Stage::Canary
            }
            _ => Stage::Probation,
        }
    }

    pub(super) fn change_candidate(
        &mut self,
        change: impl FnOnce(&mut Candidate),
    ) -> Result<(), RegistryError> {
        self.registry.change(|record| {
            if let Some(candidate) = &mut record.candidate {
                change(candidate);
            }
        })
    }

    fn enter(&mut self, stage: Stage, now: Instant) -> Result<(), RegistryError> {
        self.change_candidate(|candidate| candidate.stage = stage)?;
        let Some(trial) = &mut self.trial else { return Ok(()) };
        (trial.stage, trial.since) = (stage, now);
        trial.generation.begin_stage();
        self.serving.begin_drift(self.registry.record().baseline.as_ref());
        let candidate = Arc::clone(&trial.generation);
        let canary = trial.policy.canary.map_or(100.0, |canary| canary.percent);
        let routes = match (&self.current, stage) {
            (Some(current), Stage::Shadow) => {
                Routes { shadow: Some(candidate), ..Routes::only(Arc::clone(current)) }
            }
            (Some(current), Stage::Canary) => {
                let share = Share::new(canary, candidate.sha256());
                Routes { canary: Some((candidate, share)), ..Routes::only(Arc::clone(current)) }
            }
            (good, _) => Routes { good: good.clone(), ..Routes::only(candidate) },
        };
        self.serving.publish(Some(routes));
        Ok(())
    }

    pub(super) fn watch(&mut self, now: Instant) -> Result<Next, RegistryError> {
        let Some(trial) = &mut self.trial else { return Ok(Next::Again) };
        trial.generation.blame_overdue(now);
        if let Some(reason) = trial.generation.bad() {
            self.withdraw(reason);
            return Ok(Next::Again);
        }
        let seen = trial.generation.stage();
        let current = self.current.as_ref().map(|current| current.total());
        let lasted = now.saturating_duration_since(trial.since);
        let case =
            Case { current: current.as_ref(), drift: self.serving.drift(), ..Case::new(&seen, lasted) };
        match judge(&trial.policy.gates, &trial.rule(), &case) {
            Verdict::Fail { reason } => {
                let stage = trial.stage.name();
                self.withdraw(format!("in {stage}: {reason}"));
                Ok(Next::Again)
            }
            Verdict::Wait { reason } => {
                let survived = now.saturating_duration_since(trial.started) > SURVIVED && !trial.survived;
                self.waits_for = Some(reason);
                if survived {
                    trial.survived = true;
                    self.change_candidate(|candidate| candidate.starts = 0)?;
                }
                Ok(Next::Wait(LOOK))
            }
            Verdict::Pass if trial.stage == Stage::Probation => {
                self.commit()?;
                Ok(Next::Again)
            }
            Verdict::Pass => {
                let (stage, policy) = (trial.stage, trial.policy);
                let next = self.after(stage, &policy);
                self.enter(next, now)?;
                Ok(Next::Again)
            }
        }
    }

    fn commit(&mut self) -> Result<(), RegistryError> {
        let Some(trial) = &self.trial else { return Ok(()) };
        let generation = Arc::clone(&trial.generation);
        let number = generation.number();
        let same = self.current.as_ref().is_some_and(|current| current.signature() == generation.signature());
        self.registry.change(|record| {
            record.current = Some(number);
            record.candidate = None;
            if !same {
                record.baseline = None;
            }
        })?;
        generation.commit();
        self.current = Some(generation);
        if !same {
            self.serving.begin_profile();
        }
        self.serving.begin_drift(self.registry.record().baseline.as_ref());
        self.problem = None;
        self.end_trial();
        Ok(())
    }

    /// Takes the candidate out of service at once, and out of the record with the next step.
    pub(super) fn withdraw(&mut self, reason: String) {
        self.end_trial();
        self.retry_at = None;
        self.rejecting = Some(reason.chars().take(512).collect());
    }

    pub(super) fn reject(&mut self) -> Result<(), RegistryError> {
        let reason = self.rejecting.clone().unwrap_or_default();
        let at_ms = self.serving.clock().wall().as_unix_ms();
        self.registry.change(|record| {
            let rejected = record.candidate_entry().map(|entry| Rejected {
                key: entry.desired.key(),
                version: entry.desired.version.to_string(),
                reason,
                at_ms,
            });
            record.rejected.extend(rejected);
            record.drop_candidate();
        })?;
        self.rejecting = None;
        Ok(())
    }
}

impl Trial {
    const fn rule(&self) -> StageRule {
        match (self.stage, self.policy.shadow, self.policy.canary) {
            (Stage::Shadow, Some(rule), _) => rule,
            (Stage::Canary, _, Some(canary)) => canary.rule,
            _ => self.policy.probation,
        }
    }
}
