//! Where requests meet versions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use edge_core::Clock;

use super::drift::{Baseline, Drift, Profile};
use super::generation::Generation;
use super::numbers::Moments;
use super::side::Side;
use crate::model::RunError;
use crate::registry::Sha256;
use crate::tensor::{Tensor, TensorView};

/// Who answers whom; replaced as a whole.
#[derive(Clone, Debug)]
pub(super) struct Routes {
    pub(super) main: Arc<Generation>,
    pub(super) canary: Option<(Arc<Generation>, Share)>,
    pub(super) shadow: Option<Arc<Generation>>,
    /// Answers what a version on trial cannot answer.
    pub(super) good: Option<Arc<Generation>>,
}

impl Routes {
    pub(super) const fn only(main: Arc<Generation>) -> Self {
        Self { main, canary: None, shadow: None, good: None }
    }
}

/// Which devices a canary answers.
///
/// # Examples
/// ```
/// use edge_ml::{registry::Sha256, rollout::Share};
///
/// let share = Share::new(10.0, &Sha256::of(b"the candidate's file"));
/// let chosen = (0..10_000).filter(|device| share.contains(&format!("press-{device}"))).count();
/// assert!((900..1100).contains(&chosen), "{chosen}");
/// ```
///
/// # Source
/// FNV-1a with the finaliser of SplitMix64, begun from the candidate's checksum: a device is always in the share of a
/// candidate or never, and not always the same devices are the first. The choice is ours, because any stable one will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    below: u64,
    salt: u64,
}

impl Share {
    /// Returns the share of so many percent of the devices, for this candidate.
    #[must_use]
    pub fn new(percent: f64, candidate: &Sha256) -> Self {
        let salt = candidate.as_bytes().iter().take(8).fold(0, |salt, byte| salt << 8 | u64::from(*byte));
        let below =
            if percent >= 100.0 { u64::MAX } else { (percent.max(0.0) / 100.0 * u64::MAX as f64) as u64 };
        Self { below, salt }
    }

    /// Returns whether a device is in the share.
    #[must_use]
    pub fn contains(&self, device: &str) -> bool {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        let mut hash = device.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325 ^ self.salt, step);
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        hash < self.below || self.below == u64::MAX
    }
}

/// The bounds of what is kept beside the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServingLimits {
    /// How many requests wait for comparison; 256.
    pub side_requests: usize,
    /// How many bytes their tensors have; 64 MiB.
    pub side_bytes: usize,
    /// How many requests the drift score is made of; 5000.
    pub drift_requests: u64,
}

impl Default for ServingLimits {
    fn default() -> Self {
        Self { side_requests: 256, side_bytes: 64 * 1024 * 1024, drift_requests: 5000 }
    }
}

/// The answer to a request, and which version gave it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// One tensor for each output.
    pub outputs: Vec<Tensor>,
    /// The version; all outputs are of this one.
    pub generation: Arc<Generation>,
    /// Whether another version was asked first and had no answer.
    pub fell_back: bool,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// No version serves: none was installed yet, or the only one was bad.
    #[error("no version of the model serves")]
    Nothing,
    /// The version that was asked has no answer.
    #[error("version {version} has no answer")]
    Run {
        /// The version.
        version: String,
        /// Why.
        #[source]
        source: RunError,
    },
}

/// Where requests meet the versions of one model; it is shared by all threads that run it.
///
/// A request picks its version once and is answered by that one, or, when that one is on trial and fails, as a whole by
/// the last known good one. What a swap changes is whom later requests pick.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use edge_core::SystemClock;
/// use edge_ml::rollout::{ServeError, Serving, ServingLimits};
///
/// let serving = Serving::new(Arc::new(SystemClock), ServingLimits::default());
/// assert!(matches!(serving.pick("press-7"), Err(ServeError::Nothing)));
/// ```
#[derive(Debug)]
pub struct Serving {
    routes: ArcSwapOption<Routes>,
    clock: Arc<dyn Clock>,
    pub(super) side: Side,
    inputs: Mutex<Inputs>,
    limits: ServingLimits,
    nothing: AtomicU64,
    fell_back: AtomicU64,
}

/// What was seen of the inputs, whoever answered.
#[derive(Debug, Default)]
struct Inputs {
    profile: Profile,
    drift: Drift,
    baseline: Baseline,
    score: Option<f64>,
}

impl Serving {
    /// Returns the place where no version serves yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, limits: ServingLimits) -> Self {
        Self {
            routes: ArcSwapOption::empty(),
            clock,
            side: Side::new(limits.side_requests, limits.side_bytes),
            inputs: Mutex::default(),
            limits,
            nothing: AtomicU64::new(0),
            fell_back: AtomicU64::new(0),
        }
    }

    /// Picks the version that answers this device now. Requests with the same [`Pinned::generation`] can be one batch.
    ///
    /// # Errors
    /// [`ServeError::Nothing`] when no version serves.
    pub fn pick(&self, device: &str) -> Result<Pinned<'_>, ServeError> {
        let Some(routes) = self.routes.load_full() else {
            self.nothing.fetch_add(1, Ordering::Relaxed);
            return Err(ServeError::Nothing);
        };
        let canary = routes.canary.as_ref().filter(|(_, share)| share.contains(device));
        let generation = Arc::clone(canary.map_or(&routes.main, |(generation, _)| generation));
        let good = if canary.is_some() { Some(Arc::clone(&routes.main)) } else { routes.good.clone() };
        let shadow = if canary.is_some() { None } else { routes.shadow.clone() };
        Ok(Pinned { serving: self, generation, good, shadow })
    }

    /// Picks the version for a device, and runs it.
    ///
    /// # Errors
    /// [`ServeError`] when no version serves, or the one that was picked has no answer.
    pub fn run(&self, device: &str, inputs: &[TensorView<'_>]) -> Result<Answer, ServeError> {
        self.pick(device)?.run(inputs, Duration::ZERO)
    }

    /// Compares one request that waits for it; returns whether there was one.
    pub fn compare_one(&self) -> bool {
        let sample = self.side.take();
        let found = sample.is_some();
        if let Some(sample) = sample {
            sample.compare(&*self.clock);
        }
        found
    }

    /// Returns how many requests were left out of the comparison, since too many waited.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.side.left_out()
    }

    /// Returns how many requests found no version.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.nothing.load(Ordering::Relaxed)
    }

    /// Returns how many requests were answered by the last known good version, since the one on trial failed.
    #[must_use]
    pub fn fell_back(&self) -> u64 {
        self.fell_back.load(Ordering::Relaxed)
    }

    /// Returns the version that answers whoever is not in a canary's share.
    #[must_use]
    pub fn main(&self) -> Option<Arc<Generation>> {
        self.routes.load().as_ref().map(|routes| Arc::clone(&routes.main))
    }

    pub(super) fn publish(&self, routes: Option<Routes>) {
        self.routes.store(routes.map(Arc::new));
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    fn inputs(&self) -> MutexGuard<'_, Inputs> {
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares inputs with this baseline from now on.
    pub(super) fn begin_drift(&self, baseline: Option<&Baseline>) {
        let mut inputs = self.inputs();
        inputs.baseline = baseline.cloned().unwrap_or_default();
        inputs.drift = Drift::new(inputs.baseline.clone());
        inputs.score = None;
    }

    /// Forgets what inputs were seen, to learn a new baseline.
    pub(super) fn begin_profile(&self) {
        self.inputs().profile = Profile::default();
    }

    /// Returns what inputs were seen once there were so many requests.
    pub(super) fn learned(&self, requests: u64) -> Option<Baseline> {
        let inputs = self.inputs();
        (inputs.profile.requests() >= requests).then(|| inputs.profile.baseline())
    }

    /// Returns what was seen of each column of the inputs since the baseline began to be learned.
    pub(super) fn input_moments(&self) -> Vec<Moments> {
        self.inputs().profile.moments().collect()
    }

    /// Returns how far the inputs have drifted from the stored baseline, if there is one and something was seen.
    #[must_use]
    pub fn drift(&self) -> Option<f64> {
        let inputs = self.inputs();
        inputs.score.or_else(|| inputs.drift.score())
    }

    fn saw(&self, views: &[TensorView<'_>]) {
        let mut inputs = self.inputs();
        inputs.profile.record(views);
        inputs.drift.record(views);
        if inputs.drift.requests() >= self.limits.drift_requests {
            inputs.score = inputs.drift.score();
            inputs.drift = Drift::new(inputs.baseline.clone());
        }
    }
}

/// A request's version, picked once.
#[derive(Debug)]
pub struct Pinned<'a> {
    serving: &'a Serving,
    generation: Arc<Generation>,
    good: Option<Arc<Generation>>,
    shadow: Option<Arc<Generation>>,
}

impl Pinned<'_> {
    /// Returns the version.
    #[must_use]
    pub const fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// Runs the version; `waited` is how long the request waited before, and is only counted.
    ///
    /// # Errors
    /// [`ServeError::Run`] when it has no answer, and neither has the last known good version if this one is on trial.
    pub fn run(self, inputs: &[TensorView<'_>], waited: Duration) -> Result<Answer, ServeError> {
        let clock = &*self.serving.clock;
        match self.generation.run(inputs, waited, clock) {
            Ok(outputs) => {
                self.serving.saw(inputs);
                if let Some(shadow) = &self.shadow {
                    self.serving.side.offer(inputs, &outputs, shadow, shadow);
                } else if let Some(good) = &self.good {
                    self.serving.side.offer(inputs, &outputs, good, &self.generation);
                }
                Ok(Answer { outputs, generation: self.generation, fell_back: false })
            }
            Err(error) => {
                let cause = error.cause();
                let is_input = matches!(error, RunError::Input(_));
                let Some(good) = self.good else {
                    if is_input {
                        self.generation.forgive(cause);
                    }
                    return Err(failed(&self.generation, error));
                };
                let outputs = good.run(inputs, waited, clock).map_err(|error| {
                    self.generation.forgive(cause);
                    failed(&good, error)
                })?;
                self.serving.fell_back.fetch_add(1, Ordering::Relaxed);
                self.serving.saw(inputs);
                Ok(Answer { outputs, generation: good, fell_back: true })
            }
        }
    }
}

fn failed(generation: &Generation, source: RunError) -> ServeError {
    ServeError::Run { version: generation.version().to_string(), source }
}
