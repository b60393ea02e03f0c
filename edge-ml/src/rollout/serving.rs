//! Where requests meet versions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use edge_core::Clock;
use tokio::sync::Notify;

use super::asked::Asked;
use super::drift::{Baseline, Drift, Profile};
use super::generation::Generation;
use super::numbers::Moments;
use super::pinned::Pinned;
use super::side::Side;
use crate::model::RunError;
use crate::registry::Sha256;
use crate::serve::PoolOptions;
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
    pools: PoolOptions,
    changed: Notify,
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
            pools: PoolOptions::default(),
            changed: Notify::new(),
            nothing: AtomicU64::new(0),
            fell_back: AtomicU64::new(0),
        }
    }

    /// Sets how the threads of each version run it; the time limit is that of the version's policy.
    #[must_use]
    pub const fn with_pools(mut self, options: PoolOptions) -> Self {
        self.pools = options;
        self
    }

    /// Returns how the threads of each version run it.
    #[must_use]
    pub const fn pools(&self) -> &PoolOptions {
        &self.pools
    }

    /// Waits until it may be another version that answers.
    ///
    /// # Cancel safety
    /// Cancel-safe: a change while nobody waits is seen by the next call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Picks the version for a device, and runs it in the version's threads, with others' requests in one run where it is
    /// batched. Where it is on trial and has no answer, or does not return in time, the last known good version answers.
    ///
    /// # Errors
    /// [`ServeError`] when no version serves, or the one that was picked has no answer.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropped, the model may run all the same, and nobody hears of it.
    ///
    /// # Examples
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// use std::sync::Arc;
    /// use edge_core::SystemClock;
    /// use edge_ml::rollout::{ServeError, Serving, ServingLimits};
    ///
    /// let serving = Serving::new(Arc::new(SystemClock), ServingLimits::default());
    /// assert!(matches!(serving.ask("press-7", Vec::new()).await, Err(ServeError::Nothing)));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn ask(&self, device: &str, inputs: Vec<Tensor>) -> Result<Answer, ServeError> {
        let pinned = self.pick(device)?;
        let (inputs, answer) = self.ask_one(pinned.generation(), inputs).await.answer().await;
        let error = match answer {
            Ok(outputs) => {
                pinned.answered(&inputs, &outputs, Some(&inputs));
                return Ok(pinned.answer_of(outputs, false));
            }
            Err(error) => error,
        };
        let Some(good) = pinned.good() else { return Err(pinned.failed(error)) };
        let (inputs, answer) = self.ask_one(good, inputs).await.answer().await;
        match answer {
            Ok(outputs) => {
                pinned.fell_back(&inputs);
                Ok(pinned.answer_of(outputs, true))
            }
            Err(of_good) => {
                pinned.forgive(error.cause());
                Err(failed(good, of_good))
            }
        }
    }

    pub(crate) async fn ask_one(&self, generation: &Arc<Generation>, inputs: Vec<Tensor>) -> Asked {
        Asked::new(generation, self.pools, inputs).await
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
        Ok(Pinned::new(self, generation, good, shadow))
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

    /// Returns whether a request would be answered now.
    pub(crate) fn serves(&self) -> bool {
        let routes = self.routes.load();
        let good = |generation: &Arc<Generation>| generation.bad().is_none();
        routes.as_ref().is_some_and(|routes| good(&routes.main) || routes.good.as_ref().is_some_and(good))
    }

    pub(super) fn publish(&self, routes: Option<Routes>) {
        self.routes.store(routes.map(Arc::new));
        self.changed.notify_one();
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

    pub(super) fn count_fall_back(&self) {
        self.fell_back.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn saw(&self, views: &[TensorView<'_>]) {
        let mut inputs = self.inputs();
        inputs.profile.record(views);
        inputs.drift.record(views);
        if inputs.drift.requests() >= self.limits.drift_requests {
            inputs.score = inputs.drift.score();
            inputs.drift = Drift::new(inputs.baseline.clone());
        }
    }
}

pub(super) fn failed(generation: &Generation, source: RunError) -> ServeError {
    ServeError::Run { version: generation.version().to_string(), source }
}
