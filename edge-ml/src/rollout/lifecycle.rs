//! From what a twin asks for to what serves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::generation::Generation;
use super::opening::Opening;
use super::serving::{Routes, Serving};
use super::trial::Trial;
use crate::registry::{
    Candidate, Desired, Entry, Mistakes, ModelFactory, Origin, Part, Registry, RegistryError, Stage, shown,
};

/// How soon what failed is tried again, and at most how late.
const RETRY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));
/// How often gates are asked.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// How many requests a baseline is learned from.
const BASELINE_REQUESTS: u64 = 1000;
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// [`Lifecycle::tick`] again at once.
    Again,
    /// The file of the candidate is to be fetched from this address.
    Fetch {
        /// The candidate.
        generation: u64,
        /// The address.
        url: String,
    },
    /// [`Lifecycle::tick`] after this time, or when something new is desired.
    Wait(Duration),
}

/// The life of one model on this gateway: what is desired, what is fetched, on trial, serving, rolled back.
///
/// It has no clock of its own: whoever owns it calls [`tick`](Self::tick), which does one step, and blocks while it reads and
/// writes files. A file becomes a model in a thread of its own, which is left behind when it does not end in time. Each step is on the disk before it shows, so that a crash at any time ends in one of
/// two states: the last known good version serves, with or without a candidate whose trial is begun again.
///
/// # Contract
/// - A version serves nobody before its checksum, and its signature when one is required, were found right.
/// - The last known good version stays installed and loaded until the candidate is committed.
/// - A candidate that fails a gate, panics, overruns its time, or with which the process ended too often, is rolled back
///   and not tried again under the same version, content and mapping.
#[derive(Debug)]
pub struct Lifecycle {
    pub(super) registry: Registry,
    pub(super) factory: Arc<dyn ModelFactory>,
    pub(super) serving: Arc<Serving>,
    pub(super) current: Option<Arc<Generation>>,
    pub(super) trial: Option<Trial>,
    /// What is desired and not yet in the record.
    wanted: Option<Desired>,
    /// A rollback that is not yet in the record.
    pub(super) rejecting: Option<String>,
    pub(super) mistakes: Option<Mistakes>,
    pub(super) problem: Option<String>,
    pub(super) waits_for: Option<String>,
    pub(super) refused: Option<String>,
    failures: u32,
    pub(super) retry_at: Option<Instant>,
    /// The candidate that is being opened.
    pub(super) opening: Option<Opening>,
    pub(super) openings: Arc<()>,
    pub(super) open_limit: Duration,
    /// How long a step waits for a candidate that is being opened.
    pub(super) patience: Duration,
}

impl Lifecycle {
    /// Opens the last known good version, and lets it serve; what else is to be done is for [`tick`](Self::tick).
    ///
    /// When it cannot be opened, another version that served before does in its place, and it is fetched again.
    #[must_use]
    pub fn new(registry: Registry, factory: Arc<dyn ModelFactory>, serving: Arc<Serving>) -> Self {
        let mut life = Self {
            registry,
            factory,
            serving,
            current: None,
            trial: None,
            wanted: None,
            rejecting: None,
            mistakes: None,
            problem: None,
            waits_for: None,
            refused: None,
            failures: 0,
            retry_at: None,
            opening: None,
            openings: Arc::new(()),
            open_limit: OPEN_LIMIT,
            patience: Duration::from_millis(100),
        };
        life.open_current();
        life
    }

    /// Sets how long a candidate may take to be opened and to answer its golden samples; a minute when it is not set.
    #[must_use]
    pub const fn with_open_limit(mut self, limit: Duration) -> Self {
        self.open_limit = limit;
        self
    }

    fn open_current(&mut self) {
        let record = self.registry.record();
        let Some(current) = record.current_entry() else { return };
        let candidate = record.candidate.as_ref().map(|candidate| candidate.generation);
        let spare = record.entries.iter().rev().filter(|entry| {
            Some(entry.generation) != record.current && Some(entry.generation) != candidate && entry.bytes > 0
        });
        for entry in [current].into_iter().chain(spare) {
            match self.open(entry) {
                Ok(generation) => {
                    generation.commit();
                    self.current = Some(Arc::new(generation));
                    break;
                }
                Err(reason) => {
                    let _first_reason = self.problem.get_or_insert_with(|| {
                        format!("version {} cannot be opened: {reason}", entry.desired.version)
                    });
                }
            }
        }
        if self.problem.is_some() && candidate.is_none() {
            self.wanted = Some(current.desired.clone());
        }
        self.serving.begin_drift(self.registry.record().baseline.as_ref());
        self.serve_current();
    }

    fn serve_current(&self) {
        self.serving.publish(self.current.clone().map(Routes::only));
    }

    /// Takes what a twin desires; it is acted on in [`tick`](Self::tick).
    ///
    /// # Errors
    /// [`Mistakes`] with all that is wrong; what was desired before stays in force.
    pub fn desire(&mut self, document: &Value) -> Result<(), Mistakes> {
        let desired = Desired::parse(document).and_then(|desired| {
            let model = &self.registry.record().model;
            if desired.model == *model {
                Ok(desired)
            } else {
                Err(Mistakes::other_model(&desired.model, model))
            }
        });
        match desired {
            Ok(desired) => {
                self.mistakes = None;
                self.wanted = Some(desired);
                self.retry_at = None;
                Ok(())
            }
            Err(mistakes) => {
                self.mistakes = Some(mistakes.clone());
                Err(mistakes)
            }
        }
    }

    /// Does one step, and returns what is to be done next.
    pub fn tick(&mut self) -> Next {
        let now = self.serving.now();
        if let Some(at) = self.retry_at.filter(|at| *at > now) {
            // A version on trial is watched all the same.
            if let Some(reason) = self.trial.as_ref().and_then(|trial| {
                trial.generation.blame_overdue(now);
                trial.generation.bad()
            }) {
                self.withdraw(reason);
            }
            return Next::Wait((at - now).min(LOOK));
        }
        match self.step(now) {
            Ok(next) => {
                self.failures = 0;
                self.retry_at = None;
                next
            }
            Err(error) => {
                self.put_off(report(&error));
                Next::Wait(LOOK)
            }
        }
    }

    fn put_off(&mut self, problem: String) {
        let (first, longest) = RETRY;
        let wait = first.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = self.serving.now().checked_add(wait);
        self.problem = Some(problem);
    }

    fn step(&mut self, now: Instant) -> Result<Next, RegistryError> {
        if self.rejecting.is_some() {
            self.reject()?;
            return Ok(Next::Again);
        }
        if let Some(desired) = self.wanted.clone() {
            self.take(desired)?;
            self.wanted = None;
            return Ok(Next::Again);
        }
        let Some(candidate) = self.registry.record().candidate.clone() else {
            return self.learn();
        };
        match self.trial.as_ref().map(|trial| trial.generation.number()) {
            Some(number) if number == candidate.generation => self.watch(now),
            _ if candidate.stage == Stage::Fetch => self.fetch(&candidate),
            _ => self.start(&candidate, now),
        }
    }

    /// Learns how inputs are distributed while nothing is on trial.
    fn learn(&mut self) -> Result<Next, RegistryError> {
        if self.registry.record().baseline.is_none()
            && self.current.is_some()
            && let Some(baseline) = self.serving.learned(BASELINE_REQUESTS)
        {
            self.registry.change(|record| record.baseline = Some(baseline))?;
            self.serving.begin_drift(self.registry.record().baseline.as_ref());
        }
        Ok(Next::Wait(Duration::from_secs(5)))
    }

    /// Enters into the record what is desired.
    fn take(&mut self, desired: Desired) -> Result<(), RegistryError> {
        let key = desired.key();
        let record = self.registry.record();
        let serves =
            |entry: &Entry| self.current.as_ref().is_some_and(|current| current.number() == entry.generation);
        let is_current =
            record.current_entry().is_some_and(|entry| entry.desired.key() == key && serves(entry));
        let is_candidate = record.candidate_entry().is_some_and(|entry| entry.desired.key() == key);
        let rejected = record.rejected.iter().find(|rejected| rejected.key == key);
        self.refused = rejected
            .map(|rejected| format!("version {} was rolled back: {}", rejected.version, rejected.reason));
        self.problem = None;
        if is_candidate {
            let policy = desired.policy;
            self.registry.change(|record| {
                let generation = record.candidate.as_ref().map(|candidate| candidate.generation);
                if let Some(entry) = generation.and_then(|generation| record.entry_mut(generation)) {
                    entry.desired = desired;
                }
            })?;
            if let Some(trial) = &mut self.trial {
                trial.policy = policy;
            }
            return Ok(());
        }
        let is_refused = self.refused.is_some();
        if !is_current && is_refused {
            return Ok(());
        }
        let generation = record.last_generation.saturating_add(1);
        self.registry.change(|record| {
            record.drop_candidate();
            if is_current {
                let current = record.current.and_then(|current| record.entry_mut(current));
                if let Some(entry) = current {
                    entry.desired = desired;
                }
            } else {
                record.last_generation = generation;
                record.entries.push(Entry { generation, desired, bytes: 0, installed_ms: 0 });
                record.candidate =
                    Some(Candidate { generation, stage: Stage::Fetch, starts: 0, validator: None });
            }
        })?;
        self.end_trial();
        Ok(())
    }

    pub(super) fn end_trial(&mut self) {
        self.serve_current();
        self.opening = None;
        if self.trial.take().is_some() {
            self.serving.side.next_shift();
        }
        self.waits_for = None;
    }

    fn fetch(&mut self, candidate: &Candidate) -> Result<Next, RegistryError> {
        let Some(entry) = self.registry.record().candidate_entry().cloned() else { return Ok(Next::Again) };
        let at = self.serving.clock().wall();
        self.registry.check_trust(&entry.desired, at)?;
        let there = Entry { installed_ms: at.as_unix_ms(), ..entry };
        let is_there = self.registry.installed_bytes(&there.desired.sha256);
        if let Some(bytes) = is_there.filter(|_| self.registry.load(&there).is_ok()) {
            self.installed(candidate.generation, bytes)?;
            return Ok(Next::Again);
        }
        match &there.desired.origin {
            Origin::Url(url) => Ok(Next::Fetch { generation: candidate.generation, url: url.clone() }),
            Origin::File(path) => {
                let bytes = self.registry.copy(path, there.desired.sha256)?;
                self.installed(candidate.generation, bytes)?;
                Ok(Next::Again)
            }
        }
    }

    fn installed(&mut self, generation: u64, bytes: u64) -> Result<(), RegistryError> {
        let at = self.serving.clock().wall().as_unix_ms();
        self.registry.change(|record| {
            if let Some(entry) = record.entry_mut(generation) {
                entry.bytes = bytes;
                entry.installed_ms = at;
            }
            if let Some(candidate) = &mut record.candidate {
                candidate.stage = Stage::Check;
                candidate.validator = None;
            }
        })
    }

    /// Returns where the candidate's file is written, and under which entity tag a part of it is there.
    pub(crate) fn part(&self, generation: u64) -> Result<Option<(Part, Option<String>)>, RegistryError> {
        let record = self.registry.record();
        let candidate = record.candidate.as_ref().filter(|candidate| candidate.generation == generation);
        let Some((candidate, entry)) = candidate.zip(record.candidate_entry()) else { return Ok(None) };
        let part = self.registry.part(entry.desired.sha256, candidate.validator.is_some())?;
        Ok(Some((part, candidate.validator.clone())))
    }

    /// Remembers under which entity tag the candidate's file is fetched.
    pub(crate) fn tagged(&mut self, generation: u64, validator: Option<String>) -> Result<(), RegistryError> {
        let is_new =
            self.registry.record().candidate.as_ref().is_some_and(|candidate| {
                candidate.generation == generation && candidate.validator != validator
            });
        if !is_new {
            return Ok(());
        }
        self.registry.change(|record| {
            if let Some(candidate) = &mut record.candidate {
                candidate.validator = validator;
            }
        })
    }

    /// Takes note of how fetching ended: with so many bytes installed, or with a failure; then it is tried again later.
    pub(crate) fn fetched(&mut self, generation: u64, outcome: Result<u64, String>) {
        let is_candidate =
            self.registry.record().candidate.as_ref().is_some_and(|candidate| {
                candidate.generation == generation && candidate.stage == Stage::Fetch
            });
        if !is_candidate {
            return;
        }
        let noted =
            outcome.and_then(|bytes| self.installed(generation, bytes).map_err(|error| report(&error)));
        match noted {
            Ok(()) => self.problem = None,
            Err(problem) => self.put_off(problem),
        }
    }

    /// Ends the life in order: the start of a candidate on trial is not held against it.
    ///
    /// # Errors
    /// [`RegistryError`] when that cannot be written; nothing else is lost.
    pub fn close(&mut self) -> Result<(), RegistryError> {
        if self.trial.is_some() || self.opening.is_some() {
            self.change_candidate(|candidate| candidate.starts = candidate.starts.saturating_sub(1))?;
        }
        Ok(())
    }

    /// Returns what is on the disk.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns where requests meet versions.
    #[must_use]
    pub const fn serving(&self) -> &Arc<Serving> {
        &self.serving
    }
}

/// Returns an error with its sources, as one clause.
pub(super) fn report(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text.chars().take(512).collect()
}

impl Mistakes {
    fn other_model(found: &impl std::fmt::Display, expected: &impl std::fmt::Display) -> Self {
        let what = format!(
            "is {:?}, and this is the module of {expected:?}",
            shown(&found.to_string()),
            expected = expected.to_string()
        );
        Self { all: vec![crate::registry::Mistake { path: "model".into(), what }] }
    }
}
